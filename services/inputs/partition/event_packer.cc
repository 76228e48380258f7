#include "services/inputs/partition/event_packer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/task_filter.h"
#include "services/platform/check.h"
#include "services/platform/proto_time.h"

namespace kantoku::inputs {

using events::v1::EventRun;

std::string_view NameOf(EventType type) {
  switch (type) {
    case EventType::kTaskCreated:
      return "task.created";
    case EventType::kTaskReceived:
      return "task.received";
    case EventType::kTaskStarted:
      return "task.started";
    case EventType::kTaskProgress:
      return "task.progress";
    case EventType::kTaskRetried:
      return "task.retried";
    case EventType::kTaskReturned:
      return "task.returned";
    case EventType::kTaskCancelling:
      return "task.cancelling";
    case EventType::kTaskFinished:
      return "task.finished";
    case EventType::kTaskInterrupting:
      return "task.interrupting";
    case EventType::kTaskPausing:
      return "task.pausing";
    case EventType::kTaskPaused:
      return "task.paused";
    case EventType::kTaskResuming:
      return "task.resuming";
    case EventType::kTaskResumed:
      return "task.resumed";
    case EventType::kExecutorConnected:
      return "executor.connected";
    case EventType::kExecutorDisconnected:
      return "executor.disconnected";
    case EventType::kExecutorLost:
      return "executor.lost";
  }
  KANTOKU_CHECK(false);
}

std::string_view NameOf(TaskState state) { return WordOf(state); }

bool EventPacker::MayWait(EventType type) {
  return type == EventType::kTaskStarted || type == EventType::kTaskProgress;
}

void EventPacker::Add(std::span<const EventMessage> events, absl::Time at) {
  for (const EventMessage& event : events) {
    if (bytes_ >= kMaxLineBytes) EndLine();
    if (IsPlain(event)) {
      AddTask(event.task, event.dispatch, RunOfPlain(event, at));
    } else {
      CloseRuns();
      EventRun& run = Begin(event, at);
      if (!event.task.empty()) AddTask(event.task, event.dispatch, run);
    }
  }
}

bool EventPacker::IsPlain(const EventMessage& event) {
  return !event.task.empty() && event.failure.empty() && event.progress < 0 && event.skipped == 0;
}

EventPacker::Peers EventPacker::PeersOf(const EventMessage& event) {
  return {.name_space = event.name_space,
          .owner = event.owner,
          .task_type = event.task_type,
          .session = event.session.empty() ? std::string_view() : event.session.bytes()};
}

EventPacker::Peers EventPacker::PeersOf(const EventRun& run) {
  return {.name_space = run.namespace_(),
          .owner = run.owner(),
          .task_type = run.task_type(),
          .session = run.session_id()};
}

// Most events join the run that the one before did.
EventRun& EventPacker::RunOfPlain(const EventMessage& event, absl::Time at) {
  const Kind kind = {.type = event.type, .state = event.state, .at = at};
  if (kind_ != kind) {
    CloseRuns();
    kind_ = kind;
  }
  const Peers peers = PeersOf(event);
  if (latest_ != nullptr && PeersOf(*latest_) == peers) return *latest_;
  const auto open = open_.find(peers);
  if (open != open_.end()) return *(latest_ = open->second);
  latest_ = &Begin(event, at);
  open_.emplace(PeersOf(*latest_), latest_);  // Its own texts: those of the event go.
  return *latest_;
}

void EventPacker::CloseRuns() {
  kind_.reset();
  open_.clear();
  latest_ = nullptr;
}

void EventPacker::Add(const AuditNote& note, absl::Time at) {
  if (bytes_ >= kMaxLineBytes) EndLine();
  CloseRuns();
  const int runs = batch_.runs_size();
  EventRun& run = runs > 0 && Continues(batch_.runs(runs - 1), note, at)
                      ? *batch_.mutable_runs(runs - 1)
                      : Begin(note, at);
  if (!note.task.empty()) AddTask(note.task, 0, run);
}

void EventPacker::AddTask(const TaskId& task, uint32_t dispatch, EventRun& run) {
  constexpr size_t kMostOfATask = platform::Uuid::kSize + 5;  // Its id and its dispatch number.
  bytes_ += kMostOfATask;
  run.mutable_task_ids()->append(task.bytes());
  run.add_dispatches(dispatch);
}

bool EventPacker::Continues(const EventRun& run, const AuditNote& note, absl::Time at) const {
  if (note.task.empty() || run.task_ids().empty() || at != last_note_at_) return false;
  if (run.type() != note.type || run.task_type() != note.task_type || run.owner() != note.owner ||
      run.namespace_() != note.name_space || run.details().size() != note.details.size()) {
    return false;
  }
  return std::ranges::all_of(note.details, [&](const auto& detail) {
    const auto found = run.details().find(detail.first);
    return found != run.details().end() && found->second == detail.second;
  });
}

EventRun& EventPacker::Begin(const AuditNote& note, absl::Time at) {
  last_note_at_ = at;
  EventRun& run = *batch_.add_runs();
  run.set_type(std::string(note.type));
  *run.mutable_at() = platform::ToProto(at);
  run.set_namespace_(note.name_space);
  run.set_owner(note.owner);
  run.set_task_type(note.task_type);
  if (!note.session.empty()) run.set_session_id(std::string(note.session.bytes()));
  run.mutable_details()->insert(note.details.begin(), note.details.end());
  Count(run);
  return run;
}

// It has no tasks yet.
void EventPacker::Count(const EventRun& begun) {
  constexpr size_t kMostOfFraming = 20;  // Tags and lengths of the run, of its ids and dispatches.
  bytes_ += begun.ByteSizeLong() + kMostOfFraming;
}

EventRun& EventPacker::Begin(const EventMessage& event, absl::Time at) {
  EventRun& run = *batch_.add_runs();
  run.set_type(std::string(NameOf(event.type)));
  *run.mutable_at() = platform::ToProto(at);
  run.set_namespace_(std::string(event.name_space));
  run.set_owner(std::string(event.owner));
  run.set_task_type(std::string(event.task_type));
  if (!event.session.empty()) run.set_session_id(std::string(event.session.bytes()));
  auto& details = *run.mutable_details();
  if (event.state.has_value()) details["state"] = NameOf(*event.state);
  if (!event.failure.reason.empty()) details["reason"] = event.failure.reason;
  if (!event.failure.message.empty()) details["message"] = event.failure.message;
  if (event.progress >= 0) details["progress"] = absl::StrCat(event.progress);
  if (event.skipped > 0) details["skipped"] = absl::StrCat(event.skipped);
  Count(run);
  return run;
}

void EventPacker::EndLine() {
  if (batch_.runs().empty()) return;
  CloseRuns();
  full_.push_back(std::exchange(batch_, {}));
  bytes_ = 0;
}

std::string EventPacker::TakeLine(uint64_t previous) {
  if (full_.empty()) EndLine();
  full_.front().set_previous(previous);
  const size_t size = full_.front().ByteSizeLong();
  std::string line(size, '\0');
  google::protobuf::io::ArrayOutputStream array(line.data(), static_cast<int>(size));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);  // Details are a hash table.
  full_.front().SerializeWithCachedSizes(&stream);
  full_.pop_front();
  return line;
}

}  // namespace kantoku::inputs
