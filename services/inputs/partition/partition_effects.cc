#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/provenance_proto.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/log/log.h"
#include "services/platform/planted.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

// What the engine wants done: records into the batch, messages to where they go.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;
using platform::Transaction;

namespace {

// Lines that wait for others are committed after this long at the latest.
constexpr absl::Duration kEventPatience = absl::Milliseconds(50);
// What tasks have waited for is told as often as this.
constexpr absl::Duration kWaitsInterval = absl::Seconds(5);
// Numbers of lines are reserved ahead in blocks, so that the mark is rarely written.
constexpr uint64_t kOutboxBlock = 10'000;

outputs::v1::FenceItem ToProto(const FenceMessage& message) {
  outputs::v1::FenceItem item;
  item.set_task_id(std::string(message.task.bytes()));
  item.set_dispatch(message.dispatch);
  item.set_namespace_(std::string(message.name_space));
  item.set_owner(std::string(message.owner));
  if (message.settlement.has_value()) {
    auto& settlement = *item.mutable_settlement();
    settlement.set_status(message.settlement->end == TaskState::kCancelled
                              ? outputs::v1::RESULT_STATUS_CANCELLED
                              : outputs::v1::RESULT_STATUS_FAILED);
    settlement.mutable_error()->set_reason(message.settlement->failure.reason);
    settlement.mutable_error()->set_message(message.settlement->failure.message);
    settlement.mutable_retention()->set_seconds(message.settlement->retention_s);
  }
  return item;
}

void SetControl(const HandlerMessage& message, v1::HandlerControl& control) {
  control.set_task_id(std::string(message.task.bytes()));
  control.set_dispatch(message.dispatch);
  control.set_action(static_cast<v1::HandlerAction>(message.action));
  control.set_reason(std::string(message.reason));
  control.set_number(message.number);
}

}  // namespace

void Partition::FinishGroup(Transaction& transaction) {
  now_ = transaction.now();
  engine_.FinishGroup(now_, effects_);
  WriteRecords(transaction.batch());
  WriteCheckpoints(transaction);
  WriteEvents(transaction);
  TrimOutbox(transaction.batch());
  Deliver(transaction);
  CloseDrained(transaction);
  ForgetErased(transaction);
  effects_.Clear();
  TellWaits();
  engine_.FreeUnused();
}

void Partition::TellWaits() {
  if (!options_.on_waits) return;
  const bool waiting = engine_.pending() > 0;
  counting_ = counting_ || waiting;
  if (now_.steady < next_waits_) return;
  options_.on_waits(engine_.WaitsByType(now_));
  next_waits_ = now_.steady + kWaitsInterval;
  counting_ = waiting;
}

absl::Duration Partition::NextWake() const {
  if (!recovered_) return absl::InfiniteDuration();
  const absl::Duration drained = channels_.empty() ? absl::InfiniteDuration() : drained_by_;
  return std::min({engine_.NextWake(now_), oldest_event_ + kEventPatience, drained,
                   checkpoints_.next_time(), counting_ ? next_waits_ : absl::InfiniteDuration()});
}

// ---- Records ----

template <typename Record>
void Partition::WriteChanges(RecordKind kind, const std::vector<Change<Record>>& changes,
                             platform::WriteBatch& batch) {
  for (const auto& change : changes) {
    if (!change.record.has_value()) {
      batch.Erase(ToKind(kind), change.key);
      continue;
    }
    scratch_.clear();
    Encode(*change.record, scratch_);
    batch.Put(ToKind(kind), change.key, scratch_);
  }
}

void Partition::WriteRecords(platform::WriteBatch& batch) {
  for (const TaskKey task : effects_.erased_specs) batch.Erase(ToKind(RecordKind::kSpec), task);
  WriteChanges(RecordKind::kState, effects_.states, batch);
  WriteChanges(RecordKind::kGroup, effects_.groups, batch);
  WriteChanges(RecordKind::kSession, effects_.sessions, batch);
  WriteChanges(RecordKind::kReference, effects_.references, batch);
  WriteChanges(RecordKind::kRequest, effects_.requests, batch);
  WriteChanges(RecordKind::kTree, effects_.trees, batch);
  WriteChanges(RecordKind::kEndedDependency, effects_.ended_dependencies, batch);
  WriteChanges(RecordKind::kObject, effects_.routes, batch);
  WriteChanges(RecordKind::kObject, effects_.blocks, batch);
  WriteChanges(RecordKind::kAdmission, effects_.limits, batch);
  WriteChanges(RecordKind::kAdmission, effects_.pauses, batch);
  WriteChanges(RecordKind::kRestart, effects_.restarts, batch);
  WriteChanges(RecordKind::kInfo, effects_.infos, batch);
  WriteChanges(RecordKind::kReuse, effects_.reuses, batch);
  WriteChanges(RecordKind::kHighWater, effects_.high_water, batch);
  WriteChanges(RecordKind::kHistory, effects_.history, batch);
  WriteChanges(RecordKind::kDead, effects_.dead, batch);
  // Tasks that ended without ever having been dispatched; and what a next dispatch would have begun
  // with, which somebody who spawns the task anew does not want.
  for (const auto& row : effects_.dead) {
    if (!row.record.has_value()) continue;
    for (const TaskView& task : *row.record) {
      payloads_.Take(task.id.key());
      checkpoints_.Forget(task.id.key(), batch);
    }
  }
  RememberRows(RecordKind::kHistory, effects_.history);
  RememberRows(RecordKind::kDead, effects_.dead);
}

// Takes the rows, which are encoded by now. At most two groups are under way, so a row that is no
// longer among the last few is durable.
void Partition::RememberRows(RecordKind kind, std::vector<Change<std::vector<TaskView>>>& changes) {
  constexpr size_t kRecentRows = 8;
  for (auto& change : changes) {
    if (!change.record.has_value()) continue;
    recent_rows_.push_back({kind, change.key,
                            std::make_shared<const std::vector<TaskView>>(
                                *std::exchange(change.record, std::nullopt))});
    if (recent_rows_.size() > kRecentRows) recent_rows_.pop_front();
  }
}

void Partition::WriteEvents(Transaction& transaction) {
  const bool silent = effects_.events.empty() && notes_.empty() && packer_.empty();
  if (events_ == nullptr || silent) return;
  const bool urgent =
      !notes_.empty() || std::ranges::any_of(effects_.events, [](const EventMessage& event) {
        return !EventPacker::MayWait(event.type);
      });
  // What was asked for, then what comes of it.
  for (const AuditNote& note : std::exchange(notes_, {})) packer_.Add(note, now_.wall);
  packer_.Add(effects_.events, now_.wall);
  oldest_event_ = std::min(oldest_event_, now_.steady);
  const bool waited_enough = now_.steady >= oldest_event_ + kEventPatience;
  if (!urgent && transaction.batch().empty() && !waited_enough) return;

  oldest_event_ = absl::InfiniteDuration();
  while (!packer_.empty()) WriteLine(transaction);
}

void Partition::WriteLine(Transaction& transaction) {
  const uint64_t number = next_outbox_++;
  if (number >= reserved_outbox_) {
    reserved_outbox_ = number + kOutboxBlock;
    scratch_.clear();
    Encode(reserved_outbox_, scratch_);
    transaction.batch().Put(ToKind(RecordKind::kMeta), static_cast<uint64_t>(MetaKey::kNextOutbox),
                            scratch_);
  }
  std::string line = packer_.TakeLine(std::exchange(last_outbox_, number));
  transaction.batch().Put(ToKind(RecordKind::kOutbox), number, line);
  outbox_.emplace_back(number, line.size());
  outbox_bytes_ += line.size();
  transaction.OnDurable(
      [this, number, line = std::move(line)]() mutable { events_->Send(number, std::move(line)); });
}

// What Events has confirmed goes with the next commit, but is no cause for one. While Events is
// away its lines are kept up to a bound; then the oldest leave.
void Partition::TrimOutbox(platform::WriteBatch& batch) {
  while (outbox_bytes_ > options_.max_event_backlog_bytes && outbox_.size() > 1) {
    confirmed_outbox_ = outbox_.front().first;
    outbox_bytes_ -= outbox_.front().second;
    outbox_.pop_front();
  }
  if (KANTOKU_PLANTED("outbox trimmed before delivery")) confirmed_outbox_ = last_outbox_;
  if (confirmed_outbox_ == 0 || batch.empty()) return;
  batch.EraseRange(ToKind(RecordKind::kOutbox), 0, confirmed_outbox_);
  confirmed_outbox_ = 0;
}

// ---- Messages ----

std::string Partition::SealLeaseFor(const DispatchMessage& message, absl::Time wall) const {
  return platform::SealLease(keys_, {.task = message.task,
                                     .dispatch = message.dispatch,
                                     .session = message.session,
                                     .holder = message.holder,
                                     .name_space = std::string(message.name_space),
                                     .owner = std::string(message.owner),
                                     .expires = wall + options_.lease_lifetime,
                                     .retention = absl::Seconds(message.retention_s),
                                     .spawn_scope = message.provenance.spawn_scope});
}

void Partition::Compose(const DispatchMessage& message, absl::Time wall,
                        v1::Dispatch& dispatch) const {
  dispatch.mutable_task_id()->assign(message.task.bytes());
  dispatch.set_dispatch(message.dispatch);
  dispatch.set_attempt(message.attempt);
  dispatch.mutable_type()->assign(message.type);
  if (message.timeout_ms != kNoTimeout) {
    *dispatch.mutable_timeout() = platform::ToProto(absl::Milliseconds(message.timeout_ms));
  }
  dispatch.mutable_lease_token()->assign(SealLeaseFor(message, wall));
  dispatch.set_confirm_start(message.confirm_start);
  if (!message.root.empty()) dispatch.mutable_root_id()->assign(message.root.bytes());
  dispatch.set_pause(message.pause);
  if (message.info != nullptr) dispatch.mutable_context_id()->assign(message.info->context);
  SetProvenance(message.owner, !message.root.empty() && message.root != message.task,
                message.provenance, *dispatch.mutable_provenance());
}

Partition::Frame& Partition::FrameOf(ConnectionId connection) {
  const auto found = frames_.find(connection);
  if (found != frames_.end()) return found->second;
  return frames_.emplace(connection, Frame{.message = spare_frames_.Take()}).first->second;
}

void Partition::SendFrame(Frame frame, SessionChannel& channel) {
  channel.Send(*frame.message);
  spare_frames_.GiveBack(std::move(frame.message), frame.bytes);
}

void Partition::Deliver(Transaction& transaction) {
  std::vector<Unsent> without_payload;
  for (const DispatchMessage& message : effects_.dispatches) {
    const auto payload = payloads_.Take(message.task.key());
    // What the arguments are, its record says.
    const bool in_store =
        !payload.has_value() || message.arguments || checkpoints_.Has(message.task.key());
    if (in_store || !HasRoom(message.connection)) {
      without_payload.push_back({message.connection, message.task, message.dispatch});
      continue;
    }
    AddTask(message, payload->content_type, payload->payload, /*checkpoint=*/"",
            /*dependencies=*/{}, now_.wall);
  }
  for (const DispatchMessage& message : effects_.renewals) {
    v1::LeaseRenewal& renewal = *FrameFor(message.connection).add_renewals();
    renewal.set_task_id(std::string(message.task.bytes()));
    renewal.set_dispatch(message.dispatch);
    renewal.set_lease_token(SealLeaseFor(message, now_.wall));
  }
  for (const StartMessage& message : effects_.starts) {
    v1::StartConfirmed& start = *FrameFor(message.connection).add_starts_confirmed();
    start.set_task_id(std::string(message.task.bytes()));
    start.set_dispatch(message.dispatch);
  }
  for (const HandlerMessage& message : effects_.controls) {
    SetControl(message, *FrameFor(message.connection).add_controls());
  }
  for (const ExecutorMessage& message : effects_.executor_controls) {
    v1::ExecutorControl& control = *FrameFor(message.connection).mutable_executor_control();
    control.set_verb(static_cast<v1::ExecutorVerb>(message.verb));
    *control.mutable_delay() = platform::ToProto(message.delay);
  }
  for (const CloseMessage& message : effects_.closes) {
    const auto channel = channels_.find(message.connection);
    if (channel == channels_.end()) continue;
    channel->second->Close(message.why);
    channels_.erase(channel);
  }
  if (!effects_.fences.empty()) {
    std::vector<outputs::v1::FenceItem> items;
    items.reserve(effects_.fences.size());
    for (const FenceMessage& message : effects_.fences) items.push_back(ToProto(message));
    transaction.OnDurable(
        [this, items = std::move(items)]() mutable { outputs_->Ask(std::move(items)); });
  }
  if (!frames_.empty()) {
    std::vector<std::pair<std::shared_ptr<SessionChannel>, Frame>> frames;
    frames.reserve(frames_.size());
    for (auto& [connection, frame] : frames_) {
      const auto channel = channels_.find(connection);
      if (channel != channels_.end()) frames.emplace_back(channel->second, std::move(frame));
    }
    frames_.clear();
    transaction.OnDurable([this, frames = std::move(frames)]() mutable {
      for (auto& [channel, frame] : frames) SendFrame(std::move(frame), *channel);
    });
  }
  if (!without_payload.empty()) {
    transaction.OnDurable([this, dispatches = std::move(without_payload)]() mutable {
      (void)PostUrgent([this, dispatches = std::move(dispatches)](Transaction& later) {
        FetchAndSend(dispatches, later.now());
      });
    });
  }
}

void Partition::CloseDrained(Transaction& transaction) {
  if (!draining_ || drained_by_ == absl::InfiniteDuration()) return;
  std::vector<std::shared_ptr<SessionChannel>> drained;
  for (auto entry = channels_.begin(); entry != channels_.end();) {
    const auto connection = entry++;
    if (now_.steady < drained_by_ && engine_.HasBegun(connection->first)) continue;
    drained.push_back(std::move(connection->second));
    channels_.erase(connection);
  }
  if (drained.empty()) return;
  transaction.OnDurable([drained = std::move(drained)] {
    for (const auto& channel : drained) channel->Close(Draining());
  });
}

void Partition::AddArguments(const DispatchMessage& message,
                             std::span<const Dependency> dependencies, absl::Time wall,
                             v1::Dispatch& dispatch) const {
  for (const Dependency& dependency : dependencies) {
    if (!dependency.argument) continue;
    v1::Argument& argument = *dispatch.add_arguments();
    argument.set_task_id(std::string(KANTOKU_PLANTED("argument taken from another task")
                                         ? dependencies.front().task.bytes()
                                         : dependency.task.bytes()));
    argument.set_read_grant(
        platform::SealReadGrant(keys_, {.task = dependency.task,
                                        .session = message.session,
                                        .holder = message.holder,
                                        .name_space = std::string(message.name_space),
                                        .owner = std::string(message.owner),
                                        .expires = wall + options_.lease_lifetime}));
  }
}

void Partition::AddTask(const DispatchMessage& message, std::string_view content_type,
                        std::string_view payload, std::string_view checkpoint,
                        std::span<const Dependency> dependencies, absl::Time wall) {
  Frame& frame = FrameOf(message.connection);
  v1::Dispatch& dispatch = *frame.message->add_tasks();
  Compose(message, wall, dispatch);
  AddArguments(message, dependencies, wall, dispatch);
  dispatch.mutable_content_type()->assign(content_type);
  dispatch.mutable_payload()->assign(payload);
  dispatch.mutable_checkpoint()->assign(checkpoint);
  const size_t bytes = WeightOf(dispatch);
  frame.bytes += bytes;
  const auto channel = channels_.find(message.connection);
  if (channel != channels_.end()) channel->second->Expect(bytes);
}

bool Partition::HasRoom(ConnectionId connection) const {
  const auto channel = channels_.find(connection);
  return channel == channels_.end() ||
         (!deferred_.contains(connection) &&
          channel->second->unsent_bytes() < options_.max_unsent_bytes);
}

void Partition::Defer(const Unsent& unsent) {
  std::vector<Unsent>& deferred = deferred_[unsent.connection];
  deferred.push_back(unsent);
  if (deferred.size() > 1) return;
  engine_.SetPaused(unsent.connection, true);
  // Not here: the channel may be drained by now, and call at once.
  channels_.at(unsent.connection)
      ->NotifyDrained(options_.max_unsent_bytes / 2, [this, connection = unsent.connection] {
        (void)PostUrgent([this, connection](Transaction& transaction) {
          SendDeferred(connection, transaction.now());
        });
      });
}

void Partition::SendDeferred(ConnectionId connection, const Now& now) {
  const auto found = deferred_.find(connection);
  if (found == deferred_.end()) return;
  const std::vector<Unsent> dispatches = std::move(found->second);
  deferred_.erase(found);
  FetchAndSend(dispatches, now);
  if (!deferred_.contains(connection)) engine_.SetPaused(connection, false);
}

void Partition::FetchAndSend(std::span<const Unsent> dispatches, const Now& now) {
  // Few at a time: nobody knows how large they are.
  constexpr size_t kMostRead = 64;
  while (!dispatches.empty()) {
    const size_t count = std::min(kMostRead, dispatches.size());
    FetchSome(dispatches.first(count), now);
    dispatches = dispatches.subspan(count);
  }
}

void Partition::FetchSome(std::span<const Unsent> dispatches, const Now& now) {
  // In an order of its own: what cannot be read goes back in it.
  absl::btree_map<TaskKey, DispatchMessage> wanted;
  for (const Unsent& unsent : dispatches) {
    // Meanwhile the executor may have gone, or the task been taken from it.
    auto lease = engine_.LeaseOf(unsent.task);
    if (!lease.has_value() || lease->dispatch != unsent.dispatch ||
        lease->connection != unsent.connection) {
      continue;
    }
    if (!HasRoom(unsent.connection)) {
      Defer(unsent);
      continue;
    }
    wanted[unsent.task.key()] = *std::move(lease);
  }
  std::vector<TaskKey> keys;
  keys.reserve(wanted.size());
  for (const auto& [key, message] : wanted) keys.push_back(key);
  const auto checkpoints = ReadCheckpoints(keys);
  absl::Status status = checkpoints.status();
  if (status.ok()) {
    status =
        store_->Read({ToKind(RecordKind::kSpec), keys}, [&](TaskKey key, std::string_view bytes) {
          const auto record = DecodeSpec(bytes);
          const auto found = wanted.find(key);
          if (!record.ok() || record->id != found->second.task) return;
          const auto checkpoint = checkpoints->find(key);
          const bool has_one = checkpoint != checkpoints->end();
          if (checkpoints_.Has(key) && !has_one) return;
          SendFetched(found->second, *record, has_one ? checkpoint->second : "", now.wall);
          wanted.erase(found);
        });
  }
  if (wanted.empty()) return;
  if (status.ok()) {
    status = Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                   absl::StrCat("no sound record of ", wanted.begin()->second.task.ToString()));
  }
  platform::Log(platform::LogLevel::kError,
                "inputs: cannot read what dispatched tasks are to run; the tasks go back",
                {{"tasks", wanted.size()}, {"why", status}});
  for (const auto& [key, message] : wanted) {
    engine_.Unsent(message.task, message.dispatch, now, effects_);
  }
}

void Partition::SendFetched(const DispatchMessage& message, const StoredSpec& spec,
                            std::string_view checkpoint, absl::Time wall) {
  if (!HasRoom(message.connection)) {
    return Defer({message.connection, message.task, message.dispatch});
  }
  AddTask(message, spec.content_type, spec.payload, checkpoint, spec.spec.dependencies, wall);
  // What was said of it meanwhile came before the executor knew it.
  if (const auto control = engine_.StandingControl(message.task)) {
    SetControl(*control, *FrameFor(message.connection).add_controls());
  }
}

}  // namespace kantoku::inputs
