// Who sits the exam of executors in our tests: the runtime of ours, in this process.
#include <stop_token>
#include <thread>
#include <utility>

#include "services/executor-runtime/executor.h"
#include "services/platform/check.h"
#include "tests/conformance/executor_exam/executor_exam.h"
#include "tests/support/notification.h"

namespace kantoku::executor_exam {
namespace {

using executor::Context;
using executor::Executor;
using executor::Result;

absl::StatusOr<Result> Wait(Context& context) {
  test::Notification asked;
  const std::stop_callback on_stop(context.stop_token(), [&] { asked.Notify(); });
  asked.Wait();
  return absl::CancelledError("asked to stop");
}

class RuntimeSubject final : public ExecutorSubject {
 public:
  RuntimeSubject() {
    auto made = Executor::Make({.inputs_address = services_.address(),
                                .concurrency = 2,
                                .log = [](executor::LogLevel, std::string_view) {}});
    KANTOKU_CHECK(made.ok());
    executor_ = *std::move(made);
    Handle(kEcho, [](Context& context) -> absl::StatusOr<Result> {
      return Result{std::string(context.payload()), ""};
    });
    Handle(kFail, [](Context&) -> absl::StatusOr<Result> {
      return absl::InternalError("as it is meant to");
    });
    Handle(kWait, Wait);
    runner_ = std::thread([this] { (void)executor_->Run(); });
  }
  ~RuntimeSubject() override {
    executor_->Stop();
    runner_.join();
  }

  testing::FakeServices& services() override { return services_; }

 private:
  void Handle(const char* type, executor::Handler handler) {
    const absl::Status handled = executor_->Handle(type, std::move(handler));
    KANTOKU_CHECK(handled.ok());
  }

  testing::FakeServices services_;
  std::unique_ptr<Executor> executor_;
  std::thread runner_;
};

}  // namespace

std::vector<ExecutorEntry> AllExecutors() {
  return {{"runtime", [] { return std::make_unique<RuntimeSubject>(); }}};
}

}  // namespace kantoku::executor_exam
