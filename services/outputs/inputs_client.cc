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

struct InputsClient::Call {
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

void InputsClient::Ask(std::vector<Question> questions, Done done) {
  auto call = std::make_shared<Call>();
  call->request.set_states_only(true);
  for (Question& question : questions) {
    call->request.add_task_ids(question.task.bytes().data(), platform::TaskId::kSize);
    call->request.add_subjects(std::move(question.subject));
  }
  call->done = std::move(done);
  platform::PresentAsService(call->context, keys_, "outputs", clock_.Read().wall);
  call->context.set_deadline(std::chrono::system_clock::now() + kPatience);
  inputs::v1::InputsService::Stub* stub = nullptr;
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      stub = &this->stub();
      calls_.insert(call);
    }
  }
  if (stub == nullptr) return call->done(absl::CancelledError("Outputs is stopping"));
  stub->async()->GetTasks(&call->context, &call->request, &call->response,
                          [this, call](const grpc::Status& status) {
                            if (status.ok()) {
                              call->done(Decode(call->response, call->request.task_ids_size()));
                            } else {
                              call->done(platform::FromGrpc(status));
                            }
                            MutexLock lock(mutex_);
                            calls_.erase(call);
                            ended_.SignalAll();
                          });
}

void InputsClient::Stop() {
  absl::flat_hash_set<std::shared_ptr<Call>> calls;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    calls = calls_;
  }
  for (const auto& call : calls) call->context.TryCancel();
  MutexLock lock(mutex_);
  while (!calls_.empty()) ended_.Wait(mutex_);
}

}  // namespace kantoku::outputs
