#ifndef KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_
#define KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/outputs/inputs_lookup.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::outputs {

// Asks Inputs over gRPC, as the service `outputs`. A question takes ten seconds at most; one that
// failed is not repeated here.
//
// Thread-safe. Keys and clock outlive it.
class InputsClient final : public TaskLives {
 public:
  // `connect` is called with the first question.
  InputsClient(std::function<std::shared_ptr<grpc::Channel>()> connect,
               const platform::MacKeys& keys, platform::Clock& clock);
  ~InputsClient() override;

  void Ask(std::vector<Question> questions, Done done) override;
  // Cancels what is under way and waits for the end of it; later questions fail at once.
  // Idempotent.
  void Stop();

 private:
  struct Call;

  inputs::v1::InputsService::Stub& stub() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<std::shared_ptr<grpc::Channel>()> connect_;
  const platform::MacKeys& keys_;
  platform::Clock& clock_;

  platform::Mutex mutex_;
  platform::CondVar ended_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<inputs::v1::InputsService::Stub> stub_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_INPUTS_CLIENT_H_
