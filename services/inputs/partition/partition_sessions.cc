#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/status_proto.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

// Executors: their connections, and what their frames say.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;
using platform::PartitionRunner;
using platform::Transaction;

namespace {

void AddRefusal(v1::PullResponse& frame, std::string_view task, uint32_t dispatch,
                const absl::Status& status) {
  v1::Refused& refused = *frame.add_refused();
  refused.set_task_id(std::string(task));
  refused.set_dispatch(dispatch);
  SetStatus(status, *refused.mutable_status());
}

}  // namespace

absl::StatusOr<ConnectionId> Partition::Connect(std::shared_ptr<SessionChannel> channel) {
  if (draining_) return Draining();
  const ConnectionId connection = next_connection_.fetch_add(1);
  KANTOKU_RETURN_IF_ERROR(
      PostUrgent([this, connection, channel = std::move(channel)](Transaction&) mutable {
        channels_[connection] = std::move(channel);
      }));
  return connection;
}

absl::Status Partition::Receive(ConnectionId connection, SessionFrame frame) {
  const auto urgency =
      frame.IsPatient() ? PartitionRunner::Urgency::kPatient : PartitionRunner::Urgency::kUrgent;
  return Post([this, connection, frame = std::move(frame)](
                  Transaction& transaction) { ApplyFrame(connection, frame, transaction.now()); },
              urgency);
}

// After the end nobody waits for this and what follows.
void Partition::Disconnect(ConnectionId connection) {
  (void)PostUrgent([this, connection](Transaction& transaction) {
    channels_.erase(connection);
    deferred_.erase(connection);
    engine_.CloseConnection(connection, transaction.now(), effects_);
  });
}

void Partition::Refuse(ConnectionId connection, absl::Status why) {
  (void)PostUrgent([this, connection, why = std::move(why)](Transaction& transaction) {
    channels_.erase(connection);
    deferred_.erase(connection);
    engine_.RefuseConnection(connection, why, transaction.now(), effects_);
  });
}

void Partition::Drain(absl::Duration within) {
  // The rest is for what executors do next, such as to hand in results.
  const absl::Duration rest = std::min(absl::Seconds(2), within / 4);
  draining_ = true;
  (void)PostUrgent([this, within, rest](Transaction& transaction) {
    engine_.Drain();
    drained_by_ = transaction.now().steady + within - rest;
    for (const auto& [connection, channel] : channels_) {
      *FrameFor(connection).mutable_drain()->mutable_within() = platform::ToProto(within);
    }
  });
}

void Partition::ApplyFrame(ConnectionId connection, const SessionFrame& frame, const Now& now) {
  if (frame.hello.has_value()) ApplyHello(connection, *frame.hello, now);
  if (frame.credit.has_value()) engine_.SetCredit(connection, *frame.credit);
  const auto check = [&](const SessionFrame::Report& about, const absl::Status& status) {
    if (status.ok()) return;
    AddRefusal(FrameFor(connection), about.task.bytes(), about.dispatch, status);
  };
  const auto confirm = [&](const SessionFrame::Report& about) {
    v1::Settled& settled = *FrameFor(connection).add_confirmed();
    settled.mutable_task_id()->assign(about.task.bytes());
    settled.set_dispatch(about.dispatch);
  };
  for (const auto& report : frame.started) {
    check(report, engine_.Started(connection, report.task, report.dispatch, now, effects_));
  }
  // Before what ends the dispatch.
  for (const auto& checkpoint : frame.checkpoints) {
    check(checkpoint.about, ApplyCheckpoint(connection, checkpoint, now));
  }
  for (const auto& report : frame.finished) {
    engine_.Finished(report.task, report.dispatch, now, effects_);
    confirm(report);
  }
  for (const auto& report : frame.disproved) {
    engine_.Disproved(connection, report.task, report.dispatch, now, effects_);
  }
  for (const auto& nack : frame.nacks) {
    const absl::Status status = engine_.Nack(connection, nack, now, effects_);
    checkpoints_.Hurry(nack.task.key());
    check({nack.task, nack.dispatch}, status);
    if (status.ok()) confirm({nack.task, nack.dispatch});
  }
  for (const auto& progress : frame.progress) {
    check(progress.about, engine_.Progress(connection, progress.about.task, progress.about.dispatch,
                                           progress.fraction, progress.message, now, effects_));
  }
  for (const auto& status : frame.handler_states) {
    check({status.task, status.dispatch}, engine_.HandlerStatus(connection, status, now, effects_));
  }
  for (const auto& refusal : frame.refused) {
    AddRefusal(FrameFor(connection), refusal.task, refusal.dispatch, refusal.status);
  }
  const auto channel = channels_.find(connection);
  if (channel != channels_.end()) channel->second->OnApplied(frame.bytes);
}

void Partition::ApplyHello(ConnectionId connection, const SessionFrame::Hello& hello,
                           const Now& now) {
  const auto channel = channels_.find(connection);
  if (channel == channels_.end()) return;
  const auto verdicts = engine_.OpenSession({.session = hello.session,
                                             .caller = hello.caller,
                                             .name_space = hello.name_space,
                                             .name = hello.name,
                                             .types = hello.types,
                                             .labels = hello.labels,
                                             .version = hello.version,
                                             .held = hello.held,
                                             .max_held = hello.max_held,
                                             .order = hello.order,
                                             .connection = connection,
                                             .token_issued = hello.token_issued},
                                            now, effects_);
  if (!verdicts.ok()) {
    channel->second->Close(verdicts.status());
    channels_.erase(channel);
    return;
  }
  v1::Welcome& welcome = *FrameFor(connection).mutable_welcome();
  welcome.set_max_credit(options_.engine.max_session_credit);
  *welcome.mutable_ping_interval() = platform::ToProto(options_.ping_interval);
  *welcome.mutable_grace() = platform::ToProto(options_.engine.grace);
  for (size_t i = 0; i < verdicts->size(); ++i) {
    v1::HeldStatus& status = *welcome.add_held();
    const HeldDispatch& held = hello.held[i];
    switch ((*verdicts)[i]) {
      case HeldVerdict::kFinished:
        status.set_confirmed(true);
        break;
      case HeldVerdict::kNotHeld:
        SetStatus(Error(absl::StatusCode::kFailedPrecondition, "NOT_HELD",
                        absl::StrCat("dispatch ", held.dispatch, " of ", held.task.ToString(),
                                     " is no longer this session's")),
                  *status.mutable_status());
        break;
      case HeldVerdict::kDisproved:
        SetStatus(NotProven("hello.held.receipt", held.task, held.dispatch),
                  *status.mutable_status());
        break;
      case HeldVerdict::kKept:
        if (const auto message = engine_.LeaseOf(held.task)) {
          status.set_lease_token(SealLeaseFor(*message, now.wall));
        }
        break;
    }
  }
}

}  // namespace kantoku::inputs
