#ifndef KANTOKU_TESTS_E2E_ROGUE_H_
#define KANTOKU_TESTS_E2E_ROGUE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"

namespace kantoku::test {

// One connection of an executor that says whatever a test wants it to say, in raw gRPC.
//
// Thread-compatible.
class Rogue {
 public:
  explicit Rogue(const std::shared_ptr<grpc::Channel>& channel);
  ~Rogue();
  Rogue(const Rogue&) = delete;
  Rogue& operator=(const Rogue&) = delete;

  // A hello without fault, for a test to spoil.
  static inputs::v1::PullRequest Hello(const std::string& session, uint32_t credit);
  // Sixteen bytes.
  static std::string Session(char name) { return std::string(16, name); }
  // The id of a task that never was.
  static std::string NoTask();
  static inputs::v1::Held HeldOf(const std::string& task, uint32_t dispatch);

  void Say(const inputs::v1::PullRequest& request) {
    if (request.has_hello()) session_ = request.hello().session_id();
    (void)stream_->Write(request);
  }
  void Ack(const std::string& task, uint32_t dispatch, const std::string& receipt);
  void Nack(const std::string& task, uint32_t dispatch, inputs::v1::NackKind kind);

  // Reads until `enough` is true of all that was heard, which fails the test if it does not come.
  void Hear(const std::function<bool(const inputs::v1::PullResponse&)>& enough);
  // The same; false when the stream ends before.
  bool HearsOrEnds(const std::function<bool(const inputs::v1::PullResponse&)>& enough);
  const inputs::v1::PullResponse& heard() const { return heard_; }
  inputs::v1::Dispatch Task(int number);  // From 1.
  // What was refused since the last call of all that was said up to now: asks something that will
  // be refused, and Inputs answers in order.
  std::vector<inputs::v1::Refused> Refusals();
  absl::Status AwaitEnd();

  // The session of the last hello, unless another is claimed; results are put in its name.
  const std::string& session() const { return session_; }
  void Claim(const std::string& session) { session_ = session; }
  // What Outputs says to a result.
  absl::StatusOr<outputs::v1::PutResult> Put(const std::string& token, const std::string& data);
  outputs::v1::OutputsService::Stub& outputs() { return *outputs_; }

 private:
  const std::unique_ptr<inputs::v1::InputsService::Stub> inputs_;
  const std::unique_ptr<outputs::v1::OutputsService::Stub> outputs_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<inputs::v1::PullRequest, inputs::v1::PullResponse>>
      stream_;
  std::string session_;
  inputs::v1::PullResponse heard_;  // All frames in one.
  int refusals_taken_ = 0;
  uint32_t questions_ = 0;
  bool ended_ = false;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_ROGUE_H_
