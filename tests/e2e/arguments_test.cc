// Results that become arguments, with the real programs.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

#include "services/executor-runtime/executor.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

// One that answers tasks of a type with its name, for as long as it lives.
class Worker {
 public:
  Worker(const Up& up, const std::string& type) {
    auto executor = executor::Executor::Make(
        {.inputs_address = up.address(), .access_file = up.access(), .concurrency = 1});
    REQUIRE(executor.ok());
    executor_ = *std::move(executor);
    REQUIRE(executor_
                ->Handle(type,
                         [type](executor::Context&) -> absl::StatusOr<executor::Result> {
                           return executor::Result{type, "text/plain"};
                         })
                .ok());
    thread_ = std::thread([this] { static_cast<void>(executor_->Run()); });
  }
  ~Worker() {
    executor_->Stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  std::unique_ptr<executor::Executor> executor_;
  std::thread thread_;
};

TEST_CASE("An argument that has expired at run time fails the task for good") {
  const Up up;
  Client kan = up.Connect();
  const Worker maker(up, "make");
  const auto made = kan.Spawn(Task("make").With(ResultRetention(absl::Seconds(1))));
  REQUIRE(kan.Await(made->id)->succeeded());
  const auto kept = kan.Spawn(Task("make"));
  REQUIRE(kan.Await(kept->id)->succeeded());
  // Both are known when it is spawned; nobody can run it yet.
  const auto user = kan.Spawn(Task("use").With(Argument(kept->id), Argument(made->id)));
  REQUIRE(user.ok());
  REQUIRE(Becomes([&] { return !kan.GetOutput(made->id).ok(); }));
  const Worker uses(up, "use");
  const auto output = kan.Await(user->id);
  REQUIRE(output.ok());
  CHECK(output->status == OutputStatus::kFailed);
  const auto info = kan.Get(user->id);
  CHECK(info->last_error->reason == "DEPENDENCY_EXPIRED");
  CHECK(info->dispatch == 1);
}

}  // namespace
}  // namespace kantoku::test
