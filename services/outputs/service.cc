#include "services/outputs/service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/outputs/calls.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::Error;
using platform::Transaction;

constexpr std::string_view kInputs = "inputs";

// Lets the partition apply a call that writes, and answers it once that is durable.
template <typename WritingCall>
void PostWrite(OutputsPartition& partition, std::shared_ptr<WritingCall> call) {
  const absl::Status posted =
      partition.Post([call](OutputsPartition& self, Transaction& transaction) mutable {
        if (const absl::Status applied = call->Apply(self, transaction); !applied.ok()) {
          return call->Answer(applied);
        }
        transaction.Reply(
            [call = std::move(call)](const absl::Status& status) { call->Answer(status); });
      });
  if (!posted.ok()) call->Answer(posted);
}

// The first lease of a batch that is refused is in the audit trail.
template <typename Response>
void NoteRefusedLease(const platform::Call& call, const Response& response) {
  for (const auto& result : response.results()) {
    const task::v1::ItemStatus& status = result.status();
    if (status.code() != static_cast<int>(absl::StatusCode::kPermissionDenied)) continue;
    return call.NoteRefusal(
        Error(absl::StatusCode::kPermissionDenied, status.reason(), status.message()));
  }
}

}  // namespace

OutputsServiceImpl::OutputsServiceImpl(Options options, const platform::MacKeys& keys,
                                       platform::Clock& clock, platform::CallMonitor& calls,
                                       Metrics& metrics)
    : platform::Service(v1::OutputsService::service_full_name()),
      options_(options),
      keys_(keys),
      clock_(clock),
      metrics_(metrics),
      put_(calls.MethodOf("OutputsService/Put")),
      get_(calls.MethodOf("OutputsService/Get")),
      fence_(calls.MethodOf("OutputsService/Fence")),
      await_(calls.MethodOf("OutputsService/Await")),
      put_items_(calls.MethodOf("OutputsService/PutItems")),
      stream_(calls.MethodOf("OutputsService/Stream")),
      answers_(options.max_answer_bytes),
      awaits_(options.max_await_streams, "Await"),
      item_streams_(options.max_item_streams, "Stream") {
  Handle("Put", &OutputsServiceImpl::Put);
  Handle("Get", &OutputsServiceImpl::Get);
  Handle("Fence", &OutputsServiceImpl::Fence);
  Handle("Await", &OutputsServiceImpl::Await);
  Handle("PutItems", &OutputsServiceImpl::PutItems);
  Handle("Stream", &OutputsServiceImpl::Stream);
}

absl::StatusOr<OutputsPartition*> OutputsServiceImpl::partition() const {
  OutputsPartition* const partition = partition_.load();
  if (partition != nullptr) return partition;
  return Error(absl::StatusCode::kUnavailable, "SERVER_STARTING", "the server is starting");
}

void OutputsServiceImpl::Put(platform::UnaryCall* call, const v1::PutRequest* request,
                             v1::PutResponse* response) {
  HandleUnary(call, put_, [&, asked = call](const platform::Caller& caller, platform::Reply reply) {
    const auto partition = this->partition();
    if (!partition.ok()) return reply(partition.status());
    auto call = std::make_shared<PutCall>(*request, *response, std::move(reply), metrics_);
    const absl::Status read = call->Read({.keys = keys_,
                                          .caller = caller,
                                          .now = clock_.Read().wall,
                                          .max_result_bytes = options_.max_result_bytes});
    NoteRefusedLease(*asked, *response);
    if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
    PostWrite(**partition, std::move(call));
  });
}

void OutputsServiceImpl::PutItems(platform::UnaryCall* call, const v1::PutItemsRequest* request,
                                  v1::PutItemsResponse* response) {
  HandleUnary(
      call, put_items_, [&, asked = call](const platform::Caller& caller, platform::Reply reply) {
        const auto partition = this->partition();
        if (!partition.ok()) return reply(partition.status());
        auto call = std::make_shared<PutItemsCall>(*request, *response, std::move(reply), metrics_);
        const absl::Status read = call->Read({.keys = keys_,
                                              .caller = caller,
                                              .now = clock_.Read().wall,
                                              .max_result_bytes = options_.max_result_bytes});
        NoteRefusedLease(*asked, *response);
        if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
        PostWrite(**partition, std::move(call));
      });
}

void OutputsServiceImpl::Fence(platform::UnaryCall* call, const v1::FenceRequest* request,
                               v1::FenceResponse* response) {
  HandleUnary(call, fence_, [&](const platform::Identity& caller, platform::Reply reply) {
    if (caller.service != kInputs) {
      return reply(Error(absl::StatusCode::kPermissionDenied, "NOT_INPUTS",
                         "only Inputs may fence, not the service " + caller.service));
    }
    const auto partition = this->partition();
    if (!partition.ok()) return reply(partition.status());
    auto call = std::make_shared<FenceCall>(*request, *response, std::move(reply), metrics_);
    const absl::Status read = call->Read();
    if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
    PostWrite(**partition, std::move(call));
  });
}

void OutputsServiceImpl::Get(platform::UnaryCall* call, const v1::GetRequest* request,
                             v1::GetResponse* response) {
  HandleUnary(call, get_, [&](const platform::Identity&, platform::Reply reply) {
    const auto partition = this->partition();
    if (!partition.ok()) return reply(partition.status());
    auto get = std::make_shared<GetCall>(*request, *response, std::move(reply), *call->identity());
    const absl::Status read = get->Read({.keys = keys_, .now = clock_.Read().wall});
    if (!read.ok()) return get->Answer(read);
    // What is read is durable, so the answer waits for no commit; and it can be had while the store
    // takes no more.
    const absl::Status posted =
        (*partition)
            ->Post(
                [call, get](OutputsPartition& self, Transaction& transaction) {
                  const absl::Status applied = get->Apply(self, transaction);
                  call->NoteRefusal(get->refused());
                  get->Answer(applied);
                },
                OutputsPartition::Urgency::kUrgent);
    if (!posted.ok()) get->Answer(posted);
  });
}

absl::StatusOr<std::shared_ptr<AwaitStream>> OutputsServiceImpl::MakeStream(
    AwaitStream::Call* call) {
  KANTOKU_ASSIGN_OR_RETURN(const auto caller, platform::AdmitCall(*call));
  KANTOKU_ASSIGN_OR_RETURN(OutputsPartition* const partition, this->partition());
  auto stream = std::make_shared<AwaitStream>(
      call, await_,
      platform::BidiStreamOptions{.max_pending_bytes = options_.max_answer_bytes_per_stream,
                                  .budget = &answers_},
      caller, *partition, metrics_, [this](AwaitStream* ended) { awaits_.Remove(ended); });
  KANTOKU_RETURN_IF_ERROR(awaits_.Add(stream));
  return stream;
}

void OutputsServiceImpl::Await(AwaitStream::Call* call) {
  const auto stream = MakeStream(call);
  if (!stream.ok()) return call->Refuse(await_, stream.status());
  (*stream)->Start();
}

absl::StatusOr<std::shared_ptr<ItemStream>> OutputsServiceImpl::MakeStream(
    ItemStream::Call* call, const v1::StreamRequest& request) {
  KANTOKU_ASSIGN_OR_RETURN(const auto caller, platform::AdmitCall(*call));
  KANTOKU_ASSIGN_OR_RETURN(OutputsPartition* const partition, this->partition());
  KANTOKU_ASSIGN_OR_RETURN(const auto task, platform::TaskId::FromBytes(request.task_id()));
  auto stream = std::make_shared<ItemStream>(
      call, stream_, caller,
      ItemStream::Wish{.task = task, .from = {request.dispatch(), request.sequence()}}, *partition,
      metrics_, [this](ItemStream* ended) { item_streams_.Remove(ended); });
  KANTOKU_RETURN_IF_ERROR(item_streams_.Add(stream));
  return stream;
}

void OutputsServiceImpl::Stream(ItemStream::Call* call, const v1::StreamRequest* request) {
  const auto stream = MakeStream(call, *request);
  if (!stream.ok()) return call->Refuse(stream_, stream.status());
  (*stream)->Start();
}

void OutputsServiceImpl::EndStreams() {
  awaits_.End();
  item_streams_.End();
}

void OutputsServiceImpl::AbortStreams() {
  awaits_.Abort();
  item_streams_.Abort();
}

}  // namespace kantoku::outputs
