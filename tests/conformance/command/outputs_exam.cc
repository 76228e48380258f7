// Who sits the exam of Outputs when the command holds it: a service that is only reached.
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/random.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "tests/conformance/command/exam_cleanup.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/run_exam.h"
#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_names.h"
#include "tests/conformance/outputs_exam/exam_tasks.h"
#include "tests/conformance/outputs_exam/outputs_service_exam.h"
#include "tests/conformance/outputs_exam/table_of_tasks.h"

namespace kantoku::conformance {
namespace {

using inputs::v1::InputsService;
using outputs::TableOfTasks;
using outputs::v1::OutputsService;
using platform::MutexLock;
using platform::SessionId;
using platform::TaskId;
using platform::Uuid;

// What every case of a service has that is only reached. Cases that need more are skipped.
class TargetSubject : public outputs::ServiceSubject {
 public:
  std::shared_ptr<grpc::Channel> channel() final { return TheTarget().channel; }
  void Stop() final { KANTOKU_CHECK(false); }
  void Start() final { KANTOKU_CHECK(false); }
  void GoOnWithoutRestart() final { GoOnWithout("restart"); }
  void SetMaxBytes(uint64_t /*bytes*/) final { KANTOKU_CHECK(false); }
};

// Tasks of Inputs, spawned and pulled when a case first names them, by an executor of its own.
class SpawnedTasks {
 public:
  SpawnedTasks()
      : executor_(TheTarget().inputs), stub_(InputsService::NewStub(TheTarget().inputs)) {
    constexpr uint32_t kCredit = 100;
    executor_.Say(inputs::ExamExecutor::HelloOf(1, kCredit));
  }

  // The first time on the main thread, which may fail the case.
  inputs::v1::Dispatch Dispatch(uint64_t n) {
    if (auto known = Find(n)) return *std::move(known);
    inputs::v1::Dispatch pulled = Pull(Spawn(n));
    const MutexLock lock(mutex_);
    return dispatches_.emplace(n, std::move(pulled)).first->second;
  }

 private:
  std::optional<inputs::v1::Dispatch> Find(uint64_t n) {
    const MutexLock lock(mutex_);
    const auto found = dispatches_.find(n);
    if (found == dispatches_.end()) return std::nullopt;
    return found->second;
  }
  std::string Spawn(uint64_t n) {
    inputs::v1::SpawnRequest request;
    request.set_namespace_(TheTarget().name_space);
    request.set_request_id(inputs::Fresh(absl::StrCat("task ", n)));
    request.add_specs()->set_type(inputs::Fresh("x"));
    inputs::v1::SpawnResponse response;
    grpc::ClientContext context;
    SetDeadline(context);
    const absl::Status status = platform::FromGrpc(stub_->Spawn(&context, request, &response));
    INFO("the case's task is spawned: " << status.ToString());
    REQUIRE(response.results_size() == 1);
    REQUIRE_FALSE(response.results(0).task_id().empty());
    return response.results(0).task_id();
  }
  inputs::v1::Dispatch Pull(const std::string& id) {
    const auto is_it = [&](const inputs::v1::Dispatch& each) { return each.task_id() == id; };
    INFO("the case's task is pulled");
    REQUIRE(executor_.Hear([&](const inputs::v1::PullResponse& heard) {
      return std::ranges::any_of(heard.tasks(), is_it);
    }));
    return *std::ranges::find_if(executor_.heard().tasks(), is_it);
  }

  inputs::ExamExecutor executor_;
  const std::unique_ptr<InputsService::Stub> stub_;
  platform::Mutex mutex_;
  std::map<uint64_t, inputs::v1::Dispatch> dispatches_ ABSL_GUARDED_BY(mutex_);
};

// Beside its Inputs, which may be in use: the exam has the rights of an executor and of a user.
class SubjectInUse final : public TargetSubject {
 public:
  SubjectInUse() {
    inputs::UseNames(TheTarget().name_space,
                     absl::StrFormat("%015x", platform::SystemRandom() >> 4));
    tasks_ = std::make_unique<SpawnedTasks>();
    outputs::UseTasks({.task =
                           [tasks = tasks_.get()](uint64_t n) {
                             const auto id = TaskId::FromBytes(tasks->Dispatch(n).task_id());
                             REQUIRE(id.ok());
                             return *id;
                           },
                       .session = SessionId(Uuid::FromBytes(inputs::SessionId(1)).value()),
                       .name_space = TheTarget().name_space});
  }
  ~SubjectInUse() override {
    LeftBehind() += CancelTasks(TheTarget().inputs, TheTarget().name_space, inputs::Fresh("x"));
  }

  const platform::MacKeys& keys() override { KANTOKU_CHECK(false); }
  bool HasKeys() override {
    GoOnWithout("keys");
    return false;
  }
  std::string LeaseToken(uint64_t task, uint32_t dispatch) override {
    const inputs::v1::Dispatch pulled = tasks_->Dispatch(task);
    KANTOKU_CHECK(dispatch == 1);
    return pulled.lease_token();
  }

  // It runs: it is one of those that the exam has pulled.
  void SetTask(const std::string& /*id*/, task::v1::TaskState state) override {
    KANTOKU_CHECK(state == task::v1::TASK_STATE_RUNNING);
  }
  void DamageTask(const std::string& /*id*/) override { KANTOKU_CHECK(false); }
  void SetInputsThere(bool /*there*/) override { KANTOKU_CHECK(false); }
  void AwaitQuestions(int /*count*/) override { KANTOKU_CHECK(false); }

 private:
  std::unique_ptr<SpawnedTasks> tasks_;
};

// The Inputs that the exam is.
class PlayedInputs final : public InputsService::Service {
 public:
  // FAILED_PRECONDITION where one cannot listen.
  absl::Status Serve(const std::string& address) {
    if (!platform::IsOwnAddress(address)) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "NO_TLS",
                             "--as-inputs: only this computer may reach it");
    }
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // Else calls of others come here.
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.SetMaxReceiveMessageSize(platform::kMaxMessageBytes);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr) return absl::OkStatus();
    return platform::Error(absl::StatusCode::kFailedPrecondition, "CANNOT_LISTEN",
                           absl::StrCat("--as-inputs: cannot listen at ", address));
  }
  // Of a new case.
  std::shared_ptr<TableOfTasks> NewTable() {
    const MutexLock lock(mutex_);
    table_ = std::make_shared<TableOfTasks>();
    return table_;
  }

  // Whether somebody has shown other keys.
  bool has_refused() const { return has_refused_; }

  grpc::Status GetTasks(grpc::ServerContext* context, const inputs::v1::GetTasksRequest* request,
                        inputs::v1::GetTasksResponse* response) override {
    const auto asker = platform::CallingService(*context, *TheTarget().keys, absl::Now());
    if (!asker.ok()) {
      has_refused_ = true;
      return platform::ToGrpc(asker.status());
    }
    if (*asker != "outputs") {
      return {grpc::StatusCode::PERMISSION_DENIED, "of the exam's tasks only Outputs is told"};
    }
    std::shared_ptr<TableOfTasks> table;
    {
      const MutexLock lock(mutex_);
      table = table_;
    }
    return platform::ToGrpc(table->Answer(*request, *response));
  }

 private:
  platform::Mutex mutex_;
  std::shared_ptr<TableOfTasks> table_ ABSL_GUARDED_BY(mutex_) = std::make_shared<TableOfTasks>();
  std::atomic<bool> has_refused_ = false;
  std::unique_ptr<grpc::Server> server_;
};
PlayedInputs& TheInputs() {
  static auto& inputs = *new PlayedInputs;
  return inputs;
}

// In nobody's use, with the exam as its Inputs.
class SubjectOfOurs final : public TargetSubject {
 public:
  SubjectOfOurs() : table_(TheInputs().NewTable()) {
    // Sequences and epochs that it has not heard of, also where an exam was held of it before.
    constexpr uint64_t kTasksOfCase = 100'000;
    static uint64_t next = platform::SystemRandom() >> 21;
    const uint64_t first = next;
    next += kTasksOfCase;
    const absl::Time now = absl::Now();
    outputs::UseTasks({.task = [=](uint64_t n) { return TaskId::Make(now, 3, first + n, 5); },
                       .session = outputs::Session(),
                       .name_space = TheTarget().name_space,
                       .first_epoch = static_cast<uint64_t>(absl::ToUnixNanos(now))});
  }

  const platform::MacKeys& keys() override { return *TheTarget().keys; }
  void SetTask(const std::string& id, task::v1::TaskState state) override {
    table_->SetTask(id, state);
  }
  void DamageTask(const std::string& id) override { table_->DamageTask(id); }
  void SetInputsThere(bool there) override { table_->SetThere(there); }
  void AwaitQuestions(int count) override {
    INFO("Outputs asks Inputs, " << count << " times");
    REQUIRE(table_->AwaitQuestions(count));
  }

 private:
  const std::shared_ptr<TableOfTasks> table_;
};

absl::Status Knock(const std::shared_ptr<grpc::Channel>& channel) {
  outputs::v1::GetRequest request;
  request.add_task_ids(std::string(TaskId::kSize, '\0'));
  grpc::ClientContext context;
  SetDeadline(context);
  outputs::v1::GetResponse response;
  return FirstAnswer(OutputsService::NewStub(channel)->Get(&context, request, &response),
                     "kantoku.outputs.v1.OutputsService");
}

// Whether it asks the exam about tasks. One in use asks its own Inputs, which could never fence
// there again after the exam's epochs; it has an answer, where one that is rightly said to ask
// nobody has none.
absl::Status AwaitQuestion(const Target& target) {
  constexpr std::chrono::seconds kPatience(15);  // More than a question of Outputs may take.
  const auto table = TheInputs().NewTable();
  const auto stub = OutputsService::NewStub(target.channel);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = stub->Await(&context);
  outputs::v1::AwaitRequest request;
  const TaskId task = TaskId::Make(absl::Now(), 3, platform::SystemRandom() >> 21, 5);
  request.add_task_ids(outputs::Id(task));
  stream->Write(request);
  bool is_answered = false;
  std::thread reader([&] {
    outputs::v1::AwaitResponse answer;
    is_answered = stream->Read(&answer);
  });
  const bool is_asked = table->AwaitQuestions(1, kPatience);
  context.TryCancel();
  reader.join();
  // One that ended by itself says nothing.
  const bool is_silent =
      stream->Finish().error_code() == grpc::StatusCode::CANCELLED && !is_answered;
  if (is_asked || (!target.asks_inputs && is_silent && !TheInputs().has_refused())) {
    return absl::OkStatus();
  }
  if (TheInputs().has_refused()) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "OTHER_KEYS",
                           "it asks, but with other keys than --mac-key-file");
  }
  return platform::Error(absl::StatusCode::kFailedPrecondition, "ANOTHER_INPUTS",
                         absl::StrCat("it does not ask the Inputs at ", target.as_inputs,
                                      ", which the exam is: does it have another one?"));
}

absl::StatusOr<std::string> Enter(const Target& target) {
  KANTOKU_RETURN_IF_ERROR(Use(target));
  KANTOKU_RETURN_IF_ERROR(Knock(target.channel));
  if (target.keys != nullptr) {
    KANTOKU_RETURN_IF_ERROR(TheInputs().Serve(target.as_inputs));
    KANTOKU_RETURN_IF_ERROR(AwaitQuestion(target));
    return absl::StrCat("an Outputs in no use, whose Inputs is at ", target.as_inputs);
  }
  KANTOKU_RETURN_IF_ERROR(AwaitConnection(*target.inputs));
  KANTOKU_RETURN_IF_ERROR(KnockAtInputs(target.inputs, target.name_space));
  return absl::StrCat("the namespace ", target.name_space);
}

std::unique_ptr<outputs::ServiceSubject> MakeSubject() {
  if (TheTarget().keys != nullptr) return std::make_unique<SubjectOfOurs>();
  return std::make_unique<SubjectInUse>();
}

}  // namespace

Exam OutputsExam() {
  return {.name = "outputs",
          .what = "Outputs, beside its Inputs, or with the exam as its Inputs",
          .sources = "conformance/outputs_exam/",
          .sitter = Sitter::kService,
          .enter = Enter,
          .abilities =
              [](const Target& target) {
                return target.keys == nullptr ? std::set<std::string>{}
                                              : std::set<std::string>{"inputs", "keys", "load"};
              },
          .left_behind = LeftBehind};
}

}  // namespace kantoku::conformance

namespace kantoku::outputs {

std::vector<ServiceEntry> AllServices() {
  return {{"the target", false, [] { return conformance::MakeSubject(); }}};
}

}  // namespace kantoku::outputs
