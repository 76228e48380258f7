#include "tests/support/issuer_server.h"

#include <CivetServer.h>

#include "services/platform/mutex.h"
#include "tests/support/token_maker.h"

namespace kantoku::test {

using platform::Mutex;
using platform::MutexLock;

class IssuerServer::Site final : public CivetHandler {
 public:
  Site() : server_(std::vector<std::string>{"listening_ports", "127.0.0.1:0", "num_threads", "2"}) {
    server_.addHandler("/", *this);
  }

  std::string url() {
    return "http://127.0.0.1:" + std::to_string(server_.getListeningPorts().front());
  }

  bool handleGet(CivetServer*, mg_connection* connection) override {
    const std::string path = mg_get_request_info(connection)->request_uri;
    std::string body;
    bool broken = false;
    {
      MutexLock lock(mutex);
      broken = this->broken;
      if (path == "/keys") {
        ++requests;
        body = keys;
      } else {
        body = nlohmann::json{{"issuer", url()}, {"jwks_uri", url() + "/keys"}}.dump();
      }
    }
    if (broken) body.clear();
    mg_printf(connection, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
              broken ? 500 : 200, body.size());
    mg_write(connection, body.data(), body.size());
    return true;
  }

  Mutex mutex;
  std::string keys ABSL_GUARDED_BY(mutex);
  bool broken ABSL_GUARDED_BY(mutex) = false;
  int requests ABSL_GUARDED_BY(mutex) = 0;

 private:
  CivetServer server_;
};

IssuerServer::IssuerServer() : site_(std::make_unique<Site>()), url_(site_->url()) {}

IssuerServer::~IssuerServer() = default;

void IssuerServer::SetKeys(const std::vector<nlohmann::json>& jwks) {
  MutexLock lock(site_->mutex);
  site_->keys = KeySetOf(jwks);
}

void IssuerServer::SetBroken(bool broken) {
  MutexLock lock(site_->mutex);
  site_->broken = broken;
}

int IssuerServer::requests() const {
  MutexLock lock(site_->mutex);
  return site_->requests;
}

}  // namespace kantoku::test
