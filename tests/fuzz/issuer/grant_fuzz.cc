// A grant is exchanged for its secret alone, and one that is taken for its holder's, too; a record
// is a grant or a loss of data. The first letter says what the rest is:
//   x  what is shown: a grant's id, a secret and a holder's secret, a line each, in which `!`
//   stands
//      for the genuine id, `$` for the genuine secret and `@` for the holder's
//   r  a record
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/issuer/grant_machine.h"
#include "services/issuer/store.h"
#include "services/platform/check.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::issuer {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A machine with one grant, whose commits never fail.
class Scene {
 public:
  Scene() {
    KANTOKU_CHECK(machine_.Recover(*store_).ok());
    Grant grant;
    grant.namespaces = {"default"};
    const auto created =
        Run<GrantMachine::Created>([&](platform::Transaction& transaction, auto done) {
          machine_.Create(transaction, grant, absl::Hours(1), std::move(done));
        });
    KANTOKU_CHECK(created.ok());
    id = created->grant.id;
    secret = created->secret;
  }

  absl::StatusOr<GrantMachine::Changed> Take(const GrantMachine::Exchange& exchange) {
    return Run<GrantMachine::Changed>([&](platform::Transaction& transaction, auto done) {
      machine_.Take(transaction, exchange, std::move(done));
    });
  }

  GrantId id = 0;
  std::string secret;

 private:
  template <typename Result, typename Command>
  absl::StatusOr<Result> Run(Command command) {
    std::optional<absl::StatusOr<Result>> answer;
    platform::Group group;
    group.set_now({.wall = kNow, .steady = absl::Hours(1)});
    command(group, [&](absl::StatusOr<Result> result) { answer = std::move(result); });
    group.Close(next_);
    static_cast<void>(group.Settle(group.needs_commit() ? store_->Commit(group.closed_batch())
                                                        : absl::OkStatus()));
    KANTOKU_CHECK(answer.has_value());
    return *std::move(answer);
  }

  const std::unique_ptr<platform::RecordStoreFactory> stores_ =
      platform::MakeMemoryRecordStoreFactory(IssuerSchema());
  const std::unique_ptr<platform::RecordStore> store_ = *stores_->Open(0);
  GrantMachine machine_ = GrantMachine({.random = [] { return uint64_t{7}; }});
  uint64_t next_ = 1;
};

void CheckExchange(const std::string& lines) {
  const std::string holder(43, 'h');
  Scene scene;
  std::vector<std::string> shown = absl::StrSplit(lines, absl::MaxSplits('\n', 2));
  shown.resize(3);
  for (std::string& each : shown) {
    each = absl::StrReplaceAll(each, {{"!", ToText(scene.id)}, {"$", scene.secret}, {"@", holder}});
  }
  const std::optional<GrantId> id = GrantIdOf(shown[0]);
  if (!id.has_value()) return;
  KANTOKU_CHECK(GrantIdOf(ToText(*id)) == id);
  const GrantMachine::Exchange exchange = {
      .id = *id, .secret = shown[1], .holder_secret = shown[2]};
  const auto first = scene.Take(exchange);
  const bool is_genuine = *id == scene.id && shown[1] == scene.secret;
  KANTOKU_CHECK(first.ok() == (is_genuine && platform::IsSecretText(shown[2])));
  // Bound to whoever was first.
  const auto holders =
      scene.Take({.id = scene.id, .secret = scene.secret, .holder_secret = holder});
  KANTOKU_CHECK(holders.ok() == (!first.ok() || shown[2] == holder));
  const auto again = scene.Take(exchange);
  KANTOKU_CHECK(again.ok() == first.ok());
}

void CheckRecord(const std::string& record) {
  const auto grant = DecodeGrant(7, record);
  if (!grant.ok()) {
    KANTOKU_CHECK(absl::IsDataLoss(grant.status()));
    return;
  }
  const auto back = DecodeGrant(7, EncodeGrant(*grant));
  KANTOKU_CHECK(back.ok() && EncodeGrant(*back) == EncodeGrant(*grant));
}

void Check(const std::string& input) {
  if (input.empty()) return;
  if (input.front() == 'x') CheckExchange(input.substr(1));
  if (input.front() == 'r') CheckRecord(input.substr(1));
}

}  // namespace
}  // namespace kantoku::issuer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::issuer::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
