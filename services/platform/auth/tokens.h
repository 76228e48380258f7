#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_TOKENS_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_TOKENS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/mac.h"
#include "services/platform/ids.h"

namespace kantoku::platform {

// Who calls.
struct Caller {
  std::string subject;    // The user.
  std::string client_id;  // The app.
  bool operator==(const Caller&) const = default;
};

// What a lease token says: this session of this caller holds this dispatch. Inputs mints it with
// the dispatch, Outputs accepts a result only with it, and a task token is made of it.
struct Lease {
  TaskId task;
  uint32_t dispatch = 0;
  SessionId session;
  Caller holder;
  std::string name_space;
  std::string owner;  // Of the task.
  absl::Time expires;
  absl::Duration retention;  // Of the result.
  std::string spawn_scope;   // What its handler may spawn, as a scope says it; empty: every type.
};

// What a receipt says: this result is durable in Outputs.
struct Receipt {
  TaskId task;
  uint32_t dispatch = 0;
  uint8_t status = 0;       // A ResultStatus.
  uint64_t item_count = 0;  // Items of the dispatch; 0 unless it is a generator.
};

// What a read grant says: this session of this caller may read this result, whoever owns it. Inputs
// mints it with the dispatch of a task that has the result as an argument.
struct ReadGrant {
  TaskId task;
  SessionId session;
  Caller holder;
  std::string name_space;
  std::string owner;  // Of the result.
  absl::Time expires;
};

// Tokens are bytes: the fields, then their code. Opaque to clients but for where the code begins.
//
// Opening fails with PERMISSION_DENIED: INVALID_LEASE (malformed, not genuine, or `now` is past its
// end), INVALID_RECEIPT, INVALID_GRANT (as of a lease).
std::string SealLease(const MacKeys& keys, const Lease& lease);
absl::StatusOr<Lease> OpenLease(const MacKeys& keys, std::string_view token, absl::Time now);

// The task that a lease token names, genuine or not: what needs no key is no proof, and only says
// where to go with it. INVALID_ARGUMENT where it names none.
absl::StatusOr<TaskId> TaskOfLease(std::string_view token);

std::string SealReceipt(const MacKeys& keys, const Receipt& receipt);
absl::StatusOr<Receipt> OpenReceipt(const MacKeys& keys, std::string_view token);

std::string SealReadGrant(const MacKeys& keys, const ReadGrant& grant);
absl::StatusOr<ReadGrant> OpenReadGrant(const MacKeys& keys, std::string_view token,
                                        absl::Time now);

// The task token of whoever holds a lease: its bearer speaks for the handler of this dispatch, and
// may spawn children of the task in its owner's name, for as long as Inputs has the dispatch held.
// Made of the lease token without any key, and the lease token cannot be had from it: the fields of
// the lease, then its code attenuated for "kantoku task token" (mac.h). A text, which stands where
// an access token does, as `Bearer …`: "kantoku-task." and all that in base64url. Empty for what is
// too short to be a lease token.
std::string TaskTokenOf(std::string_view lease_token);
// Whether it says of itself to be one, so that nobody looks for anything else in it.
bool IsTaskToken(std::string_view text);
// What the lease says that it was made of. UNAUTHENTICATED, as of access tokens: INVALID_TOKEN,
// TOKEN_EXPIRED. Costs a few microseconds, whatever the text is: nobody need be kept from trying.
absl::StatusOr<Lease> OpenTaskToken(const MacKeys& keys, std::string_view text, absl::Time now);

// What one service shows another in the binary metadata entry kServiceMetadataKey: its name, good
// until `expires`. PERMISSION_DENIED, NOT_A_SERVICE when it is not genuine or has ended.
inline constexpr char kServiceMetadataKey[] = "kantoku-service-bin";
std::string SealServiceIdentity(const MacKeys& keys, std::string_view service, absl::Time expires);
absl::StatusOr<std::string> OpenServiceIdentity(const MacKeys& keys, std::string_view token,
                                                absl::Time now);

// What a replica shows another one, in the binary metadata entry kForwardedMetadataKey, with a call
// that it has forwarded: for which of its partitions, good until `expires`. PERMISSION_DENIED,
// NOT_FORWARDED when it is not genuine or has ended.
inline constexpr char kForwardedMetadataKey[] = "kantoku-forwarded-bin";
std::string SealForwarded(const MacKeys& keys, uint32_t partition, absl::Time expires);
absl::StatusOr<uint32_t> OpenForwarded(const MacKeys& keys, std::string_view token, absl::Time now);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_TOKENS_H_
