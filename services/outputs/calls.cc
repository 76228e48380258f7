#include "services/outputs/calls.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/outputs/wire.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::Error;
using platform::TaskId;

constexpr size_t kMaxMessageBytes = size_t{16} << 20;
// What a result takes in an answer beside its texts.
constexpr size_t kResultOverhead = 64;

absl::Status InvalidLease(std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied, "INVALID_LEASE", message);
}

absl::Status TooLarge(std::string_view field, size_t bytes, size_t limit) {
  return Error(absl::StatusCode::kInvalidArgument, "RESULT_TOO_LARGE",
               absl::StrCat(platform::ToAbsl(field), " has ", bytes, " bytes; at most ", limit,
                            " are taken"));
}

}  // namespace

absl::StatusOr<platform::Lease> AdmitLease(std::string_view token, std::string_view session_id,
                                           const PutTerms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(platform::Lease lease,
                           platform::OpenLease(terms.keys, token, terms.now));
  if (lease.holder != terms.caller) {
    return InvalidLease("lease_token was minted for another caller");
  }
  if (lease.session.bytes() != session_id) {
    return InvalidLease("lease_token was minted for another session");
  }
  return lease;
}

Call::~Call() {
  if (!reply_.has_value()) return;
  Answer(Error(absl::StatusCode::kUnavailable, "SERVER_STOPPING", "the server is stopping"));
}

void Call::Answer(const absl::Status& status) {
  // Once it has replied, whatever it points to may be gone.
  platform::Reply reply = *std::move(reply_);
  reply_.reset();
  reply(status);
}

absl::Status CheckWhole(const v1::PutRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("items", request.items_size()));
  KANTOKU_RETURN_IF_ERROR(
      platform::Annotate(platform::Uuid::FromBytes(request.session_id()).status(), "session_id"));
  size_t bytes = 0;
  for (const v1::PutItem& item : request.items()) bytes += item.data().size();
  if (bytes > kMaxMessageBytes) return TooLarge("items", bytes, kMaxMessageBytes);
  return absl::OkStatus();
}

PutCall::PutCall(const v1::PutRequest& request, v1::PutResponse& response, platform::Reply reply,
                 Metrics& metrics)
    : Call(std::move(reply)), request_(request), response_(response), metrics_(metrics) {}

absl::Status PutCall::Read(const PutTerms& terms) {
  KANTOKU_RETURN_IF_ERROR(CheckWhole(request_));
  const int count = request_.items_size();
  response_.mutable_results()->Reserve(count);
  leases_.reserve(count);  // Offers point into it.
  offers_.reserve(count);
  items_.reserve(count);
  for (int i = 0; i < count; ++i) {
    v1::PutResult& result = *response_.add_results();
    const absl::Status read = ReadItem(request_.items(i), terms);
    if (!read.ok()) {
      EncodeStatus(read, *result.mutable_status());
      (absl::IsPermissionDenied(read) ? metrics_.invalid_lease : metrics_.invalid)->Increment();
      continue;
    }
    items_.push_back(i);
    // Made here, where threads are many; taken back if it turns out not to be deserved.
    const platform::Lease& lease = leases_.back();
    result.set_receipt(
        platform::SealReceipt(terms.keys, {.task = lease.task,
                                           .dispatch = lease.dispatch,
                                           .status = static_cast<uint8_t>(ResultStatus::kSucceeded),
                                           .item_count = request_.items(i).item_count()}));
  }
  return absl::OkStatus();
}

absl::Status PutCall::ReadItem(const v1::PutItem& item, const PutTerms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(platform::Lease lease,
                           AdmitLease(item.lease_token(), request_.session_id(), terms));
  if (item.data().size() > terms.max_result_bytes) {
    return TooLarge("data", item.data().size(), terms.max_result_bytes);
  }
  KANTOKU_RETURN_IF_ERROR(CheckContentType(item.content_type()));
  leases_.push_back(std::move(lease));
  const platform::Lease& kept = leases_.back();
  offers_.push_back({.result = {.task = kept.task,
                                .status = ResultStatus::kSucceeded,
                                .dispatch = kept.dispatch,
                                .name_space = kept.name_space,
                                .owner = kept.owner,
                                .content_type = item.content_type(),
                                .data = item.data()},
                     .retention = kept.retention,
                     .items = item.item_count()});
  return absl::OkStatus();
}

absl::Status PutCall::Apply(OutputsPartition& partition, platform::Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(const auto decisions, partition.Put(offers_, transaction));
  for (size_t i = 0; i < decisions.size(); ++i) {
    const ResultBook::Decision& decision = decisions[i];
    Count(decision);
    const absl::Status status = StatusOf(decision, leases_[i].task, leases_[i].dispatch);
    if (status.ok()) continue;
    v1::PutResult& result = *response_.mutable_results(items_[i]);
    result.clear_receipt();
    if (decision.outcome == ResultBook::Outcome::kFull) {
      EncodeFull(partition.room(transaction.now().wall), *result.mutable_status());
      continue;
    }
    EncodeStatus(status, *result.mutable_status());
    if (decision.outcome == ResultBook::Outcome::kTaken) {
      result.set_winner(static_cast<v1::ResultStatus>(decision.winner));
    }
  }
  return absl::OkStatus();
}

void PutCall::Count(const ResultBook::Decision& decision) {
  switch (decision.outcome) {
    case ResultBook::Outcome::kStored:
      return metrics_.stored->Increment();
    case ResultBook::Outcome::kRepeated:
      return metrics_.repeated->Increment();
    case ResultBook::Outcome::kTaken:
      return metrics_.taken->Increment();
    case ResultBook::Outcome::kFenced:
      return metrics_.fenced->Increment();
    case ResultBook::Outcome::kFull:
    case ResultBook::Outcome::kTooManyStreams:
      return metrics_.full->Increment();
    case ResultBook::Outcome::kForeign:
    case ResultBook::Outcome::kDamaged:
    case ResultBook::Outcome::kItemsMissing:
    case ResultBook::Outcome::kItemsBeyond:
    case ResultBook::Outcome::kGap:
    case ResultBook::Outcome::kTooMany:
      return metrics_.invalid->Increment();
  }
}

absl::Status CheckWhole(const v1::FenceRequest& request) {
  return CheckCount("items", request.items_size());
}

FenceCall::FenceCall(const v1::FenceRequest& request, v1::FenceResponse& response,
                     platform::Reply reply, Metrics& metrics)
    : Call(std::move(reply)), request_(request), response_(response), metrics_(metrics) {}

absl::Status FenceCall::Read() {
  KANTOKU_RETURN_IF_ERROR(CheckWhole(request_));
  closings_.reserve(request_.items_size());
  for (int i = 0; i < request_.items_size(); ++i) {
    v1::FenceResult& result = *response_.add_results();
    auto closing = DecodeClosing(request_.items(i));
    if (!closing.ok()) {
      EncodeStatus(closing.status(), *result.mutable_status());
      continue;
    }
    closings_.push_back(*std::move(closing));
    items_.push_back(i);
  }
  return absl::OkStatus();
}

absl::Status FenceCall::Apply(OutputsPartition& partition, platform::Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(const auto decisions,
                           partition.Fence(request_.epoch(), closings_, transaction));
  for (size_t i = 0; i < decisions.size(); ++i) {
    v1::FenceResult& result = *response_.mutable_results(items_[i]);
    const absl::Status status = StatusOf(decisions[i].outcome, closings_[i].task);
    if (decisions[i].outcome == ResultBook::ClosingOutcome::kFull) {
      EncodeFull(partition.room(transaction.now().wall), *result.mutable_status());
    } else if (!status.ok()) {
      EncodeStatus(status, *result.mutable_status());
    }
    result.set_terminal(static_cast<v1::ResultStatus>(decisions[i].terminal));
    if (decisions[i].outcome == ResultBook::ClosingOutcome::kClosed) metrics_.closed->Increment();
    if (decisions[i].outcome == ResultBook::ClosingOutcome::kEnded) metrics_.settled->Increment();
  }
  return absl::OkStatus();
}

absl::Status CheckWhole(const v1::GetRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("task_ids", request.task_ids_size()));
  if (request.read_grants().empty()) return absl::OkStatus();
  if (request.read_grants_size() != request.task_ids_size()) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE",
                 absl::StrCat("read_grants: ", request.read_grants_size(),
                              " are not one for each of ", request.task_ids_size(), " ids"));
  }
  return platform::Annotate(platform::Uuid::FromBytes(request.session_id()).status(), "session_id");
}

GetCall::GetCall(const v1::GetRequest& request, v1::GetResponse& response, platform::Reply reply,
                 std::shared_ptr<const platform::Identity> caller)
    : Call(std::move(reply)),
      request_(request),
      response_(response),
      caller_(std::move(caller)),
      viewer_(caller_->service.empty() ? platform::Viewer(caller_) : platform::Viewer()) {}

absl::Status GetCall::ReadSubject() {
  if (!request_.has_subject()) return absl::OkStatus();
  if (caller_->service.empty()) {
    return Error(absl::StatusCode::kPermissionDenied, "NOT_A_SERVICE",
                 "subject: only a service asks for others");
  }
  viewer_ = platform::Viewer(platform::Onlooker(
      request_.subject(), {request_.namespace_().empty() ? std::string(platform::kEveryNamespace)
                                                         : request_.namespace_()}));
  return absl::OkStatus();
}

absl::Status GetCall::Read(const GetTerms& terms) {
  KANTOKU_RETURN_IF_ERROR(CheckWhole(request_));
  KANTOKU_RETURN_IF_ERROR(ReadSubject());
  tasks_.reserve(request_.task_ids_size());
  grants_.reserve(request_.task_ids_size());
  for (int i = 0; i < request_.task_ids_size(); ++i) {
    v1::GetResult& result = *response_.add_results();
    if (const absl::Status read = ReadItem(i, terms); read.ok()) {
      items_.push_back(i);
    } else {
      if (platform::IsRefusal(read)) refused_ = read;
      EncodeStatus(read, *result.mutable_status());
    }
  }
  return absl::OkStatus();
}

absl::Status GetCall::ReadItem(int item, const GetTerms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(const TaskId task, TaskId::FromBytes(request_.task_ids(item)));
  std::optional<platform::ReadGrant> grant;
  if (!request_.read_grants().empty() && !request_.read_grants(item).empty()) {
    KANTOKU_ASSIGN_OR_RETURN(
        grant, platform::OpenReadGrant(terms.keys, request_.read_grants(item), terms.now));
    if (grant->task != task || grant->holder != *caller_ ||
        grant->session.bytes() != request_.session_id()) {
      return Error(absl::StatusCode::kPermissionDenied, "INVALID_GRANT",
                   "read_grant was minted for another result, caller or session");
    }
  }
  tasks_.push_back(task);
  grants_.push_back(std::move(grant));
  return absl::OkStatus();
}

bool GetCall::Asks(const StoredResult& result) const {
  return request_.namespace_().empty() || result.name_space == request_.namespace_();
}

bool GetCall::MaySee(size_t index, const StoredResult& result) const {
  const auto& grant = grants_[index];
  if (!grant.has_value()) {
    const bool reads =
        !caller_->service.empty() || caller_->scopes.Allows(platform::Verb::kReadResults);
    return reads && viewer_.Sees(result.name_space, result.owner);
  }
  return result.owner == grant->owner && result.name_space == grant->name_space;
}

absl::Status GetCall::Apply(OutputsPartition& partition, platform::Transaction& transaction) {
  std::vector<bool> answered(tasks_.size());
  KANTOKU_RETURN_IF_ERROR(
      partition.Get(tasks_, transaction.now().wall,
                    [&](size_t index, ResultBook::Presence presence, const StoredResult* result) {
                      answered[index] = Take(index, presence, result);
                      return answered[index];
                    }));
  const absl::Status no_room =
      Error(absl::StatusCode::kResourceExhausted, "ANSWER_TOO_LARGE",
            absl::StrCat("an answer holds ", kMaxMessageBytes, " bytes; ask for it again"));
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (answered[i]) continue;
    EncodeStatus(no_room, *response_.mutable_results(items_[i])->mutable_status());
  }
  return absl::OkStatus();
}

bool GetCall::Take(size_t index, ResultBook::Presence presence, const StoredResult* result) {
  const bool asked_for = result == nullptr || Asks(*result);
  const bool hidden = result != nullptr && asked_for && !MaySee(index, *result);
  if (!asked_for || hidden) presence = ResultBook::Presence::kAbsent;
  if (hidden && caller_->service.empty()) {
    refused_ = platform::Hidden(StatusOf(presence, tasks_[index]));
  }
  v1::GetResult& message = *response_.mutable_results(items_[index]);
  if (presence != ResultBook::Presence::kHeld) {
    EncodeStatus(StatusOf(presence, tasks_[index]), *message.mutable_status());
    return true;
  }
  StoredResult shown = *result;
  if (request_.statuses_only()) shown.data = shown.content_type = shown.message = {};
  const size_t bytes = shown.data.size() + shown.message.size() + kResultOverhead;
  // The first one fits in any case: it could not be had otherwise.
  if (bytes_ > 0 && bytes_ + bytes > kMaxMessageBytes) return false;
  bytes_ += bytes;
  EncodeResult(shown, *message.mutable_result());
  return true;
}

}  // namespace kantoku::outputs
