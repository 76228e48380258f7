#include "services/platform/server/metrics_server.h"

#include <CivetServer.h>
#include <prometheus/text_serializer.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Some may wait for a store while others ask for metrics.
constexpr char kThreads[] = "8";
// Whoever connects and says nothing holds one of them, and health is to be had all the same.
constexpr char kPatienceMs[] = "1000";
constexpr absl::Duration kKnockInterval = absl::Milliseconds(5);

constexpr size_t kMaxBodyBytes = 65'536;

bool Answer(mg_connection* connection, const HttpReply& reply) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n",
            reply.status, mg_get_response_code_text(connection, reply.status),
            reply.content_type.c_str(), reply.headers.c_str(), reply.body.size());
  mg_write(connection, reply.body.data(), reply.body.size());
  return true;
}

bool Answer(mg_connection* connection, int code, const std::string& body) {
  return Answer(
      connection,
      {.status = code, .body = body, .content_type = "text/plain; version=0.0.4; charset=utf-8"});
}

std::string HeaderOf(const mg_connection* connection, const char* name) {
  const char* const value = mg_get_header(connection, name);
  return value != nullptr ? value : "";
}

// Nothing when there is too much of it.
std::optional<std::string> ReadBody(mg_connection* connection) {
  std::string body(kMaxBodyBytes + 1, '\0');
  size_t size = 0;
  while (size < body.size()) {
    const int read = mg_read(connection, body.data() + size, body.size() - size);
    if (read <= 0) break;
    size += static_cast<size_t>(read);
  }
  if (size > kMaxBodyBytes) return std::nullopt;
  body.resize(size);
  return body;
}

class MetricsHandler final : public CivetHandler {
 public:
  explicit MetricsHandler(const prometheus::Registry& registry) : registry_(registry) {}
  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return Answer(connection, 200, serializer_.Serialize(registry_.Collect()));
  }

 private:
  const prometheus::Registry& registry_;
  const prometheus::TextSerializer serializer_;
};

class HealthHandler final : public CivetHandler {
 public:
  explicit HealthHandler(std::function<bool()> healthy) : healthy_(std::move(healthy)) {}
  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return healthy_() ? Answer(connection, 200, "ok\n") : Answer(connection, 503, "not serving\n");
  }

 private:
  const std::function<bool()> healthy_;
};

class RouteHandler final : public CivetHandler {
 public:
  // `server_url` is filled in once it is known, before somebody asks.
  RouteHandler(HttpRoute route, const std::string& server_url)
      : route_(std::move(route)), server_url_(server_url) {}

  const std::string& path() const { return route_.path; }

  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return Reply(connection, "");
  }
  bool handlePost(CivetServer* /*server*/, mg_connection* connection) override {
    auto body = ReadBody(connection);
    if (!body.has_value()) return Answer(connection, 413, "too much\n");
    return Reply(connection, *std::move(body));
  }

 private:
  bool Reply(mg_connection* connection, std::string body) {
    const mg_request_info& info = *mg_get_request_info(connection);
    if (route_.path != info.local_uri) return Answer(connection, 404, "there is no such place\n");
    return Answer(connection, route_.answer({.method = info.request_method,
                                             .content_type = HeaderOf(connection, "Content-Type"),
                                             .authorization = HeaderOf(connection, "Authorization"),
                                             .body = std::move(body),
                                             .host = info.remote_addr,
                                             .server_url = server_url_}));
  }

  const HttpRoute route_;
  const std::string& server_url_;
};

class CivetMetricsServer final : public MetricsServer {
 public:
  CivetMetricsServer(ListenAddress address, const prometheus::Registry& registry,
                     std::function<bool()> healthy, std::vector<HttpRoute> routes)
      : address_(std::move(address)),
        metrics_(registry),
        health_(std::move(healthy)),
        server_(std::vector<std::string>{"listening_ports", address_.ToString(), "num_threads",
                                         kThreads, "request_timeout_ms", kPatienceMs}) {
    const auto ports = server_.getListeningPorts();
    if (!ports.empty()) address_.port = static_cast<uint16_t>(ports.front());
    url_ = absl::StrCat("http://", address_.ToString());
    server_.addHandler("/metrics", metrics_);
    server_.addHandler("/healthz", health_);
    for (HttpRoute& route : routes) {
      routes_.push_back(std::make_unique<RouteHandler>(std::move(route), url_));
      server_.addHandler(routes_.back()->path(), *routes_.back());
    }
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
  std::string url_;
  MetricsHandler metrics_;
  HealthHandler health_;
  std::vector<std::unique_ptr<RouteHandler>> routes_;
  CivetServer server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const ListenAddress& address, const prometheus::Registry& registry,
    std::function<bool()> healthy, std::vector<HttpRoute> routes) {
  try {
    return std::make_unique<CivetMetricsServer>(address, registry, std::move(healthy),
                                                std::move(routes));
  } catch (const CivetException&) {  // Its text is the same for every cause.
    return Error(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                 absl::StrCat("server.metrics_listen: cannot listen on ", address.ToString(),
                              ": is the port taken?"));
  }
}

}  // namespace kantoku::platform
