// The part of Ledger that tells Inputs.
#include <utility>

#include "services/executor-runtime/ledger.h"
#include "services/platform/planted.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;

// What one message may hold, well below the size at which a server refuses it.
constexpr int kMaxStarts = 20'000;
constexpr int kMaxAcks = 20'000;
constexpr int kMaxNacks = 1'000;
constexpr int kMaxProgress = 1'000;
constexpr int kMaxStates = 1'000;

bool IsFailure(int kind) {
  return kind == inputspb::NACK_KIND_FAILED || kind == inputspb::NACK_KIND_FAILED_FINALLY;
}

bool MayRunAgain(int kind) {
  return kind == inputspb::NACK_KIND_FAILED || kind == inputspb::NACK_KIND_RETURNED;
}

}  // namespace

void Ledger::FillHello(inputspb::Hello& hello) {
  presented_.clear();
  hello.mutable_credit()->set_max_held(draining_ ? 0 : max_held_);
  for (const HeldTaskPtr& task : InOrder()) {
    const DispatchKey& key = task->key;
    inputspb::Held& held = *hello.add_held();
    Name(key, held);
    held.set_started(task->has_begun);
    held.set_paused(task->paused || task->pause_wanted);
    if (task->phase == Phase::kAcking) held.set_receipt(task->receipt);
    presented_.push_back({key, task->has_begun});
  }
}

bool Ledger::OnWelcome(inputspb::Welcome& welcome) {
  if (welcome.held_size() != static_cast<int>(presented_.size())) return false;
  for (size_t i = 0; i < presented_.size(); ++i) {
    const auto found = tasks_.find(presented_[i].key);
    if (found == tasks_.end()) continue;
    const HeldTaskPtr task = found->second;
    inputspb::HeldStatus& answer = *welcome.mutable_held(static_cast<int>(i));
    if (answer.status().code() != 0 || answer.confirmed()) {
      Drop(task);
      continue;
    }
    task->start_reported = presented_[i].started;
    if (!answer.lease_token().empty()) task->lease_token.swap(*answer.mutable_lease_token());
  }
  PresentAgain();
  return true;
}

// What was said on a lost connection may not have been heard.
void Ledger::PresentAgain() {
  starts_.clear();
  checkpoints_.clear();
  acks_.clear();
  nacks_.clear();
  for (const HeldTaskPtr& task : std::exchange(states_, {})) task->state_pending = false;
  for (const HeldTaskPtr& task : InOrder()) {
    task->checkpoint_pending = false;
    task->checkpoint_sent = false;
    SendCheckpoint(task);
    if (task->phase == Phase::kAcking) acks_.push_back(task);
    if (task->phase == Phase::kReturning) nacks_.push_back(task);
    const bool starts = task->has_begun || task->phase == Phase::kStarting;
    if (IsWork(task->phase) && starts && !task->start_reported) starts_.push_back(task);
  }
  // Drain may have begun between hello and now.
  credit_pending_ = draining_;
}

bool Ledger::FillReports(InputsRequest& request) {
  bool any = std::exchange(credit_pending_, false);
  if (any) request.mutable_credit()->set_max_held(draining_ ? 0 : max_held_);
  checkpoint_bytes_ = 0;
  any |= FillStarts(request);
  any |= FillCheckpoints(request);
  any |= FillAcks(request);
  any |= FillNacks(request);
  any |= FillProgress(request);
  any |= FillStates(request);
  return any;
}

bool Ledger::FillStarts(InputsRequest& request) {
  while (!starts_.empty() && request.started_size() < kMaxStarts) {
    const HeldTaskPtr task = std::move(starts_.front());
    starts_.pop_front();
    if (task->dropped || !IsWork(task->phase) || task->start_reported) continue;
    task->start_reported = true;
    Name(task->key, *request.add_started());
  }
  return request.started_size() > 0;
}

bool Ledger::FillAcks(InputsRequest& request) {
  while (!acks_.empty() && request.acks_size() < kMaxAcks) {
    const HeldTaskPtr task = std::move(acks_.front());
    acks_.pop_front();
    if (task->dropped) continue;
    inputspb::Ack& ack = *request.add_acks();
    Name(task->key, ack);
    ack.set_receipt(task->receipt);
  }
  return request.acks_size() > 0;
}

bool Ledger::FillNacks(InputsRequest& request) {
  while (!nacks_.empty() && request.nacks_size() < kMaxNacks) {
    const HeldTaskPtr task = std::move(nacks_.front());
    nacks_.pop_front();
    if (task->dropped) continue;
    const HandBack& how = task->hand_back;
    // What it left is read before what it returned.
    if (MayRunAgain(how.kind) && !AddLastCheckpoint(*task, request)) {
      nacks_.push_front(task);
      break;
    }
    // A failure costs an attempt only when the handler is known to have begun.
    if (IsFailure(how.kind) && task->has_begun && !task->start_reported) {
      Name(task->key, *request.add_started());
    }
    task->start_reported = task->has_begun;
    inputspb::Nack& nack = *request.add_nacks();
    Name(task->key, nack);
    nack.set_kind(static_cast<inputspb::NackKind>(how.kind));
    nack.mutable_error()->set_reason(how.reason);
    nack.mutable_error()->set_message(how.message);
  }
  return request.nacks_size() > 0;
}

bool Ledger::FillProgress(InputsRequest& request) {
  while (!progress_.empty() && request.progress_size() < kMaxProgress) {
    const HeldTaskPtr task = std::move(progress_.front());
    progress_.pop_front();
    task->progress_pending = false;
    if (task->dropped || task->phase != Phase::kRunning) continue;
    if (!std::exchange(task->start_reported, true)) Name(task->key, *request.add_started());
    inputspb::Progress& progress = *request.add_progress();
    Name(task->key, progress);
    progress.set_fraction(task->progress);
    progress.set_message(task->progress_message);
  }
  return request.progress_size() > 0;
}

bool Ledger::FillStates(InputsRequest& request) {
  while (!states_.empty() && request.handler_states_size() < kMaxStates) {
    const HeldTaskPtr task = std::move(states_.front());
    states_.pop_front();
    task->state_pending = false;
    if (task->dropped || !IsWork(task->phase) || task->phase == Phase::kPutting) continue;
    if (task->has_begun && !std::exchange(task->start_reported, true)) {
      Name(task->key, *request.add_started());
    }
    inputspb::HandlerStatus& status = *request.add_handler_states();
    Name(task->key, status);
    status.set_number(task->control_number);
    const bool paused =
        task->paused || (task->pause_wanted && KANTOKU_PLANTED("pause said before its point"));
    status.set_state(paused ? inputspb::HANDLER_STATE_PAUSED : inputspb::HANDLER_STATE_RUNNING);
  }
  return request.handler_states_size() > 0;
}

}  // namespace kantoku::executor
