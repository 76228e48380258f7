#include "services/outputs/inputs_client.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/caller.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;

constexpr auto kPatience = std::chrono::seconds(10);

TaskLife LifeOf(task::v1::TaskState state) {
  switch (state) {
    case task::v1::TASK_STATE_SUCCEEDED:
    case task::v1::TASK_STATE_FAILED:
    case task::v1::TASK_STATE_CANCELLED:
      return TaskLife::kEnded;
    default:
      return TaskLife::kLives;
  }
}

absl::StatusOr<std::vector<TaskLife>> Decode(const inputs::v1::GetTasksResponse& response,
                                             int asked) {
  if (response.results_size() != asked) {
    return absl::InternalError(
        absl::StrCat("Inputs answered ", response.results_size(), " of ", asked, " questions"));
  }
  std::vector<TaskLife> lives;
  lives.reserve(asked);
  for (const inputs::v1::GetTaskResult& result : response.results()) {
    const auto code = static_cast<absl::StatusCode>(result.status().code());
    if (code == absl::StatusCode::kOk) {
      lives.push_back(LifeOf(result.info().state()));
    } else if (code == absl::StatusCode::kNotFound) {
      lives.push_back(TaskLife::kUnknown);
    } else {
      // Something is wrong with this one, a damaged record for instance. The others are sound.
      lives.push_back(TaskLife::kUnsaid);
    }
  }
  return lives;
}

}  // namespace

struct InputsClient::Question {
  grpc::ClientContext context;
  inputs::v1::GetTasksRequest request;
  inputs::v1::GetTasksResponse response;
  Done done;
};

InputsClient::InputsClient(std::function<std::shared_ptr<grpc::Channel>()> connect,
                           const platform::MacKeys& keys, platform::Clock& clock)
    : connect_(std::move(connect)), keys_(keys), clock_(clock) {}

InputsClient::~InputsClient() { Stop(); }

inputs::v1::InputsService::Stub& InputsClient::stub() {
  if (stub_ == nullptr) stub_ = inputs::v1::InputsService::NewStub(connect_());
  return *stub_;
}

void InputsClient::Ask(std::vector<platform::TaskId> tasks, Done done) {
  auto question = std::make_shared<Question>();
  question->request.set_states_only(true);
  for (const platform::TaskId& task : tasks) {
    question->request.add_task_ids(task.bytes().data(), platform::TaskId::kSize);
  }
  question->done = std::move(done);
  platform::PresentAsService(question->context, keys_, "outputs", clock_.Read().wall);
  question->context.set_deadline(std::chrono::system_clock::now() + kPatience);
  inputs::v1::InputsService::Stub* stub = nullptr;
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      stub = &this->stub();
      questions_.insert(question);
    }
  }
  if (stub == nullptr) return question->done(absl::CancelledError("Outputs is stopping"));
  stub->async()->GetTasks(
      &question->context, &question->request, &question->response,
      [this, question](const grpc::Status& status) {
        if (status.ok()) {
          question->done(Decode(question->response, question->request.task_ids_size()));
        } else {
          question->done(platform::FromGrpc(status));
        }
        MutexLock lock(mutex_);
        questions_.erase(question);
        ended_.SignalAll();
      });
}

void InputsClient::Stop() {
  absl::flat_hash_set<std::shared_ptr<Question>> questions;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    questions = questions_;
  }
  for (const auto& question : questions) question->context.TryCancel();
  MutexLock lock(mutex_);
  while (!questions_.empty()) ended_.Wait(mutex_);
}

}  // namespace kantoku::outputs
