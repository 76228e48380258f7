#ifndef KANTOKU_SERVICES_ISSUER_GRANT_MACHINE_H_
#define KANTOKU_SERVICES_ISSUER_GRANT_MACHINE_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/issuer/grant.h"
#include "services/platform/identity/identity.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"

namespace kantoku::issuer {

// Which grants there are, and which secrets they are exchanged for.
//
//   standing ──take──▶ taken        (not a reusable one)
//      │                │
//      └──revoke, end───┴──▶ over, and gone a day later
//
// Confined to the apply thread of its runner. What is answered is durable.
class GrantMachine final : public platform::PartitionMachine {
 public:
  struct Options {
    size_t max_grants = 100'000;
    size_t max_of_namespace = 10'000;       // That name it. Every namespace, "*", is one itself.
    absl::Duration kept = absl::Hours(24);  // After its end, for lists.
    std::function<uint64_t()> random;
    // Called with each grant that is revoked, before its answer.
    std::function<void(GrantId)> on_revoked;
  };
  template <typename Result>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Result>)>;

  explicit GrantMachine(Options options) : options_(std::move(options)) {}

  // Before the first command. DATA_LOSS, or as the store says. Calls on_revoked for those that are.
  absl::Status Recover(platform::RecordStore& store);

  // Of `grant` all counts but id, times and digests; `lifetime` is positive. RESOURCE_EXHAUSTED,
  // TOO_MANY_GRANTS: there is no room, in a namespace that it names or at all.
  struct Created {
    Grant grant;
    std::string secret;
  };
  void Create(platform::Transaction& transaction, Grant grant, absl::Duration lifetime,
              Done<Created> done);

  // Where a grant is in lists: by the millisecond in which it was made, then by its id.
  struct Place {
    int64_t created = INT64_MIN;
    GrantId id = 0;

    auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr)
  };
  struct Page {
    std::vector<Grant> grants;
    std::optional<Place> next;  // Nothing: there are no more.
  };
  // The first `limit` behind `after` of namespaces that `caller` is an administrator of, oldest
  // first.
  void List(platform::Transaction& transaction, const platform::Identity& caller,
            const Place& after, size_t limit, Done<Page> done) const;

  // A grant as it is after a command that may be repeated.
  struct Changed {
    Grant grant;
    bool now = false;  // It was this very command that changed it.
  };

  // NOT_FOUND, NO_SUCH_GRANT, also for one of a namespace that `caller` is no administrator of.
  void Revoke(platform::Transaction& transaction, GrantId id, const platform::Identity& caller,
              Done<Changed> done);

  // The grant whose secret this is, bound to this holder unless it is reusable. UNAUTHENTICATED as
  // ExchangeGrant; INVALID_ARGUMENT, INVALID_SECRET when a holder's secret is needed and is none.
  struct Exchange {
    GrantId id = 0;
    std::string secret;
    std::string holder_secret;
  };
  void Take(platform::Transaction& transaction, const Exchange& exchange, Done<Changed> done);

  void FinishGroup(platform::Transaction& transaction) override;
  absl::Duration NextWake() const override { return next_purge_; }

 private:
  static Place PlaceOf(const Grant& grant);
  absl::Status CheckRoom(const Grant& grant) const;
  void Add(Grant grant);
  void Remove(std::map<GrantId, Grant>::iterator each);
  absl::StatusOr<Grant*> Find(GrantId id, const platform::Identity& caller);

  const Options options_;
  std::map<GrantId, Grant> grants_;
  std::set<Place> places_;                                // Of all of them.
  std::map<std::string, size_t> of_namespace_;            // How many name it.
  absl::Duration next_purge_ = absl::InfiniteDuration();  // Steady.
};

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_GRANT_MACHINE_H_
