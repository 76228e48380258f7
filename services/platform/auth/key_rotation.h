#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_KEY_ROTATION_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_KEY_ROTATION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/key_file.h"

namespace kantoku::platform {

// How the MAC keys of an installation change without a moment in which one program signs what
// another does not verify. A key is *next* until every program that shares the file has read it;
// then it *signs*, and the one before is *retired* until what it signed has ended.

// How long a key is next: programs look at the file several times a second.
inline constexpr absl::Duration kKeySpread = absl::Minutes(1);

// How long a key is retired. Leases and read grants end an hour after they were signed, identities
// of services after minutes; the second hour is for clocks that differ and for programs that come
// to the file late. Receipts have no end: one that no longer verifies proves nothing, and Inputs
// learns from Outputs how the task ended, which keeps that for a day at least. So nothing is lost
// or run again, only asked for.
inline constexpr absl::Duration kKeyRetention = absl::Hours(2);

enum class KeyStep { kNone, kAdd, kUse, kDrop };

// Which step is due, of a ring that is not empty. `written` is since when a first key without a
// note signs: when its file was written. A key behind it without a note is somebody's who rotates
// by hand, and is left alone.
KeyStep DueStep(const KeyRing& ring, absl::Time written, absl::Duration lifetime, absl::Time now);

// The steps. Each returns the id of the key that it was about; after an error the ring is as it
// was.
//
// Adds a key behind the others. FAILED_PRECONDITION: NEXT_KEY_EXISTS, KEY_IDS_USED.
absl::StatusOr<uint8_t> AddKey(KeyRing& ring, std::string secret, absl::Time now);
// The next key signs from now on. FAILED_PRECONDITION: NO_NEXT_KEY; KEY_TOO_NEW before kKeySpread
// has passed, unless `at_once`: then tokens are refused by programs that have not read it.
absl::StatusOr<uint8_t> UseKey(KeyRing& ring, bool at_once, absl::Time now);
// Drops the key that was retired first. FAILED_PRECONDITION: NO_RETIRED_KEY; KEY_IN_USE before
// kKeyRetention has passed, unless `at_once`: then what it signed is refused from now on, as it
// should be when others have got it.
absl::StatusOr<uint8_t> DropKey(KeyRing& ring, bool at_once, absl::Time now);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_KEY_ROTATION_H_
