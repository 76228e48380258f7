#include "services/outputs/wire.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::outputs {
namespace {

using platform::Error;
using platform::TaskId;
using platform::ToAbsl;

constexpr int kMaxItems = 10'000;
constexpr size_t kMaxTextBytes = 255;
constexpr size_t kMaxReasonBytes = 63;
constexpr size_t kMaxMessageBytes = 4096;
constexpr absl::Duration kDefaultRetention = absl::Hours(24);
constexpr absl::Duration kMinRetention = absl::Seconds(1);
constexpr absl::Duration kMaxRetention = absl::Hours(24 * 30);
// Of what is full. Room comes when retention is over, which may be a long time, or by an operator.
constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLastRetry = absl::Seconds(10);

static_assert(static_cast<int>(ResultStatus::kNone) == v1::RESULT_STATUS_UNSPECIFIED &&
              static_cast<int>(ResultStatus::kSucceeded) == v1::RESULT_STATUS_SUCCEEDED &&
              static_cast<int>(ResultStatus::kFailed) == v1::RESULT_STATUS_FAILED &&
              static_cast<int>(ResultStatus::kCancelled) == v1::RESULT_STATUS_CANCELLED);

absl::Status Invalid(std::string_view reason, const std::string& message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status NotFound(const TaskId& task) {
  return Error(absl::StatusCode::kNotFound, "UNKNOWN_TASK",
               absl::StrCat("task ", task.ToString(), " has no result"));
}

absl::Status Gone(const TaskId& task) {
  return Error(absl::StatusCode::kNotFound, "RESULT_GONE",
               absl::StrCat("task ", task.ToString(), " ended and its result is no longer kept"));
}

absl::Status Foreign(const TaskId& task) {
  return Error(absl::StatusCode::kFailedPrecondition, "KEY_TAKEN",
               absl::StrCat("task ", task.ToString(),
                            " has the number of another one whose result is held: inputs has "
                            "forgotten which it used"));
}

absl::Status Damaged(const TaskId& task) {
  return Error(absl::StatusCode::kDataLoss, "RESULT_DAMAGED",
               absl::StrCat("the result of task ", task.ToString(), " cannot be read"));
}

std::string_view NameOf(ResultStatus status) {
  switch (status) {
    case ResultStatus::kSucceeded:
      return "SUCCEEDED";
    case ResultStatus::kFailed:
      return "FAILED";
    case ResultStatus::kCancelled:
      return "CANCELLED";
    case ResultStatus::kNone:
      break;
  }
  return "nothing";
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t limit) {
  if (text.size() <= limit) return absl::OkStatus();
  return Invalid("TEXT_TOO_LONG",
                 absl::StrCat(ToAbsl(field), " has ", text.size(), " bytes; at most ", limit));
}

// Of a text that is too long, what fits without breaking a character.
std::string_view Cut(std::string_view text) {
  return text.substr(0, platform::Utf8Prefix(text, kMaxMessageBytes));
}

absl::StatusOr<absl::Duration> DecodeRetention(const v1::Settlement& settlement) {
  if (!settlement.has_retention()) return kDefaultRetention;
  const absl::Duration retention = platform::FromProto(settlement.retention());
  if (retention >= kMinRetention && retention <= kMaxRetention) return retention;
  return Invalid("INVALID_RETENTION",
                 absl::StrCat("settlement.retention is ", absl::FormatDuration(retention),
                              "; it can be 1s to 720h"));
}

}  // namespace

void EncodeStatus(const absl::Status& status, task::v1::ItemStatus& message) {
  message.set_code(static_cast<int>(status.code()));
  message.set_reason(platform::ReasonOf(status));
  message.set_message(std::string(status.message()));
}

void EncodeFull(const ResultBook::Room& room, task::v1::ItemStatus& message) {
  EncodeStatus(Error(absl::StatusCode::kResourceExhausted, "OUTPUTS_FULL",
                     absl::StrCat("results, items and fences have as many bytes as they may: "
                                  "outputs.max_bytes is ",
                                  room.max_bytes)),
               message);
  *message.mutable_retry_after() =
      platform::ToProto(std::clamp(room.until_more, kFirstRetry, kLastRetry));
}

void EncodeResult(const StoredResult& result, v1::Result& message) {
  message.set_task_id(result.task.bytes().data(), TaskId::kSize);
  message.set_status(static_cast<v1::ResultStatus>(result.status));
  message.set_data(result.data.data(), result.data.size());
  message.set_content_type(result.content_type.data(), result.content_type.size());
  if (result.status != ResultStatus::kSucceeded) {
    message.mutable_error()->set_reason(result.reason.data(), result.reason.size());
    message.mutable_error()->set_message(result.message.data(), result.message.size());
  }
  message.set_dispatch(result.dispatch);
  *message.mutable_ended_at() = platform::ToProto(result.ended_at);
}

void EncodeItem(const Item& item, v1::Item& message) {
  message.set_data(item.data.data(), item.data.size());
  message.set_content_type(item.content_type.data(), item.content_type.size());
}

void EncodeAnswer(const AnswerBatch& answers, const AnswerBatch::Answer& answer,
                  v1::AwaitResult& message) {
  message.set_task_id(answer.task.bytes().data(), TaskId::kSize);
  switch (answer.kind) {
    case AnswerBatch::Kind::kResult:
      if (const auto result = DecodeResult(answers.record(answer)); result.ok()) {
        return EncodeResult(*result, *message.mutable_result());
      }
      return EncodeStatus(Damaged(answer.task), *message.mutable_status());
    case AnswerBatch::Kind::kUnknown:
      return EncodeStatus(NotFound(answer.task), *message.mutable_status());
    case AnswerBatch::Kind::kGone:
      return EncodeStatus(Gone(answer.task), *message.mutable_status());
    case AnswerBatch::Kind::kDamaged:
      return EncodeStatus(Damaged(answer.task), *message.mutable_status());
  }
}

absl::Status StatusOf(const ResultBook::Decision& decision, const TaskId& task, uint32_t dispatch) {
  switch (decision.outcome) {
    case ResultBook::Outcome::kStored:
    case ResultBook::Outcome::kRepeated:
      return absl::OkStatus();
    case ResultBook::Outcome::kTaken:
      return Error(absl::StatusCode::kAlreadyExists, "HAS_RESULT",
                   absl::StrCat("task ", task.ToString(),
                                " has ended before: ", ToAbsl(NameOf(decision.winner))));
    case ResultBook::Outcome::kFenced:
      return Error(absl::StatusCode::kFailedPrecondition, "FENCED",
                   absl::StrCat("dispatch ", dispatch, " of task ", task.ToString(),
                                " is closed: the task was given elsewhere"));
    case ResultBook::Outcome::kFull:
      return absl::ResourceExhaustedError("full");
    case ResultBook::Outcome::kForeign:
      return Foreign(task);
    case ResultBook::Outcome::kItemsMissing:
      return Error(absl::StatusCode::kFailedPrecondition, "ITEMS_MISSING",
                   absl::StrCat("item_count: of dispatch ", dispatch, " of task ", task.ToString(),
                                " only ", decision.items, " items are held"));
    case ResultBook::Outcome::kItemsBeyond:
      return Invalid("ITEM_COUNT", absl::StrCat("item_count: dispatch ", dispatch, " of task ",
                                                task.ToString(), " has yielded ", decision.items));
    case ResultBook::Outcome::kGap:
      return Error(absl::StatusCode::kFailedPrecondition, "ITEM_GAP",
                   absl::StrCat("first_sequence: item ", decision.items + 1, " of dispatch ",
                                dispatch, " of task ", task.ToString(), " is to come next"));
    case ResultBook::Outcome::kTooMany:
      return Invalid("TOO_MANY_ITEMS",
                     absl::StrCat("dispatch ", dispatch, " of task ", task.ToString(),
                                  " yields more items than a dispatch may"));
    case ResultBook::Outcome::kTooManyStreams:
      return Error(absl::StatusCode::kResourceExhausted, "ITEM_STREAMS_FULL",
                   absl::StrCat("as many dispatches have items as may: dispatch ", dispatch,
                                " of task ", task.ToString(), " has to wait until some leave"));
    case ResultBook::Outcome::kDamaged:
      break;
  }
  return Damaged(task);
}

absl::Status StatusOf(ResultBook::ClosingOutcome outcome, const TaskId& task) {
  switch (outcome) {
    case ResultBook::ClosingOutcome::kClosed:
    case ResultBook::ClosingOutcome::kEnded:
      return absl::OkStatus();
    case ResultBook::ClosingOutcome::kFull:
      return absl::ResourceExhaustedError("full");
    case ResultBook::ClosingOutcome::kForeign:
      return Foreign(task);
    case ResultBook::ClosingOutcome::kDamaged:
      break;
  }
  return Damaged(task);
}

absl::Status StatusOf(ResultBook::Presence presence, const TaskId& task) {
  switch (presence) {
    case ResultBook::Presence::kHeld:
      return absl::OkStatus();
    case ResultBook::Presence::kAbsent:
    case ResultBook::Presence::kInFlight:
      return NotFound(task);
    case ResultBook::Presence::kGone:
      return Gone(task);
    case ResultBook::Presence::kDamaged:
      break;
  }
  return Damaged(task);
}

absl::StatusOr<ResultBook::Closing> DecodeClosing(const v1::FenceItem& item) {
  ResultBook::Closing closing;
  KANTOKU_ASSIGN_OR_RETURN(closing.task, TaskId::FromBytes(item.task_id()));
  closing.dispatch = item.dispatch();
  if (!item.has_settlement()) {
    if (closing.dispatch > 0) return closing;
    return Invalid("NOTHING_TO_CLOSE", "dispatch is 0 and there is no settlement");
  }
  const v1::Settlement& settlement = item.settlement();
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", item.namespace_(), kMaxTextBytes));
  KANTOKU_RETURN_IF_ERROR(CheckText("owner", item.owner(), kMaxTextBytes));
  KANTOKU_RETURN_IF_ERROR(
      CheckText("settlement.error.reason", settlement.error().reason(), kMaxReasonBytes));
  if (settlement.status() != v1::RESULT_STATUS_FAILED &&
      settlement.status() != v1::RESULT_STATUS_CANCELLED) {
    return Invalid("INVALID_STATUS", absl::StrCat("settlement.status is ", settlement.status(),
                                                  "; it can be FAILED or CANCELLED"));
  }
  ResultBook::Offer offer;
  KANTOKU_ASSIGN_OR_RETURN(offer.retention, DecodeRetention(settlement));
  offer.result = {.task = closing.task,
                  .status = static_cast<ResultStatus>(settlement.status()),
                  .dispatch = closing.dispatch,
                  .name_space = item.namespace_(),
                  .owner = item.owner(),
                  .reason = settlement.error().reason(),
                  .message = Cut(settlement.error().message())};
  closing.settlement = offer;
  return closing;
}

absl::Status CheckCount(std::string_view field, int count) {
  if (count >= 1 && count <= kMaxItems) return absl::OkStatus();
  return Invalid("BAD_BATCH_SIZE", absl::StrCat(ToAbsl(field), " has ", count,
                                                " items; it can have 1 to ", kMaxItems));
}

absl::Status CheckContentType(std::string_view content_type) {
  return CheckText("content_type", content_type, kMaxTextBytes);
}

}  // namespace kantoku::outputs
