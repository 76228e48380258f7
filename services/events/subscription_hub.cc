#include "services/events/subscription_hub.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

// A read's answer ends after so many bytes of events.
constexpr size_t kMaxReadBytes = size_t{4} << 20;

absl::Status Draining() {
  return platform::Error(absl::StatusCode::kUnavailable, "DRAINING",
                         "the event service is stopping; go on after the last position");
}

absl::Status TooMany(std::string_view reason, std::string_view what, size_t limit) {
  return platform::Error(absl::StatusCode::kResourceExhausted, reason,
                         absl::StrCat(limit, " ", platform::ToAbsl(what), ", which is the limit"));
}

}  // namespace

// Outlives the hub, because the log may call late.
struct SubscriptionHub::Wakeup {
  platform::Mutex mu;
  SubscriptionHub* hub ABSL_GUARDED_BY(mu) = nullptr;
};

SubscriptionHub::SubscriptionHub(Options options, EventLog& log, Metrics& metrics)
    : options_(options),
      log_(log),
      metrics_(metrics),
      wakeup_(std::make_shared<Wakeup>()),
      reader_(log),
      audiences_(reader_, options.page) {
  {
    platform::MutexLock lock(wakeup_->mu);
    wakeup_->hub = this;
  }
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "events/hub");
}

SubscriptionHub::~SubscriptionHub() {
  Stop();
  platform::MutexLock lock(wakeup_->mu);
  wakeup_->hub = nullptr;
}

absl::Status SubscriptionHub::Add(Subscriber& subscriber) {
  platform::MutexLock lock(mu_);
  if (draining_) return Draining();
  if (subscribers_.size() >= options_.max_subscribers) {
    return TooMany("TOO_MANY_SUBSCRIBERS", "subscribers are connected", options_.max_subscribers);
  }
  subscribers_.insert(&subscriber);
  metrics_.subscribers->Increment();
  MakeReady(subscriber);
  return absl::OkStatus();
}

void SubscriptionHub::Sent(Subscriber& subscriber, bool ok) {
  platform::MutexLock lock(mu_);
  KANTOKU_CHECK(subscriber.state_ == Subscriber::State::kSending);
  if (!ok) subscriber.leaving_.Update(absl::CancelledError("the subscriber went away"));
  MakeReady(subscriber);
}

void SubscriptionHub::Cancel(Subscriber& subscriber, const absl::Status& why) {
  platform::MutexLock lock(mu_);
  subscriber.leaving_.Update(why);
  if (subscriber.state_ != Subscriber::State::kParked) return;
  parked_.erase(std::find(parked_.begin(), parked_.end(), &subscriber));
  MakeReady(subscriber);
}

void SubscriptionHub::Read(ReadRequest request, platform::Encoded<v1::ReadResponse>& response,
                           ReadDone done) {
  std::unique_ptr<PendingRead> read(new PendingRead{std::move(request), response, std::move(done)});
  const absl::Status refused = Enqueue(read);
  if (!refused.ok()) read->done(refused);
}

// Takes the read unless it is refused.
absl::Status SubscriptionHub::Enqueue(std::unique_ptr<PendingRead>& read) {
  platform::MutexLock lock(mu_);
  if (stopping_) return Draining();
  if (reads_ >= options_.max_reads) {
    return TooMany("TOO_MANY_READS", "reads are waiting", options_.max_reads);
  }
  ++reads_;
  turns_.push_back({.kind = Turn::Kind::kRead, .read = std::move(read)});
  changed_.Signal();
  return absl::OkStatus();
}

void SubscriptionHub::Drain() {
  platform::MutexLock lock(mu_);
  draining_ = true;
  for (Subscriber* subscriber : std::exchange(parked_, {})) MakeReady(*subscriber);
}

void SubscriptionHub::Stop() {
  Drain();
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    turns_.push_back({.kind = Turn::Kind::kAbortSends});
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void SubscriptionHub::MakeReady(Subscriber& subscriber) {
  subscriber.state_ = Subscriber::State::kReady;
  turns_.push_back({.kind = Turn::Kind::kServe, .subscriber = &subscriber});
  changed_.Signal();
}

void SubscriptionHub::Run() {
  while (true) {
    Turn turn = NextTurn();
    switch (turn.kind) {
      case Turn::Kind::kServe:
        Serve(*turn.subscriber);
        break;
      case Turn::Kind::kRead:
        Serve(std::move(turn.read));
        break;
      case Turn::Kind::kAbortSends:
        AbortSends();
        break;
      case Turn::Kind::kEnd:
        return;
    }
  }
}

SubscriptionHub::Turn SubscriptionHub::NextTurn() {
  platform::MutexLock lock(mu_);
  while (turns_.empty()) {
    if (stopping_ && subscribers_.empty()) return {};
    changed_.Wait(mu_);
  }
  Turn turn = std::move(turns_.front());
  turns_.pop_front();
  return turn;
}

// Nothing is missed: a subscriber parks only if the log was not seen to grow since its turn began,
// and since then, or longer, the log has been watched.
void SubscriptionHub::WatchLog() {
  {
    platform::MutexLock lock(mu_);
    if (watching_) return;
    watching_ = true;
  }
  log_.NotifyBeyond(log_.bounds().end, [wakeup = wakeup_] {
    platform::MutexLock lock(wakeup->mu);
    if (wakeup->hub != nullptr) wakeup->hub->WakeParked();
  });
}

void SubscriptionHub::WakeParked() {
  platform::MutexLock lock(mu_);
  watching_ = false;
  ++growth_;
  for (Subscriber* subscriber : parked_) MakeReady(*subscriber);
  parked_.clear();
}

absl::Status SubscriptionHub::BeginTurn(Subscriber& subscriber) {
  platform::MutexLock lock(mu_);
  subscriber.state_ = Subscriber::State::kRunning;
  subscriber.growth_seen_ = growth_;
  if (!subscriber.leaving_.ok()) return subscriber.leaving_;
  return draining_ ? Draining() : absl::OkStatus();
}

void SubscriptionHub::Serve(Subscriber& subscriber) {
  const absl::Status leaving = BeginTurn(subscriber);
  if (!leaving.ok()) return End(subscriber, leaving);
  WatchLog();
  if (subscriber.audience_ == 0) {
    subscriber.audience_ = audiences_.Join(std::move(subscriber.filter_));
  }
  const auto page = audiences_.Read(subscriber.audience_, subscriber.position_);
  if (!page.ok()) return End(subscriber, page.status());
  const PageEnd& end = page->end;
  subscriber.position_ = end.next;
  subscriber.silent_rows_ += end.rows;
  Count(end);
  if (end.events > 0 || end.gap || !subscriber.greeted_ ||
      subscriber.silent_rows_ >= options_.max_silent_rows) {
    Send(subscriber, *page);
  } else if (end.end) {
    Park(subscriber);
  } else {
    Requeue(subscriber);
  }
}

void SubscriptionHub::Send(Subscriber& subscriber, const EncodedPage& page) {
  subscriber.greeted_ = true;
  subscriber.silent_rows_ = 0;
  {
    platform::MutexLock lock(mu_);
    subscriber.state_ = Subscriber::State::kSending;
  }
  subscriber.Send(page.message);
}

void SubscriptionHub::Requeue(Subscriber& subscriber) {
  platform::MutexLock lock(mu_);
  MakeReady(subscriber);
}

void SubscriptionHub::Park(Subscriber& subscriber) {
  platform::MutexLock lock(mu_);
  if (!subscriber.leaving_.ok() || draining_ || subscriber.growth_seen_ != growth_) {
    return MakeReady(subscriber);
  }
  subscriber.state_ = Subscriber::State::kParked;
  parked_.push_back(&subscriber);
}

void SubscriptionHub::End(Subscriber& subscriber, const absl::Status& status) {
  if (subscriber.audience_ != 0) audiences_.Leave(subscriber.audience_);
  {
    platform::MutexLock lock(mu_);
    subscriber.state_ = Subscriber::State::kEnded;
    subscribers_.erase(&subscriber);
  }
  metrics_.subscribers->Decrement();
  subscriber.End(status);
}

void SubscriptionHub::Count(const PageEnd& page) {
  if (page.events > 0) metrics_.sent_events->Increment(static_cast<double>(page.events));
  if (page.gap) metrics_.gaps->Increment();
}

void SubscriptionHub::AbortSends() {
  std::vector<Subscriber*> sending;
  {
    platform::MutexLock lock(mu_);
    for (Subscriber* subscriber : subscribers_) {
      if (subscriber->state_ == Subscriber::State::kSending) sending.push_back(subscriber);
    }
  }
  // They live: only this thread ends them.
  for (Subscriber* subscriber : sending) subscriber->Abort();
}

void SubscriptionHub::Serve(std::unique_ptr<PendingRead> read) {
  bool stopping;
  {
    platform::MutexLock lock(mu_);
    stopping = stopping_;
  }
  if (stopping) return Finish(*read, Draining());
  PageEnd& all = read->all;
  PageLimits limits = options_.page;
  limits.max_events = std::min(limits.max_events, read->request.limit - all.events);
  const auto page = reader_.Read(read->request.from, read->request.filter, limits,
                                 read->response.mutable_bytes());
  if (!page.ok()) return Finish(*read, page.status());
  read->request.from = page->next;
  all = {.next = page->next,
         .gap = all.gap || page->gap,
         .end = page->end,
         .events = all.events + page->events,
         .bytes = all.bytes + page->bytes,
         .rows = all.rows + page->rows};
  Count(*page);
  if (all.end || all.events >= read->request.limit || all.bytes >= kMaxReadBytes ||
      all.rows >= options_.max_silent_rows) {
    v1::ReadResponse rest;
    rest.set_next(std::string(reader_.Text(all.next)));
    rest.set_end(all.end);
    rest.set_gap(all.gap);
    read->response.Merge(rest);
    return Finish(*read, absl::OkStatus());
  }
  platform::MutexLock lock(mu_);
  turns_.push_back({.kind = Turn::Kind::kRead, .read = std::move(read)});
}

void SubscriptionHub::Finish(PendingRead& read, const absl::Status& status) {
  {
    platform::MutexLock lock(mu_);
    --reads_;
  }
  read.done(status);
}

}  // namespace kantoku::events
