#ifndef KANTOKU_TESTS_SUPPORT_FAULT_INJECTING_RECORD_STORE_H_
#define KANTOKU_TESTS_SUPPORT_FAULT_INJECTING_RECORD_STORE_H_

#include <deque>
#include <memory>

#include "services/platform/mutex.h"
#include "services/platform/store/forwarding_record_store.h"

namespace kantoku::platform {

// What is to go wrong, in a test's hand. Shared by the test and the stores that follow it.
//
// Thread-safe.
class StoreFaults {
 public:
  // The next commit does nothing and returns `error`. Faults queue up, one per commit.
  void FailCommit(absl::Status error);
  // The next commit happens, and yet returns `error`.
  void LoseOutcome(absl::Status error);
  // Every commit without a fault of its own does nothing and returns `error`, until OK is set.
  void FailAllCommits(absl::Status error);
  // The next read or scan does nothing and returns `error`.
  void FailRead(absl::Status error);

  // Commits block while the gate is closed.
  void CloseGate();
  void OpenGate();

  // Blocks until this many commits have been called in all.
  void AwaitCommits(int count);
  int commits() const;
  // The same of reads and scans.
  void AwaitReads(int count);
  int reads() const;
  // Of the largest batch that was to be committed.
  size_t most_bytes() const;

  // For the stores.
  struct Fault {
    bool happens = true;
    absl::Status outcome;
  };
  Fault BeginCommit(const WriteBatch& batch);
  absl::Status BeginRead();

 private:
  mutable Mutex mu_;
  CondVar changed_;
  std::deque<Fault> commit_faults_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::Status> read_faults_ ABSL_GUARDED_BY(mu_);
  absl::Status all_commits_ ABSL_GUARDED_BY(mu_);
  bool gate_open_ ABSL_GUARDED_BY(mu_) = true;
  int commits_ ABSL_GUARDED_BY(mu_) = 0;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  size_t most_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

// A store that fails as told. `faults` outlives it.
class FaultInjectingRecordStore final : public ForwardingRecordStore {
 public:
  FaultInjectingRecordStore(std::unique_ptr<RecordStore> behind, StoreFaults& faults)
      : ForwardingRecordStore(std::move(behind)), faults_(faults) {}

  absl::Status Commit(const WriteBatch& batch) override;
  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override;
  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override;

 private:
  StoreFaults& faults_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_SUPPORT_FAULT_INJECTING_RECORD_STORE_H_
