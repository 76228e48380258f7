#include "services/executor-runtime/run_until_signal.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "services/platform/log/log.h"
#include "services/platform/server/stop_signal.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

int Fail(std::string_view name, const absl::Status& status) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(name.size()), name.data(),
               std::string(platform::ToStd(status.message())).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
}

}  // namespace

int RunUntilSignal(std::string_view name, const ExecutorOptions& options,
                   const std::function<absl::Status(Executor&)>& register_handlers) {
  platform::StopSignal signal;
  auto executor = Executor::Make(options);
  if (!executor.ok()) return Fail(name, executor.status());
  if (const absl::Status status = register_handlers(**executor); !status.ok()) {
    return Fail(name, status);
  }
  absl::Notification over;
  absl::Status verdict;
  std::thread runner([&] {
    verdict = (*executor)->Run();
    over.Notify();
    kill(getpid(), SIGTERM);  // Wakes the wait below.
  });
  bool draining = false;
  while (!over.HasBeenNotified()) {
    const auto which = signal.Wait(absl::InfiniteDuration());
    if (over.HasBeenNotified() || !which.has_value()) continue;
    platform::Log(platform::LogLevel::kInfo,
                  draining ? "executor: stopping at once" : "executor: draining",
                  {{"signal", *which}});
    std::exchange(draining, true) ? (*executor)->Stop() : (*executor)->Drain();
  }
  runner.join();
  if (verdict.ok()) return 0;
  Fail(name, verdict);
  return 1;
}

}  // namespace kantoku::executor
