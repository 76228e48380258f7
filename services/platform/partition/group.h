#ifndef KANTOKU_SERVICES_PLATFORM_PARTITION_GROUP_H_
#define KANTOKU_SERVICES_PLATFORM_PARTITION_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "services/platform/partition/partition_runner.h"

namespace kantoku::platform {

// What to do after a commit.
enum class CommitVerdict {
  kDurable,
  kRepeat,  // The outcome is open: commit the same batch again.
  kLost,    // Nothing will ever be committed by this owner.
};
CommitVerdict Judge(const absl::Status& outcome);

// The changes of some commands, to be committed together, and what waits for them. First open:
// commands write to it; then closed: it is committed and settled; then cleared.
// All the rules of group commit that need no threads are here, so that a simulation runs the same
// ones.
//
// Thread-compatible. Must be settled or abandoned before it is destroyed, for the sake of replies.
class Group final : public Transaction {
 public:
  // Open.
  const Now& now() const override { return now_; }
  void set_now(const Now& now) { now_ = now; }
  WriteBatch& batch() override { return batch_; }
  void OnDurable(absl::AnyInvocable<void()> release) override {
    releases_.push_back(std::move(release));
  }
  void Reply(absl::AnyInvocable<void(const absl::Status&)> reply) override {
    replies_.push_back(std::move(reply));
  }

  // Nothing to commit and nothing that waits.
  bool empty() const { return batch_.empty() && waiting() == 0; }
  size_t bytes() const { return batch_.bytes(); }
  // Releases and replies that have not run.
  size_t waiting() const { return releases_.size() + replies_.size(); }

  // Answers all replies so far, with an error while what they wait for remains undecided.
  void Answer(const absl::Status& status);

  // Closes it. `next_number` becomes the batch's and goes up, unless there is nothing to commit.
  void Close(uint64_t& next_number);

  // Closed. Whether it waits for its own commit, not only for those before it.
  bool needs_commit() const { return !batch_.empty(); }
  const WriteBatch& closed_batch() const { return batch_; }

  // Takes the outcome of a commit (OK when none was needed). kDurable: everything was released, in
  // order. kRepeat: replies were answered with the error, the rest waits on. kLost: the rest was
  // dropped.
  CommitVerdict Settle(const absl::Status& outcome);

  // Open or closed. Answers replies with `error` and drops the rest.
  void Abandon(const absl::Status& error);

  // Makes a settled group an empty open one that keeps its memory.
  void Clear();

 private:
  using Release = absl::AnyInvocable<void()>;
  using ReplyTo = absl::AnyInvocable<void(const absl::Status&)>;

  Now now_{};
  WriteBatch batch_;
  std::vector<Release> releases_;
  std::vector<ReplyTo> replies_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PARTITION_GROUP_H_
