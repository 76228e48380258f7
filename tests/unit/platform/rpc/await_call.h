#ifndef KANTOKU_TESTS_UNIT_PLATFORM_RPC_AWAIT_CALL_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_RPC_AWAIT_CALL_H_

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/platform/check.h"
#include "services/platform/rpc/encoded.h"
#include "services/platform/rpc/stream_call.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {

// A stream that writes and reads when a test says so, one thing at a time.
class AwaitCall final : private StreamCall::Handler {
 public:
  using Request = outputs::v1::AwaitRequest;
  using Response = outputs::v1::AwaitResponse;
  using Call = BidiCall<Request, Encoded<Response>>;

  explicit AwaitCall(Call& call) : call_(call) { call.Accept(*this); }

  std::optional<Request> Read() {
    read_.Set({});
    call_.StartRead(&request_);
    KANTOKU_CHECK(read_.Becomes([](const auto& ok) { return ok.has_value(); }));
    return *read_.Get() ? std::optional(request_) : std::nullopt;
  }
  // Whether it was written.
  bool Say(const std::string& id) {
    BeginToSay(id);
    KANTOKU_CHECK(written.Becomes([](const auto& ok) { return ok.has_value(); }));
    return *written.Get();
  }
  void BeginToSay(const std::string& id) {
    written.Set({});
    Response response;
    response.add_results()->set_task_id(id);
    response_.Clear();
    response_.Merge(response);
    call_.StartWrite(&response_);
  }
  // Only the first counts, be it that of a client that left.
  void Finish(const absl::Status& status) {
    if (!finished_.exchange(true)) call_.Finish(status);
  }

  std::chrono::system_clock::time_point deadline() const { return call_.deadline(); }

  Awaited<std::optional<bool>> written;
  Awaited<bool> cancelled;

 private:
  void OnReadDone(bool ok) override { read_.Set(ok); }
  void OnWriteDone(bool ok) override { written.Set(ok); }
  void OnCancel() override {
    cancelled.Set(true);
    Finish(absl::CancelledError("the client left"));
  }
  void OnRefused(const absl::Status& why) override { Finish(why); }
  void OnDone() override {}

  Call& call_;
  std::atomic<bool> finished_ = false;
  Request request_;
  Encoded<Response> response_;
  Awaited<std::optional<bool>> read_;
};

inline std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_RPC_AWAIT_CALL_H_
