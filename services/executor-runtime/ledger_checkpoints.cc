// The part of Ledger that knows what dispatches leave to the next ones.
#include <utility>

#include "services/executor-runtime/ledger.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;

// What one message may hold, well below the size at which a server refuses it.
constexpr int kMaxCheckpoints = 1'000;
constexpr size_t kMostCheckpointBytes = size_t{4} << 20;  // And one more.

}  // namespace

void Ledger::Checkpoint(const HeldTaskPtr& task, std::string data) {
  // What begins once has no next dispatch that would begin with it.
  if (task->dropped || task->phase != Phase::kRunning || task->confirm_start) return;
  // One at a time is on its way, so that many of them become few. It is not replaced while it waits
  // for its items: who yields all the time would never get one out.
  const bool first = task->next_checkpoint.number == 0;
  (first ? task->next_checkpoint : task->newest_checkpoint) = {
      .number = ++task->checkpoint_number, .items = task->items, .data = std::move(data)};
  if (first) SendCheckpoint(task);
}

void Ledger::OnItemsDurable(const HeldTaskPtr& task, uint64_t items) {
  task->items_durable = items;
  SendCheckpoint(task);
}

void Ledger::OnCheckpoint(const inputspb::CheckpointConfirmed& answer) {
  const HeldTaskPtr task = Find(answer.task_id(), answer.dispatch());
  if (task == nullptr || !task->checkpoint_sent ||
      answer.number() != task->next_checkpoint.number) {
    return;
  }
  task->checkpoint_answered = answer.number();
  const auto& status = answer.status();
  task->checkpoint_status = status.code() == 0
                                ? absl::OkStatus()
                                : platform::Error(static_cast<absl::StatusCode>(status.code()),
                                                  status.reason(), status.message());
  handlers_to_wake_ = true;
  task->next_checkpoint = std::exchange(task->newest_checkpoint, {});
  task->checkpoint_sent = false;
  SendCheckpoint(task);
}

// If there is one that may leave.
void Ledger::SendCheckpoint(const HeldTaskPtr& task) {
  if (task->phase != Phase::kRunning || task->checkpoint_sent ||
      !MayLeave(*task, task->next_checkpoint)) {
    return;
  }
  if (!std::exchange(task->checkpoint_pending, true)) checkpoints_.push_back(task);
}

bool Ledger::MayLeave(const HeldTask& task, const LeftCheckpoint& checkpoint) {
  if (checkpoint.number == 0) return false;
  return checkpoint.items <= task.items_durable ||
         KANTOKU_PLANTED("checkpoint leaves before its items");
}

bool Ledger::FillCheckpoints(InputsRequest& request) {
  while (!checkpoints_.empty() && MayAddCheckpoint(request)) {
    const HeldTaskPtr task = std::move(checkpoints_.front());
    checkpoints_.pop_front();
    task->checkpoint_pending = false;
    if (task->dropped || task->phase != Phase::kRunning) continue;
    task->checkpoint_sent = true;
    AddCheckpoint(*task, task->next_checkpoint, request);
  }
  return request.checkpoints_size() > 0;
}

bool Ledger::MayAddCheckpoint(const InputsRequest& request) const {
  return request.checkpoints_size() < kMaxCheckpoints && checkpoint_bytes_ < kMostCheckpointBytes;
}

bool Ledger::AddLastCheckpoint(HeldTask& task, InputsRequest& request) {
  const LeftCheckpoint* last = nullptr;
  if (MayLeave(task, task.newest_checkpoint)) {
    last = &task.newest_checkpoint;
  } else if (!task.checkpoint_sent && MayLeave(task, task.next_checkpoint)) {
    last = &task.next_checkpoint;
  }
  if (last == nullptr) return true;
  if (!MayAddCheckpoint(request)) return false;
  AddCheckpoint(task, *last, request);
  return true;
}

void Ledger::AddCheckpoint(HeldTask& task, const LeftCheckpoint& left, InputsRequest& request) {
  if (!std::exchange(task.start_reported, true)) Name(task.key, *request.add_started());
  inputspb::Checkpoint& checkpoint = *request.add_checkpoints();
  Name(task.key, checkpoint);
  checkpoint.set_number(left.number);
  checkpoint.set_data(left.data);
  checkpoint_bytes_ += left.data.size();
}

}  // namespace kantoku::executor
