// Ten thousand bad tokens a second, while somebody with a good one works on.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
using Clock = std::chrono::steady_clock;

constexpr int kPerSecond = 10'000;
constexpr int kGoodCalls = 2'000;

// Forged tokens: each has the header and the claims of a genuine one and a signature of its own, so
// that it is as dear to refuse as a token can be.
class Forger {
 public:
  explicit Forger(const std::string& access_file) {
    std::ifstream file(access_file);
    const std::string genuine = nlohmann::json::parse(file)["token"];
    beginning_ = genuine.substr(0, genuine.rfind('.') + 1);
  }
  std::string Next() {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string token = beginning_;
    for (int i = 0; i < 85; ++i) token += kAlphabet[random_() % kAlphabet.size()];
    return token + "A";  // 64 bytes, canonical.
  }

 private:
  std::string beginning_;
  std::mt19937 random_{1};
};

// Shows so many forged tokens a second until it is stopped, whatever the answers are.
class Flood {
 public:
  explicit Flood(const Up& up)
      : stub_(inputspb::InputsService::NewStub(up.ChannelOfNobody())),
        forger_(up.access()),
        sends_([this] { Send(); }),
        reads_([this] { Read(); }) {}
  ~Flood() {
    if (sends_.joinable()) Stop();
  }

  int sent() const { return sent_; }
  // Waits for what is under way; how it was answered, by the reason.
  const std::map<std::string, int>& Stop() {
    stopped_ = true;
    sends_.join();
    queue_.Shutdown();
    reads_.join();
    return answers_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::Status status;
    inputspb::GetTasksResponse response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<inputspb::GetTasksResponse>> reader;
  };

  void Send() {
    constexpr auto kPause = std::chrono::milliseconds(5);
    constexpr int kAtOnce = kPerSecond / 200;
    auto next = Clock::now();
    while (!stopped_) {
      for (int i = 0; i < kAtOnce; ++i) SendOne();
      std::this_thread::sleep_until(next += kPause);  // The rate itself.
    }
  }
  void SendOne() {
    auto* const call = new Call;
    call->context.AddMetadata("authorization", absl::StrCat("Bearer ", forger_.Next()));
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    call->reader = stub_->AsyncGetTasks(&call->context, inputspb::GetTasksRequest(), &queue_);
    call->reader->Finish(&call->response, &call->status, call);
    ++sent_;
  }
  void Read() {
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      ++answers_[platform::ReasonOf(platform::FromGrpc(call->status))];
    }
  }

  const std::unique_ptr<inputspb::InputsService::Stub> stub_;
  Forger forger_;
  grpc::CompletionQueue queue_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> sent_ = 0;
  std::map<std::string, int>
      answers_;  // Of the reading thread, and then of whoever has stopped it.
  std::thread sends_;
  std::thread reads_;
};

// Of one call after the other, the one in the middle, in microseconds.
double MedianLatency(Client& kan, TaskId task) {
  std::vector<double> times;
  for (int i = 0; i < kGoodCalls; ++i) {
    const auto begin = Clock::now();
    REQUIRE(kan.Get(task).ok());
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  std::ranges::nth_element(times, times.begin() + kGoodCalls / 2);
  return times[kGoodCalls / 2];
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + values.size() / 2);
  return values[values.size() / 2];
}

TEST_CASE("Ten thousand forged tokens a second do not double the latency of who has a good one") {
  const Up up;
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("work"));
  REQUIRE(task.ok());
  MedianLatency(kan, task->id);  // Warm.
  std::vector<double> ratios;
  std::vector<double> rates;
  int refused = 0;
  int answered = 0;
  for (int round = 0; round < 5; ++round) {
    const double quiet = MedianLatency(kan, task->id);
    Flood flood(up);
    while (flood.sent() < kPerSecond / 2) std::this_thread::yield();  // It is under way.
    const int before = flood.sent();
    const auto begin = Clock::now();
    const double flooded = MedianLatency(kan, task->id);
    const std::chrono::duration<double> time = Clock::now() - begin;
    ratios.push_back(flooded / quiet);
    rates.push_back((flood.sent() - before) / time.count());
    std::cout << absl::StrCat("round ", round, ": quiet ", quiet, " us, flooded ", flooded,
                              " us at ", rates.back(), " forged tokens/s, ratio ", ratios.back(),
                              "\n");
    for (const auto& [reason, count] : flood.Stop()) {
      std::cout << absl::StrCat("  ", count, " ", reason.empty() ? "(none)" : reason, "\n");
      answered += count;
      if (reason == "INVALID_TOKEN" || reason == "TOO_MANY_BAD_TOKENS") refused += count;
    }
  }
  CHECK(Median(ratios) <= 2);
  // Else this says nothing: that many came, and it was the tokens that were looked at and refused.
  CHECK(Median(rates) >= 0.9 * kPerSecond);
  CHECK(refused >= 0.9 * answered);
}

}  // namespace
}  // namespace kantoku::test
