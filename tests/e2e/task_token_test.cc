// What a handler may do with the token of the task that it runs, with the real programs.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "kantoku/auth/v1/blocks.pb.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/executor-runtime/executor.h"
#include "tests/e2e/trusting.h"

namespace kantoku::test {
namespace {

// An executor of the user `lab`, whose handlers of `parent` tell what they are given, and go on
// until they may end.
class ToldOfTokens {
 public:
  explicit ToldOfTokens(const Trusting& trusting) {
    executor::ExecutorOptions options;
    options.inputs_address = trusting.up->address();
    options.access_file = trusting.up->access();
    options.token = trusting.Token("lab", "inputs:pull outputs:write");
    options.concurrency = 1;
    auto executor = executor::Executor::Make(options);
    REQUIRE(executor.ok());
    executor_ = *std::move(executor);
    REQUIRE(executor_->Handle("parent", [this](executor::Context& context) { return Run(context); })
                .ok());
    thread_ = std::thread([this] { static_cast<void>(executor_->Run()); });
  }
  ~ToldOfTokens() {
    End();
    executor_->Stop();
    thread_.join();
  }
  ToldOfTokens(const ToldOfTokens&) = delete;
  ToldOfTokens& operator=(const ToldOfTokens&) = delete;

  // Of the handler that runs.
  std::string AwaitToken() {
    CHECK(Becomes([this] { return has_begun_.load(); }));
    return token_;
  }
  const executor::Provenance& provenance() const { return provenance_; }
  void End() { may_end_ = true; }

 private:
  absl::StatusOr<executor::Result> Run(executor::Context& context) {
    token_ = context.task_token();
    provenance_ = context.provenance();
    has_begun_ = true;
    while (!may_end_ && !context.cancelled()) std::this_thread::yield();
    return executor::Result{"done", "text/plain"};
  }

  std::string token_;  // Constant once it has begun, like what follows.
  executor::Provenance provenance_;
  std::atomic<bool> has_begun_ = false;
  std::atomic<bool> may_end_ = false;
  std::unique_ptr<executor::Executor> executor_;
  std::thread thread_;
};

TEST_CASE("An executor's handler spawns in the name of its task's owner, while it holds the task") {
  const Trusting trusting;
  ToldOfTokens lab(trusting);
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("parent"));
  REQUIRE(task.ok());
  // Whoever has it may use it, from wherever: it is for processes that have nothing else.
  Client handler = trusting.As(lab.AwaitToken());
  CHECK(lab.provenance().user == "anna");
  CHECK(lab.provenance().app == lab.provenance().spawner_app);
  CHECK(lab.provenance().ancestors.empty());
  const auto child = handler.Spawn(Task("child"));
  REQUIRE(child.ok());
  const auto of_child = anna.Get(child->id);
  REQUIRE(of_child.ok());
  CHECK(of_child->owner == "anna");
  CHECK(of_child->parent == task->id);
  CHECK(of_child->root == task->id);
  CHECK(of_child->provenance.user == "anna");
  CHECK(of_child->provenance.app == anna.Get(task->id)->provenance.app);
  CHECK(of_child->provenance.spawner_executor_owner == "lab");
  CHECK(of_child->provenance.ancestors == std::vector<TaskId>{task->id});

  CHECK(WhyNot(handler.Get(task->id)) == "SCOPE_MISSING");
  CHECK(WhyNot(handler.Get(child->id)) == "SCOPE_MISSING");
  const auto mine = anna.Spawn(Task("mine"));
  REQUIRE(mine.ok());
  CHECK(WhyNot(handler.Spawn(Task("child").With(ChildOf(mine->id, mine->id)))) ==
        "TASK_TOKEN_PARENT");
  CHECK(WhyNot(trusting.As(lab.AwaitToken(), "lab").Spawn(Task("child"))) == "NAMESPACE_FORBIDDEN");
  CHECK(anna.Cancel(child->id).ok());
  lab.End();
  REQUIRE(anna.Await(task->id)->succeeded());
  CHECK(Becomes([&] { return WhyNot(handler.Spawn(Task("child"))) == "STALE_TASK_TOKEN"; }));
}

TEST_CASE(
    "A handler spawns no other types than whoever spawned its task may, also after a restart") {
  Trusting trusting;
  ToldOfTokens lab(trusting);
  Client anna = trusting.As(
      trusting.Token("anna", "inputs:spawn:parent inputs:spawn:child-* inputs:read outputs:read"));
  REQUIRE(anna.Spawn(Task("parent")).ok());
  Client handler = trusting.As(lab.AwaitToken());
  CHECK(handler.Spawn(Task("child-1")).ok());
  CHECK(WhyNot(handler.Spawn(Task("payout"))) == "SCOPE_MISSING");
  trusting.up->process().Kill();
  trusting.up->Restart();
  CHECK(handler.Spawn(Task("child-2")).ok());
  CHECK(WhyNot(handler.Spawn(Task("payout"))) == "SCOPE_MISSING");
}

TEST_CASE("No method but Spawn answers who shows a task token") {
  const Trusting trusting;
  ToldOfTokens lab(trusting);
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  REQUIRE(anna.Spawn(Task("parent")).ok());
  const std::string token = lab.AwaitToken();
  const auto channel = trusting.up->ChannelOfNobody();
  for (const std::string& name : kServerServices) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    REQUIRE(service != nullptr);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string method = absl::StrCat("/", name, "/", service->method(i)->name());
      CAPTURE(method);
      const std::string why = WhyNotAtAll(channel, method, token);
      if (method == "/kantoku.inputs.v1.InputsService/Spawn") {
        CHECK(why == "BAD_REQUEST_ID");  // It was let in.
      } else {
        CHECK((why == "SCOPE_MISSING" || why == "NOT_A_SERVICE"));
      }
    }
  }
  CHECK(WhyNotAtAll(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                    token) == "SCOPE_MISSING");
}

}  // namespace
}  // namespace kantoku::test
