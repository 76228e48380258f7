// examples/fenced-row with a real PostgreSQL and the real program.
#include "examples/fenced-row/fenced_row.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "tests/e2e/up.h"
#include "tests/support/notification.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

using examples::FencedRows;
using examples::WriteReading;
using executor::Context;
using executor::Executor;

// An executor of this process that runs until it is stopped.
class Running {
 public:
  Running(const Up& up, const executor::Handler& handler) {
    auto made = Executor::Make({.inputs_address = up.address(), .access_file = up.access()});
    REQUIRE(made.ok());
    executor_ = *std::move(made);
    REQUIRE(executor_->Handle("reading.write", handler).ok());
    thread_ = std::thread([this] { static_cast<void>(executor_->Run()); });
  }
  ~Running() { Stop(); }
  void Stop() {
    executor_->Stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::unique_ptr<Executor> executor_;
  std::thread thread_;
};

TEST_CASE("A dispatch that wakes late does not overwrite the row of the one that took its place") {
  const PrivatePostgres postgres;
  const FencedRows rows(postgres.connection());
  REQUIRE(rows.Prepare().ok());
  const Up up({.settings = {"inputs.grace=1s", "inputs.ping_interval=200ms"}});
  Notification frozen;
  Notification wakes;
  Notification has_written;
  uint32_t first_dispatch = 0;
  std::string late;
  Running first(up, [&](Context& task) -> absl::StatusOr<executor::Result> {
    first_dispatch = task.dispatch();
    frozen.Notify();
    wakes.Wait();
    auto result = WriteReading(task, rows);
    late = result.ok() ? result->data : result.status().ToString();
    has_written.Notify();
    return result;
  });
  Client client = up.Connect();
  const auto task = client.Spawn(Task("reading.write", "sensor-7 21.5"));
  REQUIRE(task.ok());
  frozen.Wait();
  // Whatever the first holds is somebody else's from now on, and its handler goes on.
  std::thread stopping([&] { first.Stop(); });
  const Running second(up, [&](Context& again) -> absl::StatusOr<executor::Result> {
    const auto written = rows.Write("sensor-7", "22.0", again.task_id(), again.dispatch());
    if (!written.ok()) return written.status();
    return executor::Result{.data = *written ? "written" : "superseded"};
  });
  const auto output = client.Await(task->id, {.timeout = kPatience});
  REQUIRE(output.ok());
  CHECK(output->data == "written");
  CHECK(output->dispatch == 2);
  CHECK(first_dispatch == 1);
  wakes.Notify();
  has_written.Wait();
  stopping.join();
  CHECK(late == "superseded");
  CHECK(rows.Read("sensor-7").value() == "22.0");
}

TEST_CASE("A row keeps what was written under the highest fence, in whatever order it comes") {
  PrivatePostgres postgres;
  const FencedRows rows(postgres.connection());
  REQUIRE(rows.Prepare().ok());
  REQUIRE(rows.Prepare().ok());
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const auto older = platform::TaskId::Make(now, 1, 1, 7);
  const auto newer = platform::TaskId::Make(now + absl::Seconds(1), 1, 2, 3);
  CHECK(absl::IsNotFound(rows.Read("a").status()));
  CHECK(rows.Write("a", "o2", older, 2).value());
  CHECK_FALSE(rows.Write("a", "o1", older, 1).value());
  CHECK(rows.Write("a", "o2 again", older, 2).value());
  CHECK(rows.Read("a").value() == "o2 again");
  CHECK(rows.Write("a", "n1", newer, 1).value());
  CHECK_FALSE(rows.Write("a", "o3", older, 3).value());
  CHECK(rows.Write("b", "o3", older, 3).value());
  CHECK(rows.Read("a").value() == "n1");
  postgres.Crash();
  CHECK(absl::IsUnavailable(rows.Write("a", "n2", newer, 2).status()));
  postgres.Start();
  CHECK(rows.Read("a").value() == "n1");
}

}  // namespace
}  // namespace kantoku::test
