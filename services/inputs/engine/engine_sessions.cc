#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Sessions: opening, resuming, losing.
namespace kantoku::inputs {

using platform::Now;

namespace {

constexpr absl::Duration kLongestEscalation = absl::Hours(1);

}  // namespace

absl::StatusOr<std::vector<HeldVerdict>> Engine::OpenSession(const OpenSessionCommand& command,
                                                             const Now& now, Effects& effects) {
  Advance(now);
  const platform::Block* const block =
      blocks_.Find(command.caller, command.name, command.token_issued);
  if (block != nullptr) {
    for (const HeldDispatch& held : command.held) {  // A receipt is good whoever shows it.
      if (held.finished) Finished(held.task, held.dispatch, now, effects);
    }
    // One of before a restart had no name to be found by.
    Session* const known = sessions_.Find(command.session);
    const bool own = known != nullptr && known->caller == command.caller &&
                     names_.at(known->name_space) == command.name_space;
    if (own) Expel(*known, platform::RefusalOf(*block), now, effects);
    return platform::RefusalOf(*block);
  }
  KANTOKU_RETURN_IF_ERROR(CheckTypes(command.name_space, command.types));
  const uint32_t name_space = names_.Intern(std::string(command.name_space));
  Session* session = sessions_.Find(command.session);
  if (session == nullptr) {
    session = &sessions_.Add(command.session);
    session->caller = command.caller;
    session->name_space = name_space;
    names_.Use(name_space);
    effects.sessions.push_back({session->number, SessionRecord{command.session, command.caller,
                                                               std::string(command.name_space)}});
  } else if (session->caller != command.caller || session->name_space != name_space) {
    return platform::Error(absl::StatusCode::kPermissionDenied, "FOREIGN_SESSION",
                           "hello.session_id: belongs to another caller or namespace");
  } else if (command.order != 0 && command.order <= session->order) {
    // It was under way when the executor had given it up.
    return platform::Error(absl::StatusCode::kAborted, "STALE_CONNECTION",
                           "hello.connection: a later connection of the session was there before");
  }
  if (session->connection != 0) {
    effects.closes.push_back(
        {session->connection, platform::Error(absl::StatusCode::kAborted, "SUPERSEDED",
                                              "the session is connected elsewhere")});
  }
  if (session->wake_position != 0) session_alarms_.Remove(session->number);
  sessions_.Connect(*session, command.connection);
  session->order = command.order;
  session->paused = false;
  session->leaving = false;
  const bool keeps = KANTOKU_PLANTED("labels of an earlier hello kept") && !session->name.empty();
  session->name = command.name;
  session->types.assign(command.types.begin(), command.types.end());
  if (!keeps) session->labels = command.labels;
  session->version = command.version;
  session->token_issued = command.token_issued;
  session->connected_at = now.wall;
  SaySession(EventType::kExecutorConnected, *session, effects);

  std::vector<HeldVerdict> verdicts = Resume(*session, command.held, now, effects);

  matcher_.Attach(session->number, command.name_space, session->types, session->labels);
  SetCredit(command.connection, command.max_held);
  return verdicts;
}

// What the executor presents goes on; what it omits, or calls done without a proof, is taken back
// at once.
std::vector<HeldVerdict> Engine::Resume(Session& session, std::span<const HeldDispatch> held,
                                        const Now& now, Effects& effects) {
  std::vector<HeldVerdict> verdicts;
  absl::flat_hash_set<TaskIndex> kept;
  for (const HeldDispatch& dispatch : held) {
    if (dispatch.finished) {
      Finished(dispatch.task, dispatch.dispatch, now, effects);
      verdicts.push_back(HeldVerdict::kFinished);
      continue;
    }
    const auto index = FindHeld(session.connection, dispatch.task, dispatch.dispatch);
    verdicts.push_back(!index.ok()          ? HeldVerdict::kNotHeld
                       : dispatch.disproved ? HeldVerdict::kDisproved
                                            : HeldVerdict::kKept);
    if (verdicts.back() != HeldVerdict::kKept) continue;
    kept.insert(*index);
    GoOn(*index, dispatch, now, effects);
  }
  for (TaskIndex next, index = session.first_held; index != kNoTask; index = next) {
    next = tasks_.at(index).next_held;
    if (KANTOKU_PLANTED("what hello omits is kept")) continue;
    if (!kept.contains(index)) TakeBack(index, /*lost=*/false, now, effects);
  }
  return verdicts;
}

void Engine::GoOn(TaskIndex index, const HeldDispatch& held, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (held.started) {
    Begin(index, now, effects);
  } else {
    HearOf(task);
    // It expired while nobody knew whether it had begun: it is taken back at once.
    if (HasExpired(task) && !task.cancel_requested) return SetAlarm(index, now.steady);
  }
  if (task.state == TaskState::kPaused)
    task.state = TaskState::kPausing;  // Until it says so again.
  if (!task.cancel_requested) {
    SetHandlerAlarm(index, now);
  } else if (task.wake_position == 0) {
    // After a restart: by the wall clock of before, which may have been ahead.
    const absl::Duration left =
        task.wake == 0 ? options_.cancel_timeout : absl::FromUnixNanos(task.wake) - now.wall;
    SetAlarm(index, now.steady + std::clamp(left, absl::ZeroDuration(), kLongestEscalation));
  }
  // It was resumed and has not heard of it.
  const bool held_back = held.paused && !task.pause_requested && !task.cancel_requested;
  if (held_back && task.state != TaskState::kResuming) {
    task.state = TaskState::kResuming;
    NoteWait(task);
    TellNext(index, HandlerAction::kResume, effects);
  } else {
    Retell(index, effects);
  }
}

void Engine::SetCredit(ConnectionId connection, uint32_t max_held) {
  Session* session = sessions_.FindConnection(connection);
  if (session == nullptr) return;
  if (KANTOKU_PLANTED("credit brings back who is to leave")) session->leaving = false;
  session->max_held = std::min(max_held, options_.max_session_credit);
  matcher_.SetRoom(session->number, session->room());
}

void Engine::SetPaused(ConnectionId connection, bool paused) {
  Session* session = sessions_.FindConnection(connection);
  if (session == nullptr) return;
  session->paused = paused;
  matcher_.SetRoom(session->number, session->room());
}

bool Engine::HasBegun(ConnectionId connection) const {
  const Session* session = sessions_.FindConnection(connection);
  return session != nullptr && session->begun > 0;
}

void Engine::CloseConnection(ConnectionId connection, const Now& now, Effects& effects) {
  Advance(now);
  Session* session = sessions_.FindConnection(connection);
  if (session == nullptr) return;
  sessions_.Connect(*session, 0);
  matcher_.Detach(session->number);
  SaySession(EventType::kExecutorDisconnected, *session, effects);
  if (session->held == 0) {
    EndSession(session->number, /*lost=*/false, now, effects);
  } else {
    session_alarms_.Push(absl::ToInt64Nanoseconds(now.steady + options_.grace), session->number);
  }
}

void Engine::RefuseConnection(ConnectionId connection, const absl::Status& why, const Now& now,
                              Effects& effects) {
  Advance(now);
  Session* const session = sessions_.FindConnection(connection);
  if (session != nullptr) Expel(*session, why, now, effects);
}

void Engine::EndSession(SessionNumber number, bool lost, const Now& now, Effects& effects) {
  Session& session = sessions_.at(number);
  if (session.wake_position != 0) session_alarms_.Remove(number);
  if (lost) SaySession(EventType::kExecutorLost, session, effects);
  while (session.first_held != kNoTask) TakeBack(session.first_held, lost, now, effects);
  names_.Leave(session.name_space);
  sessions_.Erase(number);
  effects.sessions.push_back({number, std::nullopt});
}

void Engine::Disproved(ConnectionId connection, const TaskId& id, uint32_t dispatch, const Now& now,
                       Effects& effects) {
  Advance(now);
  const auto index = FindHeld(connection, id, dispatch);
  if (index.ok()) GiveUp(*index, "INVALID_RECEIPT", now, effects);
}

void Engine::Unsent(const TaskId& id, uint32_t dispatch, const Now& now, Effects& effects) {
  Advance(now);
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask) return;
  const Task& task = tasks_.at(index);
  if (task.session != 0 && task.dispatch == dispatch) GiveUp(index, "UNREADABLE", now, effects);
}

// A dispatch that leads to nothing, through no fault of the handler's.
void Engine::GiveUp(TaskIndex index, std::string_view reason, const Now& now, Effects& effects) {
  const Task& task = tasks_.at(index);
  Release(index, effects);
  if (task.cancel_requested) {
    Settle(index, TaskState::kCancelled, StoppedBecause(task, ""), effects);
  } else {
    Return(index, reason, now, effects);
  }
}

}  // namespace kantoku::inputs
