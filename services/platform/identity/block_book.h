#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_BOOK_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_BOOK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/block_list.h"
#include "services/platform/identity/identity.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// All blocks at some moment. Of two the one with the greater version counts.
struct KnownBlocks {
  using Version = std::pair<uint64_t, uint64_t>;  // The start of who says it, and its count.
  Version version;
  std::shared_ptr<const BlockList> list;  // Null: none are known yet.
};

// What a program knows of the blocks: who asks for calls is checked against it, and its owner is
// told what there is.
//
// Thread-safe. While there are no blocks a check costs a load.
class BlockBook {
 public:
  // Nothing happens unless it is newer than what is known. Holds for every Check from its return
  // on.
  void Replace(KnownBlocks blocks);
  // From now on `told` hears of what is newer, once, in the thread that brings it; until Unwatch
  // with the number that is returned.
  uint64_t Watch(std::function<void(const KnownBlocks&)> told);
  // It is told no more once this returns.
  void Unwatch(uint64_t watch);
  KnownBlocks known() const;

  // OK, or the refusal of a block. Services are never refused, nor are executors by their names:
  // those Inputs knows.
  absl::Status Check(const Identity& identity) const;

 private:
  std::atomic<bool> any_ = false;
  mutable Mutex mutex_;
  KnownBlocks known_ ABSL_GUARDED_BY(mutex_);
  // One after the other, so that what is told grows newer. Taken before `mutex_`.
  Mutex telling_;
  std::map<uint64_t, std::function<void(const KnownBlocks&)>> watches_ ABSL_GUARDED_BY(telling_);
  uint64_t next_watch_ ABSL_GUARDED_BY(telling_) = 0;
};

// Refuses whom the book refuses, however good the token is: UNAUTHENTICATED, BLOCKED.
//
// Thread-safe. The book outlives it.
class BlockingAuthenticator final : public Authenticator {
 public:
  BlockingAuthenticator(std::shared_ptr<Authenticator> authenticator, const BlockBook& blocks)
      : authenticator_(std::move(authenticator)), blocks_(blocks) {}

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) override;
  absl::Status CheckStill(const Identity& identity, const Now& now) override;

 private:
  const std::shared_ptr<Authenticator> authenticator_;
  const BlockBook& blocks_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_BOOK_H_
