#include "services/platform/server/server.h"

#include <grpc/support/log.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
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
#include "services/platform/check.h"
#include "services/platform/log/log.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/service.h"
#include "services/platform/rpc/unknown_calls.h"
#include "services/platform/server/health_service.h"
#include "services/platform/server/reflection_service.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr int kKeepaliveMilliseconds = 60'000;
constexpr int kKeepaliveTimeoutMilliseconds = 20'000;
constexpr int kShortestPingMilliseconds = 1'000;
// Of a message that is being received; what else is on its way on a connection is 64 KiB.
constexpr int kStreamWindowBytes = 1 << 20;
// The largest access token that is taken, and as much again for all else.
constexpr int kMaxMetadataBytes = 16'384;

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
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    grpc::EnableDefaultHealthCheckService(false);
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

std::vector<std::string> NamesOf(const std::vector<grpc::Service*>& services) {
  std::vector<std::string> names;
  for (grpc::Service* const service : services) {
    if (auto* served = dynamic_cast<Service*>(service)) names.push_back(served->full_name());
  }
  return names;
}

}  // namespace

struct Server::Standard {
  std::vector<std::string> WithHealth(std::vector<std::string> names) const {
    names.push_back(health.full_name());
    return names;
  }

  explicit Standard(std::vector<std::string> names) : reflection(WithHealth(std::move(names))) {}

  HealthService health;
  ReflectionService reflection;
  grpc::AsyncGenericService unknown;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(const Options& options,
                                                       const std::vector<grpc::Service*>& services,
                                                       const Gate& gate) {
  SetUpGrpc();
  grpc::ServerBuilder builder;
  int port = 0;
  const ListenAddress& address = options.address;
  builder.AddListeningPort(
      address.ToString(),
      options.credentials != nullptr ? options.credentials : grpc::InsecureServerCredentials(),
      &port);
  if (!options.inner_address.empty()) {
    builder.AddListeningPort(options.inner_address, grpc::InsecureServerCredentials());
  }
  auto standard = std::make_unique<Standard>(NamesOf(services));
  for (grpc::Service* const service : services) builder.RegisterService(service);
  builder.RegisterService(&standard->health);
  builder.RegisterService(&standard->reflection);
  builder.RegisterAsyncGenericService(&standard->unknown);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  // Else a second program would get the same port, and half of the connections, without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Else each connection is pinged after what it says, to find how wide it is.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kShortestPingMilliseconds);
  std::vector<std::unique_ptr<ServerCallQueue>> queues;
  for (unsigned i = 0; i < QueueCount(); ++i) {
    queues.push_back(std::make_unique<ServerCallQueue>(builder.AddCompletionQueue()));
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
      auto* const served = dynamic_cast<Service*>(service);
      KANTOKU_CHECK(served != nullptr);  // It would answer without asking the gate.
      served->Serve(*queue, gate);
    }
    standard->health.Serve(*queue, gate);
    standard->reflection.Serve(*queue, gate);
    RefuseUnknownCalls(standard->unknown, *queue);
    queue->Start();
  }
  return std::unique_ptr<Server>(
      new Server(std::move(bound), std::move(standard), std::move(queues), std::move(server)));
}

Server::Server(ListenAddress address, std::unique_ptr<Standard> standard,
               std::vector<std::unique_ptr<ServerCallQueue>> queues,
               std::unique_ptr<grpc::Server> server)
    : address_(std::move(address)),
      standard_(std::move(standard)),
      queues_(std::move(queues)),
      server_(std::move(server)) {
  SetServing("", false);
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

void Server::SetServing(const std::string& service, bool serving) {
  standard_->health.SetServing(service, serving);
}

void Server::StopServing() { standard_->health.Stop(); }

void Server::Shutdown(absl::Duration limit) {
  standard_->health.EndWatches();  // They would last until `limit`.
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(limit));
  for (const auto& queue : queues_) queue->Stop();
}

}  // namespace kantoku::platform
