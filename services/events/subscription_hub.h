#ifndef KANTOKU_SERVICES_EVENTS_SUBSCRIPTION_HUB_H_
#define KANTOKU_SERVICES_EVENTS_SUBSCRIPTION_HUB_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "kantoku/events/v1/events.pb.h"
#include "services/events/audience_reader.h"
#include "services/events/event_filter.h"
#include "services/events/log.h"
#include "services/events/metrics.h"
#include "services/events/page_cache.h"
#include "services/events/page_reader.h"
#include "services/events/position.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/encoded.h"

namespace kantoku::events {

// Someone who follows the log through a SubscriptionHub.
//
// The hub calls on its own thread only, and never after End.
class Subscriber {
 public:
  Subscriber(Position from, EventFilter filter) : filter_(std::move(filter)), position_(from) {}
  virtual ~Subscriber() = default;

  // Begins to send; one at a time, until SubscriptionHub::Sent. The message goes when this returns:
  // what is still to be encoded then is a copy, which shares the bytes.
  virtual void Send(const platform::SharedEncoded<v1::SubscribeResponse>& message) = 0;
  // The last call: ends the stream with this status.
  virtual void End(const absl::Status& status) = 0;
  // Lets a Send that is under way fail soon.
  virtual void Abort() = 0;

 private:
  friend class SubscriptionHub;
  enum class State : uint8_t { kNew, kReady, kRunning, kSending, kParked, kEnded };

  // Guarded by the hub's lock.
  State state_ = State::kNew;
  absl::Status leaving_;  // Not OK: what it ends with at its next turn.
  uint64_t growth_seen_ = 0;

  // Used by the hub's thread, or nobody.
  EventFilter filter_;       // Until it has an audience.
  AudienceId audience_ = 0;  // 0 until its first turn.
  Position position_;
  bool greeted_ = false;
  size_t silent_rows_ = 0;  // Looked at since the last message.
};

// Feeds any number of subscribers, and answers reads, from one log on one thread. A subscriber that
// has read everything costs nothing until the log grows; one whose last message is still under way
// costs nothing until that is sent, and then goes on where it stopped. Those that can go on take
// turns, each of a bounded page.
//
// Guarantees: a subscriber is sent every matching event after its position in the order of the log,
// each once, or a `gap` where retention was faster. Its first message comes at once, even without
// an event; later ones hold events, a gap, or a position that moved far.
//
// Thread-safe. Owns its thread. Log and metrics outlive it, subscribers outlive their End.
class SubscriptionHub {
 public:
  struct Options {
    size_t max_subscribers = 1000;
    size_t max_reads = 256;  // That wait at the same time.
    PageLimits page;
    // A message without events is sent, and a read ends, after so many rows that did not match.
    size_t max_silent_rows = 100'000;
  };

  struct ReadRequest {
    Position from;
    EventFilter filter;
    size_t limit = 100;
  };
  using ReadDone = absl::AnyInvocable<void(const absl::Status&)>;

  SubscriptionHub(Options options, EventLog& log, Metrics& metrics);
  ~SubscriptionHub();

  // RESOURCE_EXHAUSTED, TOO_MANY_SUBSCRIBERS; UNAVAILABLE, DRAINING after Drain. After an error the
  // subscriber is never called.
  absl::Status Add(Subscriber& subscriber);
  // The last Send ended; `ok` is false when the stream is broken.
  void Sent(Subscriber& subscriber, bool ok);
  // The subscriber is ended with `why`, which is not OK, once what it is being sent is sent. Any
  // time after Add, also after End.
  void Cancel(Subscriber& subscriber, const absl::Status& why);

  // Fills `response`, which lives until `done` has run (on the hub's thread, or before Read
  // returns). RESOURCE_EXHAUSTED, TOO_MANY_READS; UNAVAILABLE, DRAINING after Stop.
  void Read(ReadRequest request, platform::Encoded<v1::ReadResponse>& response, ReadDone done);

  // Ends every subscriber with UNAVAILABLE, DRAINING once what it is being sent is sent; takes no
  // new one. Returns at once.
  void Drain();
  // Drains, aborts what is being sent, and joins the thread. Idempotent.
  void Stop();

 private:
  struct PendingRead {
    ReadRequest request;
    platform::Encoded<v1::ReadResponse>& response;
    ReadDone done;
    PageEnd all = {};  // Of all pages so far, as if they were one.
  };
  struct Turn {
    enum class Kind : uint8_t { kServe, kRead, kAbortSends, kEnd };
    Kind kind = Kind::kEnd;
    Subscriber* subscriber = nullptr;   // Of kServe.
    std::unique_ptr<PendingRead> read;  // Of kRead.
  };
  struct Wakeup;

  absl::Status Enqueue(std::unique_ptr<PendingRead>& read);
  void Run();
  Turn NextTurn();
  void WatchLog();
  void WakeParked();
  void MakeReady(Subscriber& subscriber) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Serve(Subscriber& subscriber);
  absl::Status BeginTurn(Subscriber& subscriber);
  void Send(Subscriber& subscriber, const EncodedPage& page);
  void Requeue(Subscriber& subscriber);
  void Park(Subscriber& subscriber);
  void End(Subscriber& subscriber, const absl::Status& status);
  void Count(const PageEnd& page);
  void AbortSends();
  void Serve(std::unique_ptr<PendingRead> read);
  void Finish(PendingRead& read, const absl::Status& status);

  const Options options_;
  EventLog& log_;
  Metrics& metrics_;
  const std::shared_ptr<Wakeup> wakeup_;
  // Used by the thread alone.
  PageReader reader_;
  AudienceReader audiences_;

  mutable platform::Mutex mu_;
  platform::CondVar changed_;
  absl::flat_hash_set<Subscriber*> subscribers_ ABSL_GUARDED_BY(mu_);
  std::deque<Turn> turns_ ABSL_GUARDED_BY(mu_);
  std::vector<Subscriber*> parked_ ABSL_GUARDED_BY(mu_);
  size_t reads_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t growth_ ABSL_GUARDED_BY(mu_) = 0;  // How often the log was seen to grow.
  bool watching_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_SUBSCRIPTION_HUB_H_
