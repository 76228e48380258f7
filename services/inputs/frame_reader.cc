#include "services/inputs/frame_reader.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {

using platform::Error;

namespace {

constexpr int kMaxTypes = 1'000;
constexpr int kMaxHeld = 100'000;
constexpr int kMaxReports = 50'000;
constexpr size_t kMaxName = 255;
constexpr size_t kMaxVersion = 64;
constexpr size_t kMaxHelloLabels = kMaxLabels - kBuiltInLabels.size();
constexpr size_t kMaxReason = 63;
constexpr size_t kMaxMessage = 4'096;
constexpr size_t kMaxCheckpoint = size_t{1} << 20;

absl::Status BadHello(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "BAD_HELLO", message);
}

// A receipt of ours for a result of this very dispatch.
absl::Status CheckReceipt(const platform::MacKeys& keys, std::string_view token, const TaskId& task,
                          uint32_t dispatch) {
  if (KANTOKU_PLANTED("ack without receipt")) return absl::OkStatus();
  const auto receipt = platform::OpenReceipt(keys, token);
  if (receipt.ok() && receipt->task == task && receipt->dispatch == dispatch &&
      receipt->status == outputs::v1::RESULT_STATUS_SUCCEEDED) {
    return absl::OkStatus();
  }
  return NotProven("receipt", task, dispatch);
}

// Reads the (task, dispatch) that every report begins with; refuses the report when it is
// malformed.
template <typename Proto>
std::optional<SessionFrame::Report> ReadReport(const Proto& proto, SessionFrame& frame) {
  const auto task = TaskId::FromBytes(proto.task_id());
  if (task.ok()) return SessionFrame::Report{*task, proto.dispatch()};
  frame.refused.push_back({proto.task_id(), proto.dispatch(), task.status()});
  return std::nullopt;
}

// Adds a label of the server's own; `source` is where its value comes from.
absl::Status AddBuiltIn(std::string_view label, std::string_view source, const std::string& value,
                        std::vector<Label>& labels) {
  if (value.empty()) return absl::OkStatus();
  std::vector<Label> alone = {{std::string(label), value}};
  const auto sound = Labels::Make(alone);
  if (!sound.ok()) return platform::Annotate(sound.status(), source);
  labels.push_back(std::move(alone.front()));
  return absl::OkStatus();
}

absl::StatusOr<Labels> ReadLabels(const v1::Hello& proto, const platform::Identity& caller) {
  if (proto.labels().size() > kMaxHelloLabels) {
    return Error(absl::StatusCode::kInvalidArgument, kLabelLimit,
                 absl::StrCat("hello.labels: ", proto.labels().size(),
                              " labels exceed the limit of ", kMaxHelloLabels));
  }
  std::vector<Label> labels;
  for (const auto& [name, value] : proto.labels()) {
    if (std::string_view(name).starts_with(platform::kTrustedPrefix)) {
      return Error(absl::StatusCode::kPermissionDenied, "TRUSTED_LABEL",
                   absl::StrCat("hello.labels: label \"", absl::Utf8SafeCHexEscape(name),
                                "\": such labels come from access tokens alone"));
    }
    labels.push_back({name, value});
  }
  for (const auto& [name, value] : caller.labels) labels.push_back({name, value});
  for (const std::string_view reserved : kBuiltInLabels) {
    const auto set = proto.labels().find(std::string(reserved));
    if (set == proto.labels().end()) continue;
    return Error(absl::StatusCode::kInvalidArgument, "RESERVED_LABEL",
                 absl::StrCat("hello.labels: label \"", set->first, "\" = \"",
                              absl::Utf8SafeCHexEscape(set->second.substr(0, kMaxLabelValueBytes)),
                              "\": the server sets it itself"));
  }
  KANTOKU_RETURN_IF_ERROR(AddBuiltIn(kExecutorLabel, "hello.name", proto.name(), labels));
  KANTOKU_RETURN_IF_ERROR(AddBuiltIn(kAppLabel, "client id", caller.client_id, labels));
  KANTOKU_RETURN_IF_ERROR(AddBuiltIn(kOwnerLabel, "subject", caller.subject, labels));
  KANTOKU_RETURN_IF_ERROR(AddBuiltIn(kVersionLabel, "hello.version", proto.version(), labels));
  auto all = Labels::Make(std::move(labels));
  return all.ok() ? all : platform::Annotate(all.status(), "hello.labels");
}

absl::StatusOr<SessionFrame::Hello> ReadHello(const v1::Hello& proto,
                                              const platform::Identity& caller,
                                              const platform::MacKeys& keys) {
  SessionFrame::Hello hello;
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto.credit()));
  const auto session = platform::Uuid::FromBytes(proto.session_id());
  if (!session.ok() || session->empty()) {
    return BadHello(absl::StrCat("hello.session_id: ", proto.session_id().size(),
                                 " bytes are no UUID of 16 bytes"));
  }
  if (proto.types_size() < 1 || proto.types_size() > kMaxTypes) {
    return BadHello(absl::StrCat("hello.types: ", proto.types_size(), " are not 1 to ", kMaxTypes));
  }
  if (proto.held_size() > kMaxHeld) {
    return BadHello(
        absl::StrCat("hello.held: ", proto.held_size(), " exceed the limit of ", kMaxHeld));
  }
  for (const std::string& type : proto.types()) {
    KANTOKU_RETURN_IF_ERROR(CheckType("hello.types", type));
    KANTOKU_RETURN_IF_ERROR(platform::Annotate(
        platform::CheckAllows(caller, platform::Verb::kPull, type), "hello.types"));
  }
  if (proto.name().size() > kMaxName) {
    return BadHello(
        absl::StrCat("hello.name: ", proto.name().size(), " bytes exceed the limit of ", kMaxName));
  }
  if (proto.version().size() > kMaxVersion) {
    return BadHello(absl::StrCat("hello.version: ", proto.version().size(),
                                 " bytes exceed the limit of ", kMaxVersion));
  }
  KANTOKU_ASSIGN_OR_RETURN(hello.labels, ReadLabels(proto, caller));
  hello.version = proto.version();
  hello.session = SessionId(*session);
  hello.caller = caller;
  hello.token_issued = caller.issued;
  hello.name_space = proto.namespace_().empty() ? "default" : proto.namespace_();
  hello.name = proto.name();
  hello.types.assign(proto.types().begin(), proto.types().end());
  hello.max_held = proto.credit().max_held();
  hello.order = proto.connection();
  for (const v1::Held& held : proto.held()) {
    KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(held));
    const auto task = TaskId::FromBytes(held.task_id());
    if (!task.ok()) {
      return BadHello(absl::StrCat("hello.held.task_id: ",
                                   platform::ToAbsl(platform::ToStd(task.status().message()))));
    }
    const bool finished =
        !held.receipt().empty() && CheckReceipt(keys, held.receipt(), *task, held.dispatch()).ok();
    const bool disproved = !held.receipt().empty() && !finished;
    hello.held.push_back({.task = *task,
                          .dispatch = held.dispatch(),
                          .started = held.started(),
                          .paused = held.paused(),
                          .finished = finished,
                          .disproved = disproved});
  }
  return hello;
}

// At most `limit` bytes of what is UTF-8, and UTF-8 again.
std::string Cut(const std::string& text, size_t limit) {
  return text.substr(0, platform::Utf8Prefix(text, limit));
}

Failure ReadFailure(const task::v1::TaskError& proto) {
  return {proto.reason().empty() ? "HANDLER_FAILED" : Cut(proto.reason(), kMaxReason),
          Cut(proto.message(), kMaxMessage)};
}

NackKind ReadKind(v1::NackKind kind) {
  switch (kind) {
    case v1::NACK_KIND_FAILED:
      return NackKind::kFailed;
    case v1::NACK_KIND_FAILED_FINALLY:
      return NackKind::kFailedFinally;
    case v1::NACK_KIND_CANCELLED:
      return NackKind::kCancelled;
    default:
      return NackKind::kReturned;
  }
}

SessionFrame::Checkpoint ReadCheckpoint(const v1::Checkpoint& proto,
                                        const SessionFrame::Report& about) {
  SessionFrame::Checkpoint checkpoint{.about = about, .number = proto.number()};
  if (proto.data().size() <= kMaxCheckpoint) {
    checkpoint.data = proto.data();
  } else {
    checkpoint.refusal = Error(absl::StatusCode::kInvalidArgument, "CHECKPOINT_TOO_LARGE",
                               absl::StrCat("checkpoints.data: ", proto.data().size(),
                                            " bytes exceed the limit of ", kMaxCheckpoint));
  }
  return checkpoint;
}

// A small report may cost much: a refused one is answered with a text.
absl::Status CheckReports(const v1::PullRequest& request) {
  const int reports = request.started_size() + request.acks_size() + request.nacks_size() +
                      request.progress_size() + request.handler_states_size() +
                      request.checkpoints_size();
  if (reports <= kMaxReports) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "FRAME_TOO_LARGE",
               absl::StrCat("started, acks, nacks, progress, handler_states and checkpoints: ",
                            reports, " in a frame exceed the limit of ", kMaxReports));
}

}  // namespace

absl::StatusOr<SessionFrame> ReadFrame(const platform::Received<v1::PullRequest>& received,
                                       const platform::Identity& caller, bool first,
                                       const platform::MacKeys& keys) {
  if (received.malformed) return platform::CheckReceived(received);
  for (const platform::InvalidText& text : received.invalid_texts) {
    if (text.root == "hello") return text.ToStatus();
  }
  const v1::PullRequest& request = received.message;
  KANTOKU_RETURN_IF_ERROR(CheckReports(request));
  SessionFrame frame;
  if (first != request.has_hello()) {
    return BadHello(first ? "hello: the first frame has none"
                          : "hello: only the first frame has one");
  }
  if (first) {
    KANTOKU_ASSIGN_OR_RETURN(frame.hello, ReadHello(request.hello(), caller, keys));
  }
  if (request.has_credit()) frame.credit = request.credit().max_held();
  for (const v1::Started& started : request.started()) {
    if (const auto report = ReadReport(started, frame)) frame.started.push_back(*report);
  }
  frame.finished.reserve(static_cast<size_t>(request.acks_size()));
  for (const v1::Ack& ack : request.acks()) {
    const auto report = ReadReport(ack, frame);
    if (!report.has_value()) continue;
    absl::Status status = CheckReceipt(keys, ack.receipt(), report->task, report->dispatch);
    if (status.ok()) {
      frame.finished.push_back(*report);
    } else {
      frame.disproved.push_back(*report);
      frame.refused.push_back({ack.task_id(), ack.dispatch(), std::move(status)});
    }
  }
  for (const v1::Nack& nack : request.nacks()) {
    const auto report = ReadReport(nack, frame);
    if (!report.has_value()) continue;
    if (nack.kind() == v1::NACK_KIND_UNSPECIFIED || !v1::NackKind_IsValid(nack.kind())) {
      frame.refused.push_back({nack.task_id(), nack.dispatch(),
                               Error(absl::StatusCode::kInvalidArgument, "BAD_NACK",
                                     absl::StrCat("nacks.kind: ", nack.kind(), " is none"))});
      continue;
    }
    frame.nacks.push_back(
        {report->task, report->dispatch, ReadKind(nack.kind()), ReadFailure(nack.error())});
  }
  for (const v1::Progress& progress : request.progress()) {
    const auto report = ReadReport(progress, frame);
    if (!report.has_value()) continue;
    frame.progress.push_back({*report, progress.fraction(), Cut(progress.message(), kMaxMessage)});
  }
  for (const v1::HandlerStatus& status : request.handler_states()) {
    const auto report = ReadReport(status, frame);
    if (!report.has_value()) continue;
    if (status.state() != v1::HANDLER_STATE_PAUSED && status.state() != v1::HANDLER_STATE_RUNNING) {
      frame.refused.push_back(
          {status.task_id(), status.dispatch(),
           Error(absl::StatusCode::kInvalidArgument, "BAD_HANDLER_STATE",
                 absl::StrCat("handler_states.state: ", status.state(), " is none"))});
      continue;
    }
    frame.handler_states.push_back({.task = report->task,
                                    .dispatch = report->dispatch,
                                    .number = status.number(),
                                    .paused = status.state() == v1::HANDLER_STATE_PAUSED});
  }
  for (const v1::Checkpoint& checkpoint : request.checkpoints()) {
    const auto report = ReadReport(checkpoint, frame);
    if (report.has_value()) frame.checkpoints.push_back(ReadCheckpoint(checkpoint, *report));
  }
  frame.bytes = sizeof(SessionFrame) + request.ByteSizeLong() +
                frame.refused.size() * sizeof(SessionFrame::Refusal);
  return frame;
}

}  // namespace kantoku::inputs
