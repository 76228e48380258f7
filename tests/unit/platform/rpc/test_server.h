#ifndef KANTOKU_TESTS_UNIT_PLATFORM_RPC_TEST_SERVER_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_RPC_TEST_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/service.h"

namespace kantoku::platform {

// A value that one thread sets and another waits for.
template <typename T>
class Awaited {
 public:
  void Set(T value) {
    MutexLock lock(mutex_);
    value_ = std::move(value);
    changed_.SignalAll();
  }
  template <typename Change>
  void Update(Change change) {
    MutexLock lock(mutex_);
    change(value_);
    changed_.SignalAll();
  }
  // Whether it became so before a deadline that only a hang can miss.
  template <typename Predicate>
  bool Becomes(Predicate predicate) {
    Clock& clock = Clock::Real();
    const absl::Duration deadline = clock.Read().steady + absl::Seconds(30);
    MutexLock lock(mutex_);
    while (!predicate(value_)) {
      if (clock.Read().steady >= deadline) return false;
      clock.Wait(mutex_, changed_, deadline);
    }
    return true;
  }
  T Get() {
    MutexLock lock(mutex_);
    return value_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  T value_{};
};

// A gate that lets everybody through, as "local".
class OpenGate {
 public:
  const Gate& get() const { return gate_; }
  const MacKeys& keys() const { return *keys_; }

 private:
  const std::unique_ptr<MacKeys> keys_ = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  LocalAuthenticator authenticator_;
  const Gate gate_{authenticator_, *keys_, Clock::Real()};
};

// A real server on a free port and a channel to it.
class TestServer {
 public:
  explicit TestServer(Service& service) : TestServer(service, nullptr) {}
  TestServer(Service& service, const Gate& gate) : TestServer(service, &gate) {}
  ~TestServer() { Shutdown(); }

  const MacKeys& keys() const { return open_gate_.keys(); }
  const std::string& address() const { return address_; }

  // As Server does it: afterwards every call has ended.
  void Shutdown() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Stop();
  }
  std::shared_ptr<grpc::Channel> Connect(const grpc::ChannelArguments& arguments = {}) const {
    return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  }

 private:
  TestServer(Service& service, const Gate* gate) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    queue_ = std::make_unique<ServerCallQueue>(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
    service.Serve(*queue_, gate != nullptr ? *gate : open_gate_.get());
    queue_->Start();
    address_ = "127.0.0.1:" + std::to_string(port);
  }

  const OpenGate open_gate_;
  std::unique_ptr<ServerCallQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_RPC_TEST_SERVER_H_
