#ifndef KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_
#define KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/inputs/partition/links.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::inputs {

// The state that a task is in with such a result; nullopt of none.
std::optional<TaskState> StateOf(outputs::v1::ResultStatus status);

// Asks Outputs how tasks have ended, one call after the other on a thread of its own; questions of
// one owner that wait share one. A call takes five seconds at most; one that failed is not
// repeated.
//
// Guarantees: each question is answered once. UNAVAILABLE: Outputs did not answer, or the client is
// stopped; RESOURCE_EXHAUSTED, TOO_MANY_QUESTIONS: a million tasks are waited for already.
//
// Thread-safe. Keys and clock outlive it. `done` must not block.
class EndsClient {
 public:
  using Done = absl::AnyInvocable<void(const absl::StatusOr<Ends>&)>;

  EndsClient(const std::shared_ptr<grpc::Channel>& channel, platform::Clock& clock,
             const platform::MacKeys& keys);
  ~EndsClient() { Stop(); }

  void Ask(EndsQuestion question, Done done);
  // Cancels what is under way or waits. Idempotent.
  void Stop();

 private:
  struct Asked {
    EndsQuestion question;
    Done done;
  };

  void Run();
  // Questions of one owner; none when it is time to stop.
  std::vector<Asked> Next();
  absl::StatusOr<Ends> Answer(const std::vector<Asked>& batch);
  absl::Status Call(const outputs::v1::GetRequest& request, Ends& ends);

  const std::unique_ptr<outputs::v1::OutputsService::Stub> stub_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;

  platform::Mutex mutex_;
  platform::CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Asked> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_tasks_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::ClientContext* under_way_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_
