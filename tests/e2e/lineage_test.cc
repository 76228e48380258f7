// What handlers spawn, with the real programs.
#include "kantoku/plugins/lineage.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

#include "services/executor-runtime/executor.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

// Runs `elder`, which spawns a `child`, which spawns a `grandchild`; each answers with the id of
// what it has spawned.
class Family {
 public:
  explicit Family(const Up& up) : address_(up.address()), access_(up.access()) {
    auto executor = executor::Executor::Make(
        {.inputs_address = address_, .access_file = access_, .concurrency = 3});
    REQUIRE(executor.ok());
    executor_ = *std::move(executor);
    Spawns("elder", "child");
    Spawns("child", "grandchild");
    REQUIRE(executor_
                ->Handle("grandchild",
                         [](executor::Context&) -> absl::StatusOr<executor::Result> {
                           return executor::Result{"", ""};
                         })
                .ok());
    thread_ = std::thread([this] { static_cast<void>(executor_->Run()); });
  }
  ~Family() {
    executor_->Stop();
    thread_.join();
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

 private:
  void Spawns(const std::string& type, const std::string& below) {
    const auto handler = [this,
                          below](executor::Context& context) -> absl::StatusOr<executor::Result> {
      auto kan = Client::Connect(
          address_,
          {.plugins = {Lineage(context.task_id(), context.root_id(), context.context_id())},
           .access_file = access_});
      if (!kan.ok()) return kan.status();
      auto spawned = kan->Spawn(Task(below));
      if (!spawned.ok()) return spawned.status();
      return executor::Result{spawned->id.ToString(), "text/plain"};
    };
    REQUIRE(executor_->Handle(type, handler).ok());
  }

  const std::string address_;
  const std::string access_;
  std::unique_ptr<executor::Executor> executor_;
  std::thread thread_;
};

TaskId Below(Client& kan, const TaskId& task) {
  const auto output = kan.Await(task);
  REQUIRE(output.ok());
  REQUIRE(output->succeeded());
  const auto below = TaskId::Parse(output->data);
  REQUIRE(below.ok());
  return *below;
}

TEST_CASE(
    "What a handler spawns through its lineage gets its task as parent, its root and context") {
  const Up up;
  Client kan = up.Connect();
  const Family family(up);
  const auto elder = kan.Spawn(Task("elder").With(InContext("family")));
  REQUIRE(elder.ok());
  const TaskId child = Below(kan, elder->id);
  const TaskId grandchild = Below(kan, child);
  REQUIRE(kan.Await(grandchild)->succeeded());

  CHECK(kan.Get(elder->id)->parent.empty());
  CHECK(kan.Get(child)->parent == elder->id);
  CHECK(kan.Get(child)->root == elder->id);
  CHECK(kan.Get(grandchild)->parent == child);
  CHECK(kan.Get(grandchild)->root == elder->id);
  for (const TaskId& task : {elder->id, child, grandchild}) {
    CHECK(kan.Get(task)->context_id == "family");
  }
}

}  // namespace
}  // namespace kantoku::test
