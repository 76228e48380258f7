#ifndef KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_
#define KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/inputs/partition/links.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::inputs {

// The state that a task is in with such a result; nullopt of none.
std::optional<TaskState> StateOf(outputs::v1::ResultStatus status);

// Asks Outputs how tasks have ended, on threads of its own: for each owner one call after the
// other, for several owners at once. Questions of one owner that wait share a call. A question
// waits five seconds at most until it is asked, and a call takes five at most, or until nobody
// waits for it; one that failed is not repeated, but what had no room in its answer is asked for
// again.
//
// Guarantees: each question is answered once, whatever becomes of those that it shares a call with.
// UNAVAILABLE: Outputs did not answer, or the client is stopped; RESOURCE_EXHAUSTED,
// TOO_MANY_QUESTIONS: a million tasks are waited for already.
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
    absl::Duration start_by;  // By the steady clock.
    Done done;
  };
  struct Owner {
    std::deque<Asked> waiting;
    bool busy = false;  // A call for it is under way.
  };
  using Owners = std::map<std::pair<std::string, std::string>, Owner>;  // By namespace and owner.
  struct Batch {
    Owners::iterator owner;
    std::vector<Asked> asked;  // By it. Empty: it is time to stop.
  };
  using End = absl::StatusOr<std::optional<TaskState>>;

  void Run();
  Batch Next();
  void Finish(Owners::iterator owner);
  // One for each question.
  std::vector<absl::StatusOr<Ends>> Answer(const std::vector<Asked>& batch);
  std::vector<End> AskAll(const EndsQuestion& whose, const std::vector<TaskId>& tasks,
                          absl::Time answer_by);
  absl::Status Call(const outputs::v1::GetRequest& request, absl::Time answer_by,
                    outputs::v1::GetResponse& response);

  const std::unique_ptr<outputs::v1::OutputsService::Stub> stub_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;

  platform::Mutex mutex_;
  platform::CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Owners owners_ ABSL_GUARDED_BY(mutex_);                      // Those that wait for an answer.
  std::deque<Owners::iterator> next_ ABSL_GUARDED_BY(mutex_);  // That are not busy, each once.
  size_t waiting_tasks_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_set<grpc::ClientContext*> under_way_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENDS_CLIENT_H_
