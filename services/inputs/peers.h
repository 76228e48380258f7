#ifndef KANTOKU_SERVICES_INPUTS_PEERS_H_
#define KANTOKU_SERVICES_INPUTS_PEERS_H_

#include <grpcpp/channel.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/inputs/ends_client.h"
#include "services/inputs/partition/links.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/retrying_sender.h"

// The services that Inputs speaks to, showing its service identity.
namespace kantoku::inputs {

// Fences and settlements over gRPC, until Outputs has answered each of them. One that it cannot
// decide now is asked again by itself, so that it does not hold up the others. When it knows a
// later owner of the tasks, the partition is lost.
//
// Thread-safe. Owns a thread; clock, keys and partition outlive it.
// Questions how tasks ended are asked once, beside the fences (EndsClient).
class OutputsPeer final : public OutputsLink {
 public:
  OutputsPeer(const std::shared_ptr<grpc::Channel>& channel, platform::Clock& clock,
              const platform::MacKeys& keys, Partition& partition);

  void Ask(std::vector<outputs::v1::FenceItem> items) override;
  void AskEnds(EndsQuestion question,
               absl::AnyInvocable<void(const absl::StatusOr<Ends>&)> done) override {
    ends_.Ask(std::move(question), std::move(done));
  }
  void Stop() {
    ends_.Stop();
    sender_.Stop();
  }

 private:
  absl::Status Send(const std::vector<outputs::v1::FenceItem>& items);
  void OnStaleEpoch(const absl::Status& why);
  // Says now and then that items are undecided.
  void Complain(size_t items, const absl::Status& why);

  const std::unique_ptr<outputs::v1::OutputsService::Stub> stub_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;
  Partition& partition_;
  // Of the sender's thread.
  absl::Duration next_complaint_ = -absl::InfiniteDuration();
  bool stale_ = false;
  platform::RetryingSender<outputs::v1::FenceItem> sender_;
  EndsClient ends_;
};

// Event lines over gRPC, until Events has confirmed. A line that Events will never take
// (INVALID_ARGUMENT) is dropped with an error in the log, so that it does not hold up the others.
//
// Thread-safe. Owns a thread; clock, keys and partition outlive it.
class EventsPeer final : public EventsLink {
 public:
  EventsPeer(std::shared_ptr<grpc::Channel> channel, platform::Clock& clock,
             const platform::MacKeys& keys, Partition& partition, size_t max_backlog_bytes);

  void Send(uint64_t number, std::string batch) override;
  void Stop() { sender_.Stop(); }

 private:
  using Line = std::pair<uint64_t, std::string>;
  absl::Status Deliver(std::span<const Line> lines);
  absl::Status Append(std::span<const Line> lines);

  const std::unique_ptr<events::v1::EventsService::Stub> stub_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;
  Partition& partition_;
  platform::RetryingSender<Line> sender_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PEERS_H_
