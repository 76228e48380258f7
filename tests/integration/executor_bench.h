#ifndef KANTOKU_TESTS_INTEGRATION_EXECUTOR_BENCH_H_
#define KANTOKU_TESTS_INTEGRATION_EXECUTOR_BENCH_H_

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "services/executor-runtime/executor.h"
#include "services/platform/mutex.h"
#include "tests/support/dispatches.h"
#include "tests/support/fake_services.h"

// An executor between scripted services, and what its tests say often.
namespace kantoku::executor {

using testing::DispatchOf;
using testing::FakeConnection;
using testing::FakeServices;
using testing::IdOf;
using testing::kPatience;
using Said = FakeConnection::Said;

// Opens once, for all.
class Gate {
 public:
  void Open() { opened_.Notify(); }
  bool Await() { return opened_.WaitForNotificationWithTimeout(kPatience); }

 private:
  absl::Notification opened_;
};

inline absl::StatusOr<Result> Echo(Context& context) {
  return Result{"echo of " + context.payload(), "text/plain"};
}

// Returns an error once it is asked to stop.
inline absl::Status StopWhenAsked(Context& context) {
  Gate asked;
  std::stop_callback on_stop(context.stop_token(), [&] { asked.Open(); });
  return asked.Await() ? absl::CancelledError("asked to stop") : absl::InternalError("not asked");
}

// An executor that runs on a thread of its own.
class Bench {
 public:
  explicit Bench(ExecutorOptions options = {}) {
    options.inputs_address = services.address();
    if (options.concurrency == 0) options.concurrency = 2;
    options.log = [](LogLevel, std::string_view) {};
    executor = Executor::Make(std::move(options)).value();
  }
  ~Bench() {
    executor->Stop();
    if (runner_.joinable()) runner_.join();
    executor = nullptr;
  }

  std::shared_ptr<FakeConnection> Run(Handler handler) {
    const absl::Status registered = executor->Handle("test.type", std::move(handler));
    REQUIRE(registered.ok());
    Start();
    return Next();
  }
  void Start() {
    runner_ = std::thread([this] {
      const absl::Status verdict = executor->Run();
      {
        platform::MutexLock lock(mutex_);
        verdict_ = verdict;
      }
      over_.Open();
    });
  }
  // The next connection, with its hello.
  std::shared_ptr<FakeConnection> Next() {
    auto connection = services.NextConnection();
    REQUIRE(connection != nullptr);
    return connection;
  }
  absl::Status Verdict() {
    REQUIRE(over_.Await());
    platform::MutexLock lock(mutex_);
    return verdict_;
  }

  FakeServices services;
  std::unique_ptr<Executor> executor;

 private:
  std::thread runner_;
  platform::Mutex mutex_;
  absl::Status verdict_ ABSL_GUARDED_BY(mutex_);
  Gate over_;
};

// Returns once the executor has read everything that was sent before.
inline void AwaitReading(FakeConnection& inputs) {
  static std::atomic<uint64_t> number = 1'000'000;
  inputs::v1::PullResponse frame;
  frame.mutable_ping()->set_number(++number);
  inputs.Send(frame);
  REQUIRE(inputs.Await([&](const Said& said) {
    return !said.pongs.empty() && said.pongs.back() == frame.ping().number();
  }));
}

inline auto Acks(size_t count) {
  return [count](const Said& said) { return said.acks.size() >= count; };
}
inline auto Nacks(size_t count) {
  return [count](const Said& said) { return said.nacks.size() >= count; };
}

}  // namespace kantoku::executor

#endif  // KANTOKU_TESTS_INTEGRATION_EXECUTOR_BENCH_H_
