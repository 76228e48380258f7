#include "services/all-in-one/bench/roles.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "kantoku/client.h"
#include "services/all-in-one/bench/sessions_role.h"
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/run_until_signal.h"
#include "services/platform/log/log.h"
#include "services/platform/server/stop_signal.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

using executor::Context;
using executor::Result;

// How a role reaches the server, and where it counts.
struct RoleOptions {
  std::string server;
  std::string access;
  std::string counter;
};

void AddTo(CLI::App& app, RoleOptions& options, const std::string& counter) {
  app.group("");  // Not for people: not in the help.
  app.add_option("--server", options.server)->required();
  app.add_option("--access", options.access);
  app.add_option(counter, options.counter)->required();
}

int Fail(std::string_view role, const absl::Status& status) {
  std::cerr << "kantoku " << role << ": " << status << std::endl;
  return static_cast<int>(cli::ExitCode::kFailed);
}

std::atomic_ref<uint64_t> Atomic(volatile uint64_t& number) {
  return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(number));
}

absl::StatusOr<Result> Generate(Context& context) {
  const Generator generator = Generator::FromPayload(context.payload());
  for (uint64_t i = 0; i < generator.items; ++i) {
    if (generator.pause_us > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(generator.pause_us));
    }
    KANTOKU_RETURN_IF_ERROR(context.Yield(absl::StrCat(absl::Dec(StampNow(), absl::kZeroPad20))));
  }
  return Result{.data = std::string(kEchoBytes, 'y')};
}

absl::StatusOr<Result> Hold(Context& context) {
  std::atomic<bool> stopped = false;
  const std::stop_callback on_stop(context.stop_token(), [&] {
    stopped = true;
    stopped.notify_all();
  });
  stopped.wait(false);
  return absl::CancelledError("as asked");
}

// `types` 0: the types of roles.h; else so many of EchoTypeOf alone, as a session may have 1,000.
int RunExecutor(const RoleOptions& role, const std::string& name_space, size_t types,
                uint32_t held) {
  const auto begun = OpenCounter(role.counter);
  if (!begun.ok()) return Fail(kExecutorRole, begun.status());
  executor::ExecutorOptions options;
  options.inputs_address = role.server;
  options.access_file = role.access;
  options.name_space = name_space;
  options.concurrency = 16;  // For what does not run inline.
  options.max_held = held;
  platform::SetUpLog({.level = platform::LogLevel::kWarn});
  return executor::RunUntilSignal(
      "kantoku bench-executor", options, [&](executor::Executor& executor) -> absl::Status {
        const auto echo = [&](Context&) {
          Atomic(**begun).fetch_add(1, std::memory_order_relaxed);
          return Result{.data = std::string(kEchoBytes, 'y')};
        };
        for (size_t i = 0; i < std::max<size_t>(types, 1); ++i) {
          KANTOKU_RETURN_IF_ERROR(executor.HandleInline(EchoTypeOf(i), echo));
        }
        if (types > 0) return absl::OkStatus();
        KANTOKU_RETURN_IF_ERROR(executor.Handle(kStreamType, Generate));
        return executor.Handle(kHoldType, Hold);
      });
}

// Subscribers of all events, each with a connection of its own; ends of tasks are counted.
int RunSubscribers(const RoleOptions& role, int count) {
  platform::StopSignal signal;
  const auto seen = OpenCounter(role.counter);
  if (!seen.ok()) return Fail(kSubscriberRole, seen.status());
  std::vector<std::unique_ptr<EventStream>> streams;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    ClientOptions options;
    options.access_file = role.access;
    auto client = Client::Connect(role.server, std::move(options));
    if (!client.ok()) return Fail(kSubscriberRole, client.status());
    streams.push_back(client->Subscribe({.from_oldest = true}));
  }
  threads.reserve(streams.size());
  for (const auto& stream : streams) {
    threads.emplace_back([&seen, stream = stream.get()] {
      for (auto page = stream->Next(); page.ok(); page = stream->Next()) {
        const auto ends = std::ranges::count(page->events, "task.finished", &Event::type);
        Atomic(**seen).fetch_add(static_cast<uint64_t>(ends), std::memory_order_relaxed);
      }
    });
  }
  while (!signal.Wait(absl::InfiniteDuration()).has_value()) continue;
  for (const auto& stream : streams) stream->Cancel();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

cli::ExtraCommand MakeExecutorRole() {
  auto options = std::make_shared<RoleOptions>();
  auto name_space = std::make_shared<std::string>("default");
  auto types = std::make_shared<size_t>(0);
  auto held = std::make_shared<uint32_t>(1'000);
  return {.name = kExecutorRole,
          .description = "The executor of a bench",
          .set_up =
              [options, name_space, types, held](CLI::App& app) {
                AddTo(app, *options, "--begun");
                app.add_option("--namespace", *name_space);
                app.add_option("--types", *types);
                app.add_option("--held", *held);
              },
          .run = [options, name_space, types,
                  held] { return RunExecutor(*options, *name_space, *types, *held); }};
}

cli::ExtraCommand MakeSubscriberRole() {
  auto options = std::make_shared<RoleOptions>();
  auto count = std::make_shared<int>(1);
  return {.name = kSubscriberRole,
          .description = "Subscribers of a bench",
          .set_up =
              [options, count](CLI::App& app) {
                AddTo(app, *options, "--seen");
                app.add_option("--count", *count);
              },
          .run = [options, count] { return RunSubscribers(*options, *count); }};
}

cli::ExtraCommand MakeSessionsRole() {
  auto options = std::make_shared<SessionsOptions>();
  return {.name = kSessionsRole,
          .description = "Executors of a bench, in large numbers",
          .set_up =
              [options](CLI::App& app) {
                app.group("");
                app.add_option("--server", options->server)->required();
                app.add_option("--access", options->access);
                app.add_option("--type", options->type);
                app.add_option("--count", options->count);
                app.add_option("--welcomed", options->welcomed)->required();
                app.add_option("--latencies", options->latencies)->required();
              },
          .run =
              [options] {
                const absl::Status status = RunSessions(*options);
                return status.ok() ? 0 : Fail(kSessionsRole, status);
              }};
}

}  // namespace

std::string EchoTypeOf(size_t number) {
  return number == 0 ? kEchoType : absl::StrCat(kEchoType, ".", number);
}

std::string Generator::ToPayload() const { return absl::StrCat(items, " ", pause_us); }

Generator Generator::FromPayload(const std::string& payload) {
  Generator generator;
  const std::pair<std::string, std::string> words = absl::StrSplit(payload, ' ');
  static_cast<void>(absl::SimpleAtoi(words.first, &generator.items));
  static_cast<void>(absl::SimpleAtoi(words.second, &generator.pause_us));
  return generator;
}

uint64_t StampNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

std::vector<cli::ExtraCommand> MakeRoleCommands() {
  return {MakeExecutorRole(), MakeSubscriberRole(), MakeSessionsRole()};
}

absl::StatusOr<std::shared_ptr<volatile uint64_t>> OpenCounter(const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  const bool sized = ftruncate(file, sizeof(uint64_t)) == 0;
  void* const mapped =
      sized ? mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            : MAP_FAILED;
  close(file);
  if (mapped == MAP_FAILED) return absl::ErrnoToStatus(errno, path);
  return std::shared_ptr<volatile uint64_t>(
      static_cast<volatile uint64_t*>(mapped),
      [mapped](volatile uint64_t*) { munmap(mapped, sizeof(uint64_t)); });
}

}  // namespace kantoku::bench
