#ifndef KANTOKU_SERVICES_OUTPUTS_SERVICE_H_
#define KANTOKU_SERVICES_OUTPUTS_SERVICE_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/outputs/await_stream.h"
#include "services/outputs/item_stream.h"
#include "services/outputs/metrics.h"
#include "services/outputs/served.h"
#include "services/outputs/stream_set.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/byte_budget.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/partitioned_service.h"

namespace kantoku::outputs {

// The wire's side of Outputs: finds the partitions of what a call is about, checks what comes, lets
// the partition decide, answers. Calls are about tasks, and go to the partitions that their ids
// name; what a lease is shown for, to that of the task that it names, genuine or not.
//
// Thread-safe. What it is given outlives it; it outlives its calls.
class OutputsServiceImpl final : public platform::PartitionedService<Served> {
 public:
  struct Options {
    size_t max_result_bytes = size_t{4} << 20;
    size_t max_await_streams = 1000;
    // Of calls that other replicas have, each of which bounds its own.
    size_t max_forwarded_await_streams = 10'000;
    size_t max_item_streams = 1000;
    // Answers on their way out; beyond it a stream has one message at a time.
    size_t max_answer_bytes = size_t{256} << 20;
    size_t max_answer_bytes_per_stream = size_t{64} << 20;
  };

  OutputsServiceImpl(Options options, const Routes& routes, const platform::MacKeys& keys,
                     platform::Clock& clock, platform::CallMonitor& calls, Metrics& metrics);

  // Ends Await and Stream calls and lets none begin.
  void EndStreams();
  // Does not wait for clients that do not read.
  void AbortStreams();

  void Put(Served& served, platform::UnaryCall* call, const outputs::v1::PutRequest* request,
           outputs::v1::PutResponse* response);
  void Get(Served& served, platform::UnaryCall* call, const outputs::v1::GetRequest* request,
           outputs::v1::GetResponse* response);
  void Fence(Served& served, platform::UnaryCall* call, const outputs::v1::FenceRequest* request,
             outputs::v1::FenceResponse* response);
  void Await(AwaitStream::Call* call);
  void PutItems(Served& served, platform::UnaryCall* call,
                const outputs::v1::PutItemsRequest* request,
                outputs::v1::PutItemsResponse* response);
  void Stream(ItemStream::Call* call, const outputs::v1::StreamRequest* request);

 private:
  absl::StatusOr<std::shared_ptr<AwaitStream>> MakeStream(AwaitStream::Call* call);
  absl::StatusOr<std::shared_ptr<ItemStream>> MakeStream(ItemStream::Call* call,
                                                         const ItemStream::Wish& wish,
                                                         std::shared_ptr<Served> served);

  const Options options_;
  const platform::MacKeys& keys_;
  platform::Clock& clock_;
  Metrics& metrics_;
  platform::CallMonitor::Method& put_;
  platform::CallMonitor::Method& get_;
  platform::CallMonitor::Method& fence_;
  platform::CallMonitor::Method& await_;
  platform::CallMonitor::Method& put_items_;
  platform::CallMonitor::Method& stream_;

  platform::ByteBudget answers_;

  StreamSet<AwaitStream> awaits_;
  StreamSet<AwaitStream> forwarded_awaits_;
  StreamSet<ItemStream> item_streams_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_SERVICE_H_
