#ifndef KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_
#define KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/outputs/inputs_lookup.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::outputs {

// Asks Inputs over gRPC, as the service `outputs`, one question after the other on a thread of its
// own. A question takes ten seconds at most; one that failed is not repeated here.
//
// Thread-safe. Keys and clock outlive it.
class InputsClient final : public TaskLives {
 public:
  // `connect` is called with the first question.
  InputsClient(std::function<std::shared_ptr<grpc::Channel>()> connect,
               const platform::MacKeys& keys, platform::Clock& clock);
  ~InputsClient() override;

  void Ask(std::vector<Question> questions, Done done) override;
  // Cancels what is under way or waits, and waits for the end of it; later questions fail at once.
  // Idempotent.
  void Stop();

 private:
  struct Asked {
    std::vector<Question> questions;
    Done done;
  };

  void Run();
  absl::StatusOr<std::vector<TaskLife>> Answer(grpc::ClientContext& context,
                                               const std::vector<Question>& questions);

  const std::function<std::shared_ptr<grpc::Channel>()> connect_;
  const platform::MacKeys& keys_;
  platform::Clock& clock_;
  std::unique_ptr<inputs::v1::InputsService::Stub> stub_;  // The thread's.

  platform::Mutex mutex_;
  platform::CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Asked> waiting_ ABSL_GUARDED_BY(mutex_);
  grpc::ClientContext* under_way_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_
