#ifndef KANTOKU_TESTS_UNIT_PLATFORM_RPC_FORWARDING_SCENE_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_RPC_FORWARDING_SCENE_H_

#include <chrono>
#include <memory>
#include <string>

#include "services/platform/rpc/forwarder.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/rpc/list_of_tokens.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {

// A server of `NodeService` that has what calls are about, or forwards them to another that has.
template <typename NodeService>
struct Node {
  explicit Node(ListOfTokens& tokens, const MacKeys& keys, Clock& clock)
      : gate(tokens, keys, clock, nullptr, &audit),
        forwarder(&Connect, keys, clock),
        server(service, gate) {}

  static std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
    // What somebody does not read stays where it is, whatever the connection could carry.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }

  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  ListOfEvents audit;
  const Gate gate;
  Forwarder forwarder;
  NodeService service{calls, forwarder};
  TestServer server;
};

// Two of them. Clients call the near one, which forwards to the far one.
template <typename NodeService>
struct ForwardingScene {
  ForwardingScene() {
    tokens.Add("good", "outputs:read outputs:write");
    near->service.owner = far->server.address();
  }
  ~ForwardingScene() {
    near->forwarder.Stop();
    if (far != nullptr) far->forwarder.Stop();
  }

  // What a test waits for comes within this time, or never.
  static void Limit(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }
  static void Show(grpc::ClientContext& context, const std::string& token) {
    context.AddMetadata("authorization", "Bearer " + token);
  }

  const std::unique_ptr<MacKeys> keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  ListOfTokens tokens;
  FakeClock clock;
  std::unique_ptr<Node<NodeService>> far =
      std::make_unique<Node<NodeService>>(tokens, *keys, clock);
  std::unique_ptr<Node<NodeService>> near =
      std::make_unique<Node<NodeService>>(tokens, *keys, clock);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_RPC_FORWARDING_SCENE_H_
