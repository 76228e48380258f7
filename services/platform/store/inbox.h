#ifndef KANTOKU_SERVICES_PLATFORM_STORE_INBOX_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_INBOX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/store/write_batch.h"

namespace kantoku::platform {

// Waits for what others put into a partition (StoreSchema::Kind::from_others), on a connection of
// its own, and tells whoever owns the partition where it is.
//
// Guarantees: a record is found once whoever put it has committed, and until it is erased; what is
// erased or not committed is not found. Wait returns within milliseconds of a commit that came
// after the Find before it has begun.
//
// Thread-compatible but for Interrupt, which any thread may call. Errors: UNAVAILABLE: repeat.
class InboxWatch {
 public:
  virtual ~InboxWatch() = default;

  // The keys of what is there, from `from` on, in ascending order: at most `limit`, and no more
  // than make about 4 MiB together, but one at least; none when there is nothing.
  virtual absl::StatusOr<std::vector<RecordKey>> Find(RecordKey from, size_t limit) = 0;

  // Returns when more may be there, when `within` is over, or once Interrupt was called.
  virtual absl::Status Wait(absl::Duration within) = 0;
  // For good.
  virtual void Interrupt() = 0;
};

// Whom of those who use the database records are taken from, and as whose.
struct InboxRole {
  std::string role;
  std::string name_space;
  std::string owner;
  uint32_t partition = 0;
  uint32_t slot = 0;  // Of the ids of its tasks.
  uint64_t max_payload_bytes = 0;
};

// The door that a store has for others.
//
// Thread-safe.
class Inbox {
 public:
  virtual ~Inbox() = default;

  // After success these roles may put records, and no others. FAILED_PRECONDITION (STORE_DENIED)
  // when we may not say so; otherwise as InboxWatch.
  virtual absl::Status Allow(const std::vector<InboxRole>& roles) = 0;

  virtual std::unique_ptr<InboxWatch> Watch(uint32_t partition, RecordKind kind) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_INBOX_H_
