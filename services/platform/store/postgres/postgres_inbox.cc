#include "services/platform/store/postgres/postgres_inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/log/log.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/status.h"
#include "services/platform/store/postgres/postgres_schema.h"
#include "services/platform/store/postgres/postgres_session.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr int64_t kFindBytes = int64_t{4} << 20;

// Whoever stops waits for a Find; what is not found in time is looked for again.
constexpr absl::Duration kPatience = absl::Seconds(5);

constexpr char kFind[] =
    "SELECT r.key, octet_length(r.value) FROM {schema}.{component}_record AS r"
    " WHERE r.partition = $1::int8 AND r.kind = $2::int8 AND r.key >= $3::int8"
    " ORDER BY r.key LIMIT $4::int8";

PostgresOptions WatchOptions(const PostgresStoreOptions& options, std::string name) {
  PostgresOptions session = SessionOptions(options, std::move(name));
  session.connect_timeout = std::min(session.connect_timeout, kPatience);
  session.statement_timeout = std::min(session.statement_timeout, kPatience);
  session.network_timeout = std::min(session.network_timeout, kPatience);
  return session;
}

class PostgresInboxWatch final : public InboxWatch {
 public:
  PostgresInboxWatch(const PostgresTables& place, const PostgresStoreOptions& options,
                     uint32_t partition, RecordKind kind)
      : partition_(partition),
        kind_(kind),
        connection_(WatchOptions(options, SessionsOf(place, partition) + " sql")),
        interrupt_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    KANTOKU_CHECK(interrupt_ >= 0);
    connection_.Prepare("find", InPlace(kFind, place));
    connection_.Listen(absl::StrCat(place.schema, "_", place.component, "_inbox_", partition));
  }
  ~PostgresInboxWatch() override { ::close(interrupt_); }

  absl::StatusOr<std::vector<RecordKey>> Find(RecordKey from, size_t limit) override {
    auto rows = connection_.Run("find", PostgresParameters()
                                            .Integer(partition_)
                                            .Integer(kind_)
                                            .Integer(static_cast<int64_t>(from))
                                            .Integer(static_cast<int64_t>(limit)));
    if (!rows.ok()) return WhileOpen(rows.status());
    std::vector<RecordKey> keys;
    keys.reserve(rows->size());
    int64_t bytes = 0;
    for (size_t row = 0; row < rows->size() && bytes < kFindBytes; ++row) {
      bytes += rows->Integer(row, 1);
      keys.push_back(static_cast<RecordKey>(rows->Integer(row, 0)));
    }
    return keys;
  }

  absl::Status Wait(absl::Duration within) override {
    return WhileOpen(connection_.AwaitNotice(within, interrupt_));
  }

  void Interrupt() override {
    const uint64_t one = 1;
    // One that fails finds the file full of what it would have written.
    [[maybe_unused]] const ssize_t written = ::write(interrupt_, &one, sizeof(one));
  }

 private:
  const uint32_t partition_;
  const RecordKind kind_;
  PostgresConnection connection_;
  const int interrupt_;
};

class PostgresInbox final : public Inbox {
 public:
  PostgresInbox(PostgresTables place, PostgresStoreOptions options)
      : place_(std::move(place)), options_(std::move(options)) {}

  absl::Status Allow(const std::vector<InboxRole>& roles) override {
    PostgresConnection connection(SessionOptions(
        options_, absl::StrCat("kantoku ", place_.schema, " ", place_.component, " roles")));
    const absl::Status written = connection.Execute(InPlace(SqlOf(roles), place_)).status();
    // Who was never let write it has let nobody in. Who was once may have.
    if (roles.empty() && ReasonOf(written) == kStoreDenied) {
      Log(LogLevel::kInfo, "nobody is let spawn by SQL, nor shut out who was", {{"why", written}});
      return absl::OkStatus();
    }
    return Annotate(written, "who may spawn by SQL");
  }

  std::unique_ptr<InboxWatch> Watch(uint32_t partition, RecordKind kind) override {
    return std::make_unique<PostgresInboxWatch>(place_, options_, partition, kind);
  }

 private:
  // One transaction, so that nobody is shut out meanwhile.
  static std::string SqlOf(const std::vector<InboxRole>& roles) {
    std::string values, names;
    for (const InboxRole& role : roles) {
      const char* const comma = values.empty() ? "" : ",";
      absl::StrAppend(&names, comma, PostgresLiteral(role.role));
      absl::StrAppend(&values, comma, "(", PostgresLiteral(role.role), ",",
                      PostgresLiteral(role.name_space), ",", PostgresLiteral(role.owner), ",",
                      role.partition, ",", role.slot, ",", role.max_payload_bytes, ")");
    }
    if (roles.empty()) return "DELETE FROM {schema}.{component}_role";
    return absl::StrCat(
        "BEGIN; LOCK TABLE {schema}.{component}_role IN SHARE ROW EXCLUSIVE MODE;",
        "DELETE FROM {schema}.{component}_role WHERE role NOT IN (", names, ");",
        "INSERT INTO {schema}.{component}_role VALUES ", values,
        " ON CONFLICT (role) DO UPDATE SET name_space = excluded.name_space,"
        " owner = excluded.owner, partition = excluded.partition, slot = excluded.slot,"
        " max_payload_bytes = excluded.max_payload_bytes; COMMIT");
  }

  const PostgresTables place_;
  const PostgresStoreOptions options_;
};

}  // namespace

std::unique_ptr<Inbox> MakePostgresInbox(const StoreSchema& schema, PostgresStoreOptions options) {
  PostgresTables place{options.schema, std::string(schema.component)};
  return std::make_unique<PostgresInbox>(std::move(place), std::move(options));
}

}  // namespace kantoku::platform
