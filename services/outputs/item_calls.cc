// PutItemsCall.
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/outputs/calls.h"
#include "services/outputs/wire.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

constexpr size_t kMaxMessageBytes = size_t{16} << 20;
constexpr size_t kMaxItemBytes = size_t{4} << 20;
constexpr int kMaxItems = 100'000;

absl::Status Invalid(std::string_view reason, const std::string& message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

}  // namespace

absl::Status CheckWhole(const v1::PutItemsRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("batches", request.batches_size()));
  KANTOKU_RETURN_IF_ERROR(
      platform::Annotate(platform::Uuid::FromBytes(request.session_id()).status(), "session_id"));
  int64_t count = 0;
  size_t bytes = 0;
  for (const v1::ItemBatch& batch : request.batches()) {
    count += batch.items_size();
    for (const v1::Item& item : batch.items()) {
      bytes += item.data().size() + item.content_type().size();
    }
  }
  if (count > kMaxItems) {
    return Invalid("BAD_BATCH_SIZE",
                   absl::StrCat("batches have ", count, " items; they can have 1 to ", kMaxItems));
  }
  if (bytes <= kMaxMessageBytes) return absl::OkStatus();
  return Invalid("ITEM_TOO_LARGE", absl::StrCat("batches have ", bytes, " bytes; at most ",
                                                kMaxMessageBytes, " are taken"));
}

PutItemsCall::PutItemsCall(const v1::PutItemsRequest& request, v1::PutItemsResponse& response,
                           platform::Reply reply, Metrics& metrics)
    : Call(std::move(reply)), request_(request), response_(response), metrics_(metrics) {}

absl::Status PutItemsCall::Read(const PutTerms& terms) {
  KANTOKU_RETURN_IF_ERROR(CheckWhole(request_));
  const int count = request_.batches_size();
  response_.mutable_results()->Reserve(count);
  leases_.reserve(count);  // Batches point into these.
  items_.reserve(count);
  for (int i = 0; i < count; ++i) {
    v1::ItemBatchResult& result = *response_.add_results();
    if (const absl::Status read = ReadBatch(request_.batches(i), terms); read.ok()) {
      indexes_.push_back(i);
    } else {
      metrics_.items_refused->Increment();
      EncodeStatus(read, *result.mutable_status());
    }
  }
  return absl::OkStatus();
}

absl::Status PutItemsCall::ReadBatch(const v1::ItemBatch& batch, const PutTerms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(platform::Lease lease,
                           AdmitLease(batch.lease_token(), request_.session_id(), terms));
  if (batch.items().empty()) return Invalid("BAD_BATCH_SIZE", "items is empty");
  if (batch.first_sequence() == 0) return Invalid("INVALID_SEQUENCE", "first_sequence is 0");
  for (const v1::Item& item : batch.items()) {
    if (item.data().size() > kMaxItemBytes) {
      return Invalid("ITEM_TOO_LARGE", absl::StrCat("data has ", item.data().size(),
                                                    " bytes; at most ", kMaxItemBytes));
    }
    KANTOKU_RETURN_IF_ERROR(CheckContentType(item.content_type()));
  }
  std::vector<Item>& items = items_.emplace_back();
  items.reserve(batch.items_size());
  for (const v1::Item& item : batch.items()) {
    items.push_back({.data = item.data(), .content_type = item.content_type()});
  }
  const platform::Lease& kept = leases_.emplace_back(std::move(lease));
  batches_.push_back({.task = kept.task,
                      .dispatch = kept.dispatch,
                      .name_space = kept.name_space,
                      .owner = kept.owner,
                      .first = batch.first_sequence(),
                      .items = items});
  return absl::OkStatus();
}

absl::Status PutItemsCall::Apply(OutputsPartition& partition, platform::Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(const auto decisions, partition.PutItems(batches_, transaction));
  for (size_t i = 0; i < decisions.size(); ++i) {
    const ResultBook::Decision& decision = decisions[i];
    v1::ItemBatchResult& result = *response_.mutable_results(indexes_[i]);
    const absl::Status status = StatusOf(decision, batches_[i].task, batches_[i].dispatch);
    if (status.ok() || decision.outcome == ResultBook::Outcome::kGap) {
      result.set_durable_sequence(decision.items);
    }
    if (decision.outcome == ResultBook::Outcome::kStored) {
      metrics_.items->Increment(static_cast<double>(batches_[i].items.size()));
    }
    if (status.ok()) continue;
    metrics_.items_refused->Increment();
    if (decision.outcome == ResultBook::Outcome::kFull) {
      EncodeFull(partition.room(transaction.now().wall), *result.mutable_status());
    } else {
      EncodeStatus(status, *result.mutable_status());
    }
  }
  return absl::OkStatus();
}

}  // namespace kantoku::outputs
