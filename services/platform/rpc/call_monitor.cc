#include "services/platform/rpc/call_monitor.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <utility>

#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Of a call: from an answer out of memory to one that waited for a slow disk.
prometheus::Histogram::BucketBoundaries LatencyBuckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
          0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
}

// Codes that no caller can bring about.
bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

CallMonitor::Method::Method(CallMonitor& monitor, std::string name)
    : monitor_(monitor), name_(std::move(name)) {
  auto& ended = prometheus::BuildCounter()
                    .Name("kantoku_rpc_calls_total")
                    .Help("Calls and streams that ended, by method and status code.")
                    .Register(monitor.registry_);
  for (size_t code = 0; code < kCodes; ++code) {
    const auto text = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
    ended_[code] = &ended.Add({{"method", name_}, {"code", text}});
  }
  seconds_ = &prometheus::BuildHistogram()
                  .Name("kantoku_rpc_seconds")
                  .Help("How long calls took, by method; streams are not among them.")
                  .Register(monitor.registry_)
                  .Add({{"method", name_}}, LatencyBuckets());
  open_ = &prometheus::BuildGauge()
               .Name("kantoku_rpc_open_streams")
               .Help("Streams that are open, by method.")
               .Register(monitor.registry_)
               .Add({{"method", name_}});
}

absl::Duration CallMonitor::Method::Begin() { return monitor_.clock_.Read().steady; }

void CallMonitor::Method::Ended(absl::Duration begin, const absl::Status& status) {
  seconds_->Observe(absl::ToDoubleSeconds(monitor_.clock_.Read().steady - begin));
  Count(status);
}

void CallMonitor::Method::StreamOpened() {
  open_->Increment();
  monitor_.ChangeStreams(1);
}

void CallMonitor::Method::StreamEnded(const absl::Status& status) {
  Count(status);
  open_->Decrement();
  monitor_.ChangeStreams(-1);
}

void CallMonitor::Method::Count(const absl::Status& status) {
  ended_[static_cast<size_t>(status.code()) % kCodes]->Increment();
  if (status.ok()) return;
  const LogLevel level = IsOurFault(status.code()) ? LogLevel::kError : LogLevel::kDebug;
  if (!LogEnabled(level)) return;
  Log(level, "rpc: call failed",
      {{"method", name_}, {"status", status}, {"reason", ReasonOf(status)}});
}

CallMonitor::CallMonitor(prometheus::Registry& registry, Clock& clock)
    : registry_(registry), clock_(clock) {}

CallMonitor::~CallMonitor() = default;

CallMonitor::Method& CallMonitor::MethodOf(std::string_view name) {
  MutexLock lock(mutex_);
  auto found = methods_.find(name);
  if (found == methods_.end()) {
    std::string key(name);
    auto method = std::unique_ptr<Method>(new Method(*this, key));
    found = methods_.emplace(std::move(key), std::move(method)).first;
  }
  return *found->second;
}

int64_t CallMonitor::open_streams() const {
  MutexLock lock(mutex_);
  return open_streams_;
}

bool CallMonitor::AwaitNoStreams(absl::Duration limit) {
  const absl::Duration deadline = clock_.Read().steady + limit;
  MutexLock lock(mutex_);
  while (open_streams_ > 0) {
    if (clock_.Read().steady >= deadline) return false;
    clock_.Wait(mutex_, streams_ended_, deadline);
  }
  return true;
}

void CallMonitor::ChangeStreams(int by) {
  MutexLock lock(mutex_);
  open_streams_ += by;
  if (open_streams_ == 0) streams_ended_.SignalAll();
}

}  // namespace kantoku::platform
