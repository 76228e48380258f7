#ifndef KANTOKU_SERVICES_INPUTS_PULL_STREAM_H_
#define KANTOKU_SERVICES_INPUTS_PULL_STREAM_H_

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/ping_times.h"
#include "services/inputs/silence.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/identity.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/bidi_stream.h"
#include "services/platform/rpc/received.h"

namespace kantoku::inputs {

// The server's side of one Pull: frames in, frames out, pings both ways.
//
// Nothing is read while frames of more than 1 MiB wait to be applied: the executor waits as well.
// Dispatches that wait to be written are bounded by the partition, which looks at unsent_bytes;
// when more than 96 MiB wait altogether, the executor does not read, and the stream ends.
//
// Thread-safe.
class PullStream final
    : public platform::CoalescingStream<platform::Received<v1::PullRequest>, v1::PullResponse>,
      public SessionChannel {
 public:
  using Request = platform::Received<v1::PullRequest>;
  using Response = platform::Encoded<v1::PullResponse>;

  PullStream(Call* call, platform::CallMonitor::Method& method,
             std::shared_ptr<const platform::Identity> caller, std::shared_ptr<Partition> partition,
             const platform::MacKeys& keys, const std::set<std::string>& namespaces);

  // SessionChannel.
  void Expect(size_t bytes) override { unsent_ += bytes; }
  size_t unsent_bytes() const override { return unsent_; }
  void NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) override;
  void Send(v1::PullResponse& frame) override;
  void OnApplied(size_t bytes) override;
  void Close(const absl::Status& status) override;

  // The stream's turn, once in an interval: pings who was not heard since the one before, and ends
  // the stream of who was silent for three. No ping comes before the welcome, which executors
  // expect first; who says no hello has as much time.
  void TakeTurn();

 private:
  // Ends the stream, and says false, when too much is unsent.
  bool CountUnsent(size_t bytes);
  // Some more of the tasks, after `rest`, if there is one: what else their frame has, `bytes` of
  // it.
  void PostPortion(const google::protobuf::RepeatedPtrField<v1::Dispatch>& tasks, int& sent,
                   size_t bytes, const v1::PullResponse* rest);
  // Posts it as unsent.
  template <typename Fill>
  void Say(size_t bytes, Fill&& fill);
  void OnRequest(platform::Received<v1::PullRequest>& request) override;
  // What the frame was refused for good: a receipt that proves nothing.
  void NoteRefused(const SessionFrame& frame) const;
  void OnWritten(size_t bytes) override;
  void OnEnded(const absl::Status& status) override;

  const std::shared_ptr<const platform::Identity> caller_;
  const std::shared_ptr<Partition> partition_;
  const platform::MacKeys& keys_;
  const std::set<std::string>& namespaces_;
  ConnectionId connection_ = 0;  // From the first request on; confined to OnRequest and OnEnded.
  // Before its hello, until the welcome, and from then on.
  enum class Phase : uint8_t { kSilent, kGreeting, kWelcomed };
  std::atomic<Phase> phase_{Phase::kSilent};
  std::atomic<uint64_t> pings_{0};
  Silence silence_;
  std::atomic<size_t> unsent_{0};  // Of everything that is said.
  platform::Mutex drain_mutex_;
  size_t drain_bytes_ ABSL_GUARDED_BY(drain_mutex_) = 0;
  absl::AnyInvocable<void()> drained_ ABSL_GUARDED_BY(drain_mutex_);
  std::atomic<size_t> unapplied_bytes_{0};
  std::atomic<bool> paused_{false};  // Until less is unapplied.
};

// The open streams. Each has its turn once in an interval, on one thread, which sleeps while none
// is due.
//
// Thread-safe. Owns its thread.
class PullStreams {
 public:
  PullStreams(platform::Clock& clock, absl::Duration interval);
  ~PullStreams();

  void Add(const std::shared_ptr<PullStream>& stream);
  // Ends every stream, also those that are added later; the thread ends as well. Idempotent.
  void Stop(const absl::Status& status);

 private:
  void Run();
  // Until one is due, and no sooner than `earliest`; false: they stop.
  bool AwaitDue(absl::Duration earliest);
  std::vector<std::shared_ptr<PullStream>> TakeDue(absl::Duration now);

  platform::Clock& clock_;
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::optional<absl::Status> stopped_with_ ABSL_GUARDED_BY(mutex_);
  PingTimes<std::weak_ptr<PullStream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PULL_STREAM_H_
