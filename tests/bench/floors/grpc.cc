#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "tests/bench/floors/floors.h"

extern char** environ;

namespace kantoku::floors {
namespace {

using Service = inputs::v1::InputsService;
using Stream = grpc::ClientReaderWriter<inputs::v1::PullRequest, inputs::v1::PullResponse>;

constexpr int kPings = 2'000;
constexpr int kTasks = 500'000;
constexpr int kBatches[] = {64, 128, 256};

// Answers each message with one that has as many tasks as the message has acknowledgements.
class Echo final : public Service::Service {
 public:
  grpc::Status Pull(grpc::ServerContext*,
                    grpc::ServerReaderWriter<inputs::v1::PullResponse, inputs::v1::PullRequest>*
                        stream) override {
    inputs::v1::PullRequest request;
    while (stream->Read(&request)) {
      inputs::v1::PullResponse response;
      for (const inputs::v1::Ack& ack : request.acks()) {
        inputs::v1::Dispatch& task = *response.add_tasks();
        task.set_task_id(ack.task_id());
        task.set_payload(ack.receipt());
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
};

// This program, as ServeEchoes.
class Server {
 public:
  Server() {
    if (pipe(port_.data()) != 0 || pipe(life_.data()) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, life_[0], STDIN_FILENO);
    posix_spawn_file_actions_addclose(&actions, life_[1]);
    std::string name = "kantoku-floors";
    std::string role = "--serve-echoes";
    std::string port_to = absl::StrCat(port_[1]);
    char* const words[] = {name.data(), role.data(), port_to.data(), nullptr};
    if (posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, words, environ) != 0) pid_ = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(port_[1]);
    close(life_[0]);
  }
  ~Server() {
    close(life_[1]);
    close(port_[0]);
    if (pid_ != 0) waitpid(pid_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string AwaitAddress() const {
    int port = 0;
    if (read(port_[0], &port, sizeof(port)) != sizeof(port)) return "";
    return absl::StrCat("127.0.0.1:", port);
  }

 private:
  std::array<int, 2> port_{};
  std::array<int, 2> life_{};
  pid_t pid_ = 0;
};

absl::StatusOr<Latencies> PingPong(Stream& stream) {
  std::vector<absl::Duration> times;
  times.reserve(kPings);
  inputs::v1::PullRequest request;
  request.mutable_credit()->set_max_held(1);
  inputs::v1::PullResponse response;
  for (int i = 0; i < kPings; ++i) {
    const absl::Time begin = absl::Now();
    if (!stream.Write(request) || !stream.Read(&response)) {
      return absl::UnavailableError("the stream of pings ended");
    }
    times.push_back(absl::Now() - begin);
  }
  return Summarize(std::move(times));
}

absl::StatusOr<double> EchoTasks(Stream& stream, int batch) {
  inputs::v1::PullRequest request;
  for (int i = 0; i < batch; ++i) {
    inputs::v1::Ack& ack = *request.add_acks();
    ack.set_task_id(std::string(16, 't'));
    ack.set_receipt(std::string(100, 'x'));
  }
  const int messages = kTasks / batch;
  const absl::Time begin = absl::Now();
  std::thread writes([&] {
    // Reads bound what is under way: flow control holds the writer back.
    for (int i = 0; i < messages; ++i) {
      if (!stream.Write(request)) return;
    }
  });
  inputs::v1::PullResponse response;
  int read = 0;
  while (read < messages && stream.Read(&response)) ++read;
  writes.join();
  if (read < messages) return absl::UnavailableError("the stream of echoes ended");
  return static_cast<double>(messages) * batch / absl::ToDoubleSeconds(absl::Now() - begin);
}

}  // namespace

absl::StatusOr<Grpc> MeasureGrpc() {
  const Server server;
  const auto stub = Service::NewStub(
      grpc::CreateChannel(server.AwaitAddress(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->Pull(&context);
  Grpc measured;
  auto ping_pong = PingPong(*stream);
  if (!ping_pong.ok()) return ping_pong.status();
  measured.ping_pong = *ping_pong;
  for (const int batch : kBatches) {
    const auto echoes = EchoTasks(*stream, batch);
    if (!echoes.ok()) return echoes.status();
    measured.echoes_per_second = std::max(measured.echoes_per_second, *echoes);
  }
  stream->WritesDone();
  stream->Finish();
  return measured;
}

int ServeEchoes(int port_to) {
  Echo echo;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&echo);
  const auto server = builder.BuildAndStart();
  if (server == nullptr || write(port_to, &port, sizeof(port)) != sizeof(port)) return 1;
  close(port_to);
  char nothing = 0;
  while (read(STDIN_FILENO, &nothing, 1) > 0) continue;
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace kantoku::floors
