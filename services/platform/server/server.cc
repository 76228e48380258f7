#include "services/platform/server/server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/log/log.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/service.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr int kKeepaliveMilliseconds = 60'000;
constexpr int kKeepaliveTimeoutMilliseconds = 20'000;
constexpr int kShortestPingMilliseconds = 1'000;

// gRPC's own lines would stand beside the one that says what is wrong; whoever looks into gRPC asks
// for debug.
void LogOfGrpc(gpr_log_func_args* line) {
  if (line->severity == GPR_LOG_SEVERITY_ERROR) {
    Log(LogLevel::kDebug, absl::StrCat("grpc: ", line->message));
  }
}

// Process-wide settings of gRPC, before the first server is built.
void SetUpGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(LogOfGrpc);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// Half of the cores for the calls, so that there are some for what they bring about.
unsigned QueueCount() { return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 8U); }

// What the system says to binding `address`, which gRPC keeps to itself.
std::string WhyNotListening(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = absl::StrCat(address.port);
  if (const int error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    return ::gai_strerror(error);
  }
  int error = 0;
  const int fd = ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  const int reuse = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  if (fd < 0 || ::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 1) != 0) {
    error = errno;
  }
  if (fd >= 0) ::close(fd);
  ::freeaddrinfo(found);
  return error != 0 ? std::strerror(error) : "gRPC cannot say why";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(
    const ListenAddress& address, const std::vector<grpc::Service*>& services) {
  SetUpGrpc();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address.ToString(), grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* const service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  // Else a second program would get the same port, and half of the connections, without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kShortestPingMilliseconds);
  std::vector<std::unique_ptr<CallQueue>> queues;
  for (unsigned i = 0; i < QueueCount(); ++i) {
    queues.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue()));
  }
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Error(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                 absl::StrCat("server.listen: cannot listen on ", address.ToString(), ": ",
                              WhyNotListening(address)));
  }
  ListenAddress bound = address;
  bound.port = static_cast<uint16_t>(port);
  for (const auto& queue : queues) {
    for (grpc::Service* const service : services) {
      if (auto* served = dynamic_cast<Service*>(service)) served->Serve(*queue);
    }
    queue->Start();
  }
  return std::unique_ptr<Server>(
      new Server(std::move(bound), std::move(queues), std::move(server)));
}

Server::Server(ListenAddress address, std::vector<std::unique_ptr<CallQueue>> queues,
               std::unique_ptr<grpc::Server> server)
    : address_(std::move(address)), queues_(std::move(queues)), server_(std::move(server)) {
  SetServing("", false);
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

void Server::SetServing(const std::string& service, bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(service, serving);
}

void Server::StopServing() { server_->GetHealthCheckService()->Shutdown(); }

void Server::Shutdown(absl::Duration limit) {
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(limit));
  for (const auto& queue : queues_) queue->Stop();
}

}  // namespace kantoku::platform
