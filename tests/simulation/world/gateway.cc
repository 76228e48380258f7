#include "tests/simulation/world/gateway.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "services/inputs/frame_reader.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

using inputs::SessionFrame;

SessionId NewSession(Random& random) {
  std::array<uint8_t, platform::Uuid::kSize> bytes{};
  const std::array words = {random.Next(), random.Next()};
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(words[i / 8] >> (8 * (i % 8)));
  }
  return SessionId(platform::Uuid(bytes));
}

// ---- Connection ----

void Connection::Say(inputs::v1::PullRequest request) {
  if (!cut_ && !closed_) up_.push_back(std::move(request));
}

inputs::v1::PullResponse Connection::Hear() {
  inputs::v1::PullResponse frame = std::move(down_.front());
  down_.pop_front();
  for (const auto& task : frame.tasks()) unsent_ -= inputs::WeightOf(task);
  Drained();
  return frame;
}

void Connection::Cut(Random& random) {
  if (std::exchange(cut_, true)) return;
  up_.resize(random.Pick(up_.size() + 1));
  down_.resize(random.Pick(down_.size() + 1));
}

void Connection::NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) {
  drain_bytes_ = bytes;
  drained_ = std::move(drained);
  Drained();
  if (ended_) drained_ = nullptr;
}

void Connection::Drained() {
  if (drained_ == nullptr || unsent_ > drain_bytes_) return;
  std::exchange(drained_, nullptr)();
}

void Connection::Send(inputs::v1::PullResponse& frame) {
  model_.OnSent(frame);
  if (!cut_ && !closed_) down_.push_back(std::move(frame));
}

void Connection::Close(const absl::Status&) {
  closed_ = true;
  up_.clear();
}

// The partition may be gone when the executor hears the rest.
void Connection::End() {
  ended_ = true;
  drained_ = nullptr;
}

// ---- Gateway ----

std::shared_ptr<Connection> Gateway::Open(const platform::Caller& caller, const SessionId& session,
                                          bool foreign) {
  auto connection = std::make_shared<Connection>(model_, caller, session);
  if (foreign) contested_.insert(session);
  connections_.push_back({connection, foreign});
  return connection;
}

void Gateway::Read() {
  if (connections_.empty()) return;
  const size_t at = scene_.random.Pick(connections_.size());
  const Entry entry = connections_[at];
  Read(entry);
  if (entry.connection->ended_) {
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void Gateway::ReadAll() {
  for (const Entry& entry : std::vector<Entry>(connections_)) {
    while (!entry.connection->up_.empty()) Read(entry);
    Read(entry);
  }
  std::erase_if(connections_, [](const Entry& entry) { return entry.connection->ended_; });
}

void Gateway::AskToLeave(const platform::Caller& caller, const SessionId& session,
                         const std::string& name_space) {
  constexpr std::array kVerbs = {inputs::ExecutorVerb::kDrain, inputs::ExecutorVerb::kBounce,
                                 inputs::ExecutorVerb::kKick};
  constexpr std::array kDeeds = {Deed::kAskedToDrain, Deed::kAskedToBounce, Deed::kAskedToEnd};
  const uint64_t verb = scene_.random.Pick(kVerbs.size());
  scene_.coverage.Count(kDeeds[verb]);
  const auto refused = std::make_shared<bool>(false);
  server_.partition().ControlExecutors({.viewer = EyesOf(caller.subject),
                                        .name_space = name_space,
                                        .sessions = {session},
                                        .verb = kVerbs[verb],
                                        .delay = scene_.random.UpTo(absl::Seconds(20))},
                                       [refused](const auto& answer) { *refused = !answer.ok(); });
  if (*refused) return;  // At once: its store cannot write.
  // If it is not connected, it gets nothing in any case.
  server_.Mark([this, speaker = Speaker(session, caller.subject)] {
    if (model_.AskedToLeave(speaker)) scene_.CountStep();
  });
}

void Gateway::ServerLost() {
  for (const Entry& entry : connections_) {
    entry.connection->Cut(scene_.random);
    entry.connection->up_.clear();
    entry.connection->End();
  }
  connections_.clear();
  latest_.clear();
}

void Gateway::Read(const Entry& entry) {
  Connection& connection = *entry.connection;
  if (connection.up_.empty()) {
    if (!connection.cut_ && !connection.closed_) return;
    connection.End();
    if (connection.id_ == 0) return;
    server_.partition().Disconnect(connection.id_);
    server_.Mark([this, speaker = connection.speaker(), id = connection.id_] {
      model_.Disconnected(speaker, id);
    });
    return;
  }
  platform::Received<inputs::v1::PullRequest> received;
  received.message = std::move(connection.up_.front());
  connection.up_.pop_front();
  const bool first = connection.id_ == 0;
  if (first) {
    const platform::Caller& caller = connection.caller_;
    connection.labels_ = std::make_shared<const LabelMap>(
        LabelsOf(received.message.hello(), caller.subject, caller.client_id));
  }
  const auto frame = inputs::ReadFrame(
      received, platform::Administrator(connection.caller_.subject, connection.caller_.client_id),
      first, scene_.keys);
  if (!frame.ok()) return connection.Close(frame.status());
  if (first && frame->hello->order != 0) {
    // The engine refuses a late hello too, as long as it knows the session; here it is simply late.
    uint64_t& latest = latest_[frame->hello->session];
    if (frame->hello->order <= latest) return connection.Close(absl::AbortedError("late"));
    latest = frame->hello->order;
  }
  if (first) {
    const auto id = server_.partition().Connect(entry.connection);
    if (!id.ok()) return connection.Close(id.status());
    connection.id_ = *id;
  }
  if (received.message.has_ping() && !connection.cut_) {
    inputs::v1::PullResponse pong;
    pong.mutable_pong()->set_number(received.message.ping().number());
    connection.down_.push_back(std::move(pong));
  }
  Take(entry, *frame);
}

void Gateway::Take(const Entry& entry, const SessionFrame& frame) {
  if (frame.hello.has_value() && !entry.foreign) scene_.Did(Deed::kHello);
  if (frame.hello.has_value() && entry.foreign) scene_.coverage.Count(Deed::kForeignHello);
  if (frame.credit.has_value()) scene_.coverage.Count(Deed::kCredit);
  witness_.Around(
      Describe(*entry.connection, frame),
      [&] {
        MarkWhatCounts(entry, frame);
        (void)server_.partition().Receive(entry.connection->id_, frame);
      },
      [this, connection = entry.connection, hello = frame.hello.has_value()] {
        return StandingOf(*connection, hello);
      });
}

Witness::Standing Gateway::StandingOf(const Connection& connection, bool hello) const {
  if (!hello) {
    return model_.IsCurrent(connection.speaker(), connection.id_) ? Witness::Standing::kSpeaks
                                                                  : Witness::Standing::kStranger;
  }
  const SessionId& session = connection.session_;
  const auto caller = model_.CallerOf(session);
  // What is durable is not all there is.
  if (contested_.contains(session) && (!caller.has_value() || server_.runner().committing())) {
    return Witness::Standing::kUnknown;
  }
  return !caller.has_value() || *caller == connection.caller_.subject
             ? Witness::Standing::kSpeaks
             : Witness::Standing::kStranger;
}

// For the model, at the time when it is applied.
void Gateway::MarkWhatCounts(const Entry& entry, const SessionFrame& frame) {
  const Speaker speaker = entry.connection->speaker();
  const inputs::ConnectionId id = entry.connection->id_;
  std::vector<SessionFrame::Report> begun = frame.started;
  for (const auto& nack : frame.nacks) {
    if (nack.kind == inputs::NackKind::kFailed || nack.kind == inputs::NackKind::kFailedFinally) {
      begun.push_back({nack.task, nack.dispatch});
    }
  }
  for (const auto& state : frame.handler_states) {
    if (state.paused) begun.push_back({state.task, state.dispatch});
  }
  if (frame.hello.has_value()) {
    for (const auto& held : frame.hello->held) {
      if (held.started) begun.push_back({held.task, held.dispatch});
    }
  }
  std::vector<SessionFrame::Report> back = frame.disproved;
  for (const auto& nack : frame.nacks) back.push_back({nack.task, nack.dispatch});
  if (begun.empty() && back.empty() && !frame.hello.has_value() && !frame.credit.has_value()) {
    return;
  }
  server_.Mark([this, speaker, id, begun = std::move(begun), started = frame.started,
                back = std::move(back), hello = frame.hello, credit = frame.credit,
                labels = entry.connection->labels_] {
    if (hello.has_value()) {
      model_.Connected(speaker, id, hello->max_held, labels);
      model_.Offers(speaker, id, hello->name_space, hello->types);
      model_.Presented(speaker, hello->held);
      for (const auto& held : hello->held) {  // Who calls it done says nothing of how it goes on.
        if (!held.started || held.disproved) continue;
        model_.Started(speaker, id, held.task, held.dispatch);
      }
    }
    if (credit.has_value() && model_.Credit(speaker, id, *credit)) scene_.CountStep();
    for (const auto& report : begun) model_.Begun(speaker, report.task, report.dispatch);
    for (const auto& report : started) {
      model_.Started(speaker, id, report.task, report.dispatch);
    }
    for (const auto& report : back) model_.HandedBack(speaker, report.task, report.dispatch);
  });
}

std::vector<Said> Gateway::Describe(const Connection& connection, const SessionFrame& frame) const {
  std::vector<Said> said;
  const SessionId session = connection.session_;
  const auto say = [&](Command command, const TaskId& task, uint32_t dispatch) -> Said& {
    return said.emplace_back(Said{.command = command,
                                  .task = task,
                                  .dispatch = dispatch,
                                  .session = session,
                                  .in_hello = frame.hello.has_value()});
  };
  if (frame.hello.has_value()) {
    for (const auto& held : frame.hello->held) {
      const Command command = held.finished    ? Command::kAck
                              : held.disproved ? Command::kFalseAck
                                               : Command::kPresented;
      say(command, held.task, held.dispatch).started = held.started;
    }
    for (const TaskId& task : model_.HeldBy(connection.session_)) {
      const auto is_it = [&](const inputs::HeldDispatch& held) { return held.task == task; };
      if (std::ranges::none_of(frame.hello->held, is_it)) say(Command::kOmitted, task, 0);
    }
  }
  for (const auto& report : frame.started) say(Command::kStarted, report.task, report.dispatch);
  for (const auto& report : frame.finished) say(Command::kAck, report.task, report.dispatch);
  for (const auto& report : frame.disproved) say(Command::kFalseAck, report.task, report.dispatch);
  for (const auto& nack : frame.nacks) {
    constexpr std::array kCommands = {Command::kFailed, Command::kFailedFinally, Command::kReturned,
                                      Command::kCancelled};
    say(kCommands[static_cast<size_t>(nack.kind) - 1], nack.task, nack.dispatch);
  }
  for (const auto& state : frame.handler_states) {
    say(state.paused ? Command::kSaysPaused : Command::kSaysGoesOn, state.task, state.dispatch);
  }
  for (const auto& checkpoint : frame.checkpoints) {
    say(Command::kCheckpoint, checkpoint.about.task, checkpoint.about.dispatch);
  }
  for (const auto& report : frame.progress) {
    say(Command::kProgress, report.about.task, report.about.dispatch);
  }
  return said;
}

}  // namespace kantoku::simulation
