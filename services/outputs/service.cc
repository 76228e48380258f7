#include "services/outputs/service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/outputs/calls.h"
#include "services/platform/rpc/relayed_server_stream.h"
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

// Of what is no task any.
uint32_t SlotOf(const absl::StatusOr<platform::TaskId>& task) {
  return task.ok() ? task->slot() : 0;
}
uint32_t SlotOfId(const std::string& id) { return SlotOf(platform::TaskId::FromBytes(id)); }
uint32_t SlotOfLease(const std::string& token) { return SlotOf(platform::TaskOfLease(token)); }

// Of each item, unless the request as a whole is refused.
template <typename Items, typename SlotOfItem>
std::vector<uint32_t> Slots(const absl::Status& whole, const Items& items, SlotOfItem slot_of) {
  std::vector<uint32_t> slots;
  if (!whole.ok()) return slots;
  slots.reserve(items.size());
  for (const auto& item : items) slots.push_back(slot_of(item));
  return slots;
}

platform::BatchParts<v1::PutRequest> PartsOfPut() {
  return {.slots =
              [](const v1::PutRequest& request) {
                return Slots(CheckWhole(request), request.items(), [](const v1::PutItem& item) {
                  return SlotOfLease(item.lease_token());
                });
              },
          .take =
              [](const v1::PutRequest& request, const std::vector<int>& items) {
                v1::PutRequest part;
                part.set_session_id(request.session_id());
                for (const int item : items) *part.add_items() = request.items(item);
                return part;
              }};
}

platform::BatchParts<v1::PutItemsRequest> PartsOfPutItems() {
  return {.slots =
              [](const v1::PutItemsRequest& request) {
                return Slots(
                    CheckWhole(request), request.batches(),
                    [](const v1::ItemBatch& batch) { return SlotOfLease(batch.lease_token()); });
              },
          .take =
              [](const v1::PutItemsRequest& request, const std::vector<int>& batches) {
                v1::PutItemsRequest part;
                part.set_session_id(request.session_id());
                for (const int batch : batches) *part.add_batches() = request.batches(batch);
                return part;
              }};
}

platform::BatchParts<v1::FenceRequest> PartsOfFence() {
  return {.slots =
              [](const v1::FenceRequest& request) {
                return Slots(CheckWhole(request), request.items(),
                             [](const v1::FenceItem& item) { return SlotOfId(item.task_id()); });
              },
          .take =
              [](const v1::FenceRequest& request, const std::vector<int>& items) {
                v1::FenceRequest part;
                part.set_epoch(request.epoch());
                for (const int item : items) *part.add_items() = request.items(item);
                return part;
              }};
}

platform::BatchParts<v1::GetRequest> PartsOfGet() {
  return {.slots =
              [](const v1::GetRequest& request) {
                return Slots(CheckWhole(request), request.task_ids(), SlotOfId);
              },
          .take =
              [](const v1::GetRequest& request, const std::vector<int>& items) {
                v1::GetRequest part = request;
                part.clear_task_ids();
                part.clear_read_grants();
                for (const int item : items) {
                  part.add_task_ids(request.task_ids(item));
                  if (request.read_grants().empty()) continue;
                  part.add_read_grants(request.read_grants(item));
                }
                return part;
              }};
}

}  // namespace

OutputsServiceImpl::OutputsServiceImpl(Options options, const Routes& routes,
                                       const platform::MacKeys& keys, platform::Clock& clock,
                                       platform::CallMonitor& calls, Metrics& metrics)
    : PartitionedService(v1::OutputsService::service_full_name(), routes),
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
      forwarded_awaits_(options.max_forwarded_await_streams, "forwarded Await"),
      item_streams_(options.max_item_streams, "Stream") {
  HandleAnyBatch("Put", put_, &OutputsServiceImpl::Put, PartsOfPut());
  HandleAnyBatch("Get", get_, &OutputsServiceImpl::Get, PartsOfGet());
  HandleAnyBatch("Fence", fence_, &OutputsServiceImpl::Fence, PartsOfFence());
  Handle("Await", &OutputsServiceImpl::Await);
  HandleAnyBatch("PutItems", put_items_, &OutputsServiceImpl::PutItems, PartsOfPutItems());
  Handle("Stream", &OutputsServiceImpl::Stream);
}

void OutputsServiceImpl::Put(Served& served, platform::UnaryCall* call,
                             const v1::PutRequest* request, v1::PutResponse* response) {
  HandleUnary(call, put_, [&, asked = call](const platform::Caller& caller, platform::Reply reply) {
    auto call = std::make_shared<PutCall>(*request, *response, std::move(reply), metrics_);
    const absl::Status read = call->Read({.keys = keys_,
                                          .caller = caller,
                                          .now = clock_.Read().wall,
                                          .max_result_bytes = options_.max_result_bytes});
    NoteRefusedLease(*asked, *response);
    if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
    PostWrite(served.partition, std::move(call));
  });
}

void OutputsServiceImpl::PutItems(Served& served, platform::UnaryCall* call,
                                  const v1::PutItemsRequest* request,
                                  v1::PutItemsResponse* response) {
  HandleUnary(
      call, put_items_, [&, asked = call](const platform::Caller& caller, platform::Reply reply) {
        auto call = std::make_shared<PutItemsCall>(*request, *response, std::move(reply), metrics_);
        const absl::Status read = call->Read({.keys = keys_,
                                              .caller = caller,
                                              .now = clock_.Read().wall,
                                              .max_result_bytes = options_.max_result_bytes});
        NoteRefusedLease(*asked, *response);
        if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
        PostWrite(served.partition, std::move(call));
      });
}

void OutputsServiceImpl::Fence(Served& served, platform::UnaryCall* call,
                               const v1::FenceRequest* request, v1::FenceResponse* response) {
  HandleUnary(call, fence_, [&](const platform::Identity& caller, platform::Reply reply) {
    if (caller.service != kInputs) {
      return reply(Error(absl::StatusCode::kPermissionDenied, "NOT_INPUTS",
                         "only Inputs may fence, not the service " + caller.service));
    }
    auto call = std::make_shared<FenceCall>(*request, *response, std::move(reply), metrics_);
    const absl::Status read = call->Read();
    if (!read.ok() || call->nothing_to_do()) return call->Answer(read);
    PostWrite(served.partition, std::move(call));
  });
}

void OutputsServiceImpl::Get(Served& served, platform::UnaryCall* call,
                             const v1::GetRequest* request, v1::GetResponse* response) {
  HandleUnary(call, get_, [&](const platform::Identity&, platform::Reply reply) {
    auto get = std::make_shared<GetCall>(*request, *response, std::move(reply), *call->identity());
    const absl::Status read = get->Read({.keys = keys_, .now = clock_.Read().wall});
    if (!read.ok()) return get->Answer(read);
    // What is read is durable, so the answer waits for no commit; and it can be had while the store
    // takes no more.
    const absl::Status posted = served.partition.Post(
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
  StreamSet<AwaitStream>& streams = platform::IsForwarded(*call) ? forwarded_awaits_ : awaits_;
  auto stream = std::make_shared<AwaitStream>(
      call, await_,
      platform::BidiStreamOptions{.max_pending_bytes = options_.max_answer_bytes_per_stream,
                                  .budget = &answers_},
      caller, routes(), metrics_, [&streams](AwaitStream* ended) { streams.Remove(ended); });
  KANTOKU_RETURN_IF_ERROR(streams.Add(stream));
  return stream;
}

void OutputsServiceImpl::Await(AwaitStream::Call* call) {
  const auto stream = MakeStream(call);
  if (!stream.ok()) return call->Refuse(await_, stream.status());
  (*stream)->Start();
}

absl::StatusOr<std::shared_ptr<ItemStream>> OutputsServiceImpl::MakeStream(
    ItemStream::Call* call, const ItemStream::Wish& wish, std::shared_ptr<Served> served) {
  KANTOKU_ASSIGN_OR_RETURN(const auto caller, platform::AdmitCall(*call));
  auto stream =
      std::make_shared<ItemStream>(call, stream_, caller, wish, std::move(served), metrics_,
                                   [this](ItemStream* ended) { item_streams_.Remove(ended); });
  KANTOKU_RETURN_IF_ERROR(item_streams_.Add(stream));
  return stream;
}

void OutputsServiceImpl::Stream(ItemStream::Call* call, const v1::StreamRequest* request) {
  const auto task = platform::TaskId::FromBytes(request->task_id());
  if (!task.ok()) return call->Refuse(stream_, task.status());
  const uint32_t partition = map().OfSlot(task->slot());
  Place place = Find(partition, *call);
  if (place.here != nullptr) {
    const ItemStream::Wish wish = {.task = *task,
                                   .from = {request->dispatch(), request->sequence()}};
    const auto stream = MakeStream(call, wish, std::move(place.here));
    if (!stream.ok()) return call->Refuse(stream_, stream.status());
    return (*stream)->Start();
  }
  if (place.address.empty()) return call->Refuse(stream_, Nowhere(partition));
  using Relayed = platform::RelayedServerStream<v1::StreamRequest, v1::StreamResponse>;
  std::make_shared<Relayed>(
      call, stream_, *forwarder(),
      platform::RelayTarget{.path = PathOf("Stream"),
                            .replica = {.address = place.address, .partition = partition}})
      ->Start(*request);
}

void OutputsServiceImpl::EndStreams() {
  awaits_.End();
  forwarded_awaits_.End();
  item_streams_.End();
}

void OutputsServiceImpl::AbortStreams() {
  awaits_.Abort();
  forwarded_awaits_.Abort();
  item_streams_.Abort();
}

}  // namespace kantoku::outputs
