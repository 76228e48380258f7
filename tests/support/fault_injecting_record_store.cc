#include "tests/support/fault_injecting_record_store.h"

#include <algorithm>
#include <utility>

#include "services/platform/status.h"

namespace kantoku::platform {

void StoreFaults::FailCommit(absl::Status error) {
  MutexLock lock(mu_);
  commit_faults_.push_back({.happens = false, .outcome = std::move(error)});
}

void StoreFaults::LoseOutcome(absl::Status error) {
  MutexLock lock(mu_);
  commit_faults_.push_back({.happens = true, .outcome = std::move(error)});
}

void StoreFaults::FailAllCommits(absl::Status error) {
  MutexLock lock(mu_);
  all_commits_ = std::move(error);
}

void StoreFaults::FailRead(absl::Status error) {
  MutexLock lock(mu_);
  read_faults_.push_back(std::move(error));
}

void StoreFaults::CloseGate() {
  MutexLock lock(mu_);
  gate_open_ = false;
}

void StoreFaults::OpenGate() {
  {
    MutexLock lock(mu_);
    gate_open_ = true;
  }
  changed_.SignalAll();
}

void StoreFaults::AwaitCommits(int count) {
  MutexLock lock(mu_);
  while (commits_ < count) changed_.Wait(mu_);
}

int StoreFaults::commits() const {
  MutexLock lock(mu_);
  return commits_;
}

void StoreFaults::AwaitReads(int count) {
  MutexLock lock(mu_);
  while (reads_ < count) changed_.Wait(mu_);
}

int StoreFaults::reads() const {
  MutexLock lock(mu_);
  return reads_;
}

size_t StoreFaults::most_bytes() const {
  MutexLock lock(mu_);
  return most_bytes_;
}

StoreFaults::Fault StoreFaults::BeginCommit(const WriteBatch& batch) {
  MutexLock lock(mu_);
  ++commits_;
  most_bytes_ = std::max(most_bytes_, batch.bytes());
  changed_.SignalAll();
  while (!gate_open_) changed_.Wait(mu_);
  if (!commit_faults_.empty()) {
    Fault fault = std::move(commit_faults_.front());
    commit_faults_.pop_front();
    return fault;
  }
  return {.happens = all_commits_.ok(), .outcome = all_commits_};
}

absl::Status StoreFaults::BeginRead() {
  MutexLock lock(mu_);
  ++reads_;
  changed_.SignalAll();
  if (read_faults_.empty()) return absl::OkStatus();
  absl::Status error = std::move(read_faults_.front());
  read_faults_.pop_front();
  return error;
}

absl::Status FaultInjectingRecordStore::Commit(const WriteBatch& batch) {
  const StoreFaults::Fault fault = faults_.BeginCommit(batch);
  if (fault.happens) KANTOKU_RETURN_IF_ERROR(ForwardingRecordStore::Commit(batch));
  return fault.outcome;
}

absl::Status FaultInjectingRecordStore::Read(const RecordKeys& keys, RecordVisitor visit) {
  KANTOKU_RETURN_IF_ERROR(faults_.BeginRead());
  return ForwardingRecordStore::Read(keys, visit);
}

absl::Status FaultInjectingRecordStore::Scan(const RecordRange& range, RecordVisitor visit) {
  KANTOKU_RETURN_IF_ERROR(faults_.BeginRead());
  return ForwardingRecordStore::Scan(range, visit);
}

}  // namespace kantoku::platform
