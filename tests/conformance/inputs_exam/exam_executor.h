#ifndef KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_EXECUTOR_H_
#define KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_EXECUTOR_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"

namespace kantoku::inputs {

// One connection of an executor, spoken by hand.
//
// Thread-compatible.
class ExamExecutor {
 public:
  explicit ExamExecutor(const std::shared_ptr<grpc::Channel>& channel);
  ~ExamExecutor();

  // What this session says first.
  static v1::PullRequest HelloOf(uint8_t session, uint32_t credit = 10,
                                 const std::vector<v1::Held>& held = {});

  void Say(const v1::PullRequest& request) {
    if (request.has_hello()) session_id_ = request.hello().session_id();
    (void)stream_->Write(request);
  }
  // Reads until `enough` is true of everything that was heard; false when the stream ends before.
  bool Hear(const std::function<bool(const v1::PullResponse&)>& enough);
  const v1::PullResponse& heard() const { return heard_; }
  // The n-th task, from 1.
  v1::Dispatch Task(int n);
  v1::Refused Refusal(int n);
  // Waits until the server ends the stream.
  absl::Status AwaitEnd();

  void Nack(const v1::Dispatch& task, v1::NackKind kind);
  void Ack(const v1::Dispatch& task, const std::string& receipt);
  // Puts a result into Outputs; its receipt.
  std::string Put(const v1::Dispatch& task, const std::string& result);
  // Puts a result of each of so many tasks from the n-th on, and acknowledges them, in one call and
  // one frame.
  void FinishAll(int n, int count);

 private:
  const std::unique_ptr<v1::InputsService::Stub> inputs_;
  const std::unique_ptr<outputs::v1::OutputsService::Stub> outputs_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PullRequest, v1::PullResponse>> stream_;
  std::string session_id_;  // Of the last hello.
  v1::PullResponse heard_;  // All frames in one.
  bool ended_ = false;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_EXECUTOR_H_
