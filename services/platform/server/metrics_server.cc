#include "services/platform/server/metrics_server.h"

#include <CivetServer.h>
#include <prometheus/text_serializer.h>

#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kKnockInterval = absl::Milliseconds(5);

bool Answer(mg_connection* connection, int code, const char* reason, const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: %zu\r\nConnection: close\r\n\r\n",
            code, reason, body.size());
  mg_write(connection, body.data(), body.size());
  return true;
}

class MetricsHandler final : public CivetHandler {
 public:
  explicit MetricsHandler(const prometheus::Registry& registry) : registry_(registry) {}
  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return Answer(connection, 200, "OK", serializer_.Serialize(registry_.Collect()));
  }

 private:
  const prometheus::Registry& registry_;
  const prometheus::TextSerializer serializer_;
};

class HealthHandler final : public CivetHandler {
 public:
  explicit HealthHandler(std::function<bool()> healthy) : healthy_(std::move(healthy)) {}
  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return healthy_() ? Answer(connection, 200, "OK", "ok\n")
                      : Answer(connection, 503, "Service Unavailable", "not serving\n");
  }

 private:
  const std::function<bool()> healthy_;
};

class CivetMetricsServer final : public MetricsServer {
 public:
  CivetMetricsServer(ListenAddress address, const prometheus::Registry& registry,
                     std::function<bool()> healthy)
      : address_(std::move(address)),
        metrics_(registry),
        health_(std::move(healthy)),
        server_(
            std::vector<std::string>{"listening_ports", address_.ToString(), "num_threads", "2"}) {
    const auto ports = server_.getListeningPorts();
    if (!ports.empty()) address_.port = static_cast<uint16_t>(ports.front());
    server_.addHandler("/metrics", metrics_);
    server_.addHandler("/healthz", health_);
  }
  ~CivetMetricsServer() override {
    // Civetweb looks for the end every two seconds, and whenever somebody connects.
    absl::Notification closed;
    std::thread closing([this, &closed] {
      server_.close();
      closed.Notify();
    });
    while (!closed.WaitForNotificationWithTimeout(kKnockInterval)) Knock();
    closing.join();
  }

  const ListenAddress& address() const override { return address_; }

 private:
  void Knock() const {
    char error[128];
    mg_connection* const connection =
        mg_connect_client(address_.host.c_str(), address_.port, 0, error, sizeof(error));
    if (connection != nullptr) mg_close_connection(connection);
  }

  ListenAddress address_;
  MetricsHandler metrics_;
  HealthHandler health_;
  CivetServer server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const ListenAddress& address, const prometheus::Registry& registry,
    std::function<bool()> healthy) {
  try {
    return std::make_unique<CivetMetricsServer>(address, registry, std::move(healthy));
  } catch (const CivetException&) {  // Its text is the same for every cause.
    return Error(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                 absl::StrCat("server.metrics_listen: cannot listen on ", address.ToString(),
                              ": is the port taken?"));
  }
}

}  // namespace kantoku::platform
