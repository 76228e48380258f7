#include "services/issuer/grant_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/issuer/store.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::Error;
using platform::Identity;
using platform::Transaction;

constexpr absl::Duration kPurgeInterval = absl::Hours(1);

absl::Status Refused(std::string_view reason, std::string_view why) {
  return Error(absl::StatusCode::kUnauthenticated, reason, why);
}

bool IsAdminOfAll(const Identity& caller, const std::vector<std::string>& namespaces) {
  return std::all_of(namespaces.begin(), namespaces.end(),
                     [&](const std::string& name) { return caller.IsAdminOf(name); });
}

absl::Status NoSuchSecret() {
  return Refused("INVALID_GRANT", "there is no grant with this id and secret");
}

// Whether the grant stands and this is its holder, or may become it.
absl::Status CheckExchange(const Grant& grant, const GrantMachine::Exchange& exchange,
                           absl::Time now) {
  const auto is_of = [](const std::string& secret, const platform::SecretDigest& digest) {
    return platform::AreEqual(platform::DigestOf(secret), digest);
  };
  if (!is_of(exchange.secret, grant.secret)) return NoSuchSecret();
  if (grant.revoked.has_value()) return Refused("GRANT_REVOKED", "the grant was revoked");
  if (now >= grant.expires) return Refused("GRANT_ENDED", "the grant has ended");
  if (grant.reusable) return absl::OkStatus();
  if (!platform::IsSecretText(exchange.holder_secret)) {
    return Error(absl::StatusCode::kInvalidArgument, "INVALID_SECRET",
                 "holder_secret: is not 43 characters of base64url");
  }
  if (!grant.taken.has_value() || is_of(exchange.holder_secret, grant.holder_secret)) {
    return absl::OkStatus();
  }
  return Refused("GRANT_TAKEN",
                 "somebody else has taken the grant before: revoke it if nobody should have; a "
                 "container that begins anew each time wants a grant that is reusable, or a place "
                 "that it keeps");
}

// Answers once what the command has written is durable.
template <typename Result>
void AnswerLater(Transaction& transaction, GrantMachine::Done<Result> done, Result result) {
  transaction.Reply(
      [done = std::move(done), result = std::move(result)](const absl::Status& status) mutable {
        if (status.ok()) {
          done(std::move(result));
        } else {
          done(status);
        }
      });
}

}  // namespace

absl::Status GrantMachine::Recover(platform::RecordStore& store) {
  absl::Status read;
  KANTOKU_RETURN_IF_ERROR(
      store.Scan({.kind = kGrantKind}, [&](platform::RecordKey key, std::string_view record) {
        auto grant = DecodeGrant(key, record);
        if (!grant.ok()) {
          read.Update(grant.status());
          return;
        }
        if (grant->revoked.has_value()) options_.on_revoked(key);
        Add(*std::move(grant));
      }));
  return read;
}

GrantMachine::Place GrantMachine::PlaceOf(const Grant& grant) {
  return {absl::ToUnixMillis(grant.created), grant.id};
}

// Those that have ended count as long as they are kept: else one fills the store for all. They
// count by namespace, for who makes one is administrator of all that it names, and nobody makes
// himself administrator of another; a subject he makes up as he likes.
absl::Status GrantMachine::CheckRoom(const Grant& grant) const {
  const auto too_many = [](size_t grants, const std::string& of_what) {
    return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_GRANTS",
                 absl::StrCat("there are ", grants, " grants", of_what,
                              "; one goes a day after it was revoked"));
  };
  if (grants_.size() >= options_.max_grants) return too_many(options_.max_grants, "");
  for (const std::string& name : grant.namespaces) {
    const auto found = of_namespace_.find(name);
    if (found != of_namespace_.end() && found->second >= options_.max_of_namespace) {
      return too_many(found->second, absl::StrCat(" of the namespace \"", name, "\""));
    }
  }
  return absl::OkStatus();
}

void GrantMachine::Add(Grant grant) {
  places_.insert(PlaceOf(grant));
  for (const std::string& name : grant.namespaces) ++of_namespace_[name];
  const GrantId id = grant.id;
  grants_[id] = std::move(grant);
}

void GrantMachine::Remove(std::map<GrantId, Grant>::iterator each) {
  const Grant& grant = each->second;
  places_.erase(PlaceOf(grant));
  for (const std::string& name : grant.namespaces) {
    const auto found = of_namespace_.find(name);
    if (--found->second == 0) of_namespace_.erase(found);
  }
  grants_.erase(each);
}

void GrantMachine::Create(Transaction& transaction, Grant grant, absl::Duration lifetime,
                          Done<Created> done) {
  if (absl::Status room = CheckRoom(grant); !room.ok()) {
    return done(std::move(room));
  }
  do {
    grant.id = options_.random() & platform::kMaxRecordKey;
  } while (grants_.contains(grant.id));
  grant.created = transaction.now().wall;
  grant.expires = grant.created + lifetime;
  std::string secret = platform::MakeSecret();
  grant.secret = platform::DigestOf(secret);
  transaction.batch().Put(kGrantKind, grant.id, EncodeGrant(grant));
  Add(grant);
  AnswerLater<Created>(transaction, std::move(done), {std::move(grant), std::move(secret)});
}

void GrantMachine::List(Transaction& transaction, const Identity& caller, const Place& after,
                        size_t limit, Done<Page> done) const {
  Page page;
  for (auto place = places_.upper_bound(after); place != places_.end(); ++place) {
    const Grant& grant = grants_.at(place->id);
    if (!IsAdminOfAll(caller, grant.namespaces)) continue;
    if (page.grants.size() == limit) {
      page.next = PlaceOf(page.grants.back());
      break;
    }
    page.grants.push_back(grant);
  }
  AnswerLater<Page>(transaction, std::move(done), std::move(page));
}

absl::StatusOr<Grant*> GrantMachine::Find(GrantId id, const Identity& caller) {
  const auto found = grants_.find(id);
  if (found != grants_.end() && IsAdminOfAll(caller, found->second.namespaces)) {
    return &found->second;
  }
  return Error(absl::StatusCode::kNotFound, "NO_SUCH_GRANT",
               absl::StrCat("there is no grant ", ToText(id)));
}

void GrantMachine::Revoke(Transaction& transaction, GrantId id, const Identity& caller,
                          Done<Changed> done) {
  const auto grant = Find(id, caller);
  if (!grant.ok()) return done(grant.status());
  const bool now = !(*grant)->revoked.has_value();
  if (now) {
    (*grant)->revoked = transaction.now().wall;
    transaction.batch().Put(kGrantKind, id, EncodeGrant(**grant));
  }
  options_.on_revoked(id);  // At once: nobody is harmed by what is refused too early.
  AnswerLater<Changed>(transaction, std::move(done), {.grant = **grant, .now = now});
}

void GrantMachine::Take(Transaction& transaction, const Exchange& exchange, Done<Changed> done) {
  const auto found = grants_.find(exchange.id);
  if (found == grants_.end()) return done(NoSuchSecret());
  Grant& grant = found->second;
  const absl::Time now = transaction.now().wall;
  if (const absl::Status may = CheckExchange(grant, exchange, now); !may.ok()) return done(may);
  const bool first = !grant.reusable && !grant.taken.has_value();
  if (first) {
    grant.taken = now;
    grant.holder_secret = platform::DigestOf(exchange.holder_secret);
    transaction.batch().Put(kGrantKind, grant.id, EncodeGrant(grant));
  }
  AnswerLater<Changed>(transaction, std::move(done), {.grant = grant, .now = first});
}

void GrantMachine::FinishGroup(Transaction& transaction) {
  const absl::Duration now = transaction.now().steady;
  // Not at the start, when clocks may not be set yet.
  if (next_purge_ == absl::InfiniteDuration()) next_purge_ = now + kPurgeInterval;
  if (now < next_purge_) return;
  next_purge_ = now + kPurgeInterval;
  for (auto each = grants_.begin(); each != grants_.end();) {
    const auto found = each++;
    const Grant& grant = found->second;
    const absl::Time over = std::min(grant.expires, grant.revoked.value_or(grant.expires));
    if (transaction.now().wall < over + options_.kept) continue;
    transaction.batch().Erase(kGrantKind, grant.id);
    Remove(found);
  }
}

}  // namespace kantoku::issuer
