#include "services/outputs/inputs_client.h"

#include <chrono>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
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

void SetOnlooker(const platform::Identity& identity, inputs::v1::Onlooker& onlooker) {
  onlooker.set_subject(identity.subject);
  for (const std::string& name : identity.namespaces) onlooker.add_namespaces(name);
  onlooker.set_administrator(identity.scopes.Allows(platform::Verb::kAdmin));
}

// Whoever waits for many tasks is told once: an access token may name kilobytes of namespaces.
void AddQuestions(const std::vector<TaskLives::Question>& questions,
                  inputs::v1::GetTasksRequest& request) {
  request.set_states_only(true);
  absl::flat_hash_map<const platform::Identity*, uint32_t> places;
  for (const TaskLives::Question& question : questions) {
    const auto [place, fresh] =
        places.try_emplace(question.asked_for.get(), request.onlookers_size());
    if (fresh) SetOnlooker(*question.asked_for, *request.add_onlookers());
    request.add_task_ids(question.task.bytes().data(), platform::TaskId::kSize);
    request.add_asked_for(place->second);
  }
}

absl::Status Stopping() { return absl::CancelledError("Outputs is stopping"); }

}  // namespace

InputsClient::InputsClient(std::function<std::shared_ptr<grpc::Channel>()> connect,
                           const platform::MacKeys& keys, platform::Clock& clock)
    : connect_(std::move(connect)), keys_(keys), clock_(clock), thread_([this] { Run(); }) {}

InputsClient::~InputsClient() { Stop(); }

void InputsClient::Ask(std::vector<Question> questions, Done done) {
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      waiting_.push_back({std::move(questions), std::move(done)});
      changed_.Signal();
      return;
    }
  }
  done(Stopping());
}

void InputsClient::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void InputsClient::Run() {
  while (true) {
    Asked asked;
    grpc::ClientContext context;
    bool stopped = false;
    {
      MutexLock lock(mutex_);
      while (!stopped_ && waiting_.empty()) changed_.Wait(mutex_);
      if (waiting_.empty()) return;
      stopped = stopped_;
      asked = std::move(waiting_.front());
      waiting_.pop_front();
      under_way_ = &context;
    }
    asked.done(stopped ? Stopping() : Answer(context, asked.questions));
    MutexLock lock(mutex_);
    under_way_ = nullptr;
  }
}

absl::StatusOr<std::vector<TaskLife>> InputsClient::Answer(grpc::ClientContext& context,
                                                           const std::vector<Question>& questions) {
  if (stub_ == nullptr) stub_ = inputs::v1::InputsService::NewStub(connect_());
  inputs::v1::GetTasksRequest request;
  AddQuestions(questions, request);
  platform::PresentAsService(context, keys_, "outputs", clock_.Read().wall);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  inputs::v1::GetTasksResponse response;
  KANTOKU_RETURN_IF_ERROR(platform::FromGrpc(stub_->GetTasks(&context, request, &response)));
  return Decode(response, request.task_ids_size());
}

}  // namespace kantoku::outputs
