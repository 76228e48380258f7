#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_METRICS_SERVER_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_METRICS_SERVER_H_

#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/config/address.h"
#include "services/platform/server/http_route.h"

namespace kantoku::platform {

// Serves `/metrics` in Prometheus' text form and `/healthz`: 200 and "ok" while `healthy` says so,
// else 503; and what modules have to say over HTTP.
//
// Thread-safe. Owns its threads, which end with it. `registry` outlives it; `healthy` and the
// routes are called on its threads.
class MetricsServer {
 public:
  // UNAVAILABLE, CANNOT_LISTEN when the port cannot be had.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const ListenAddress& address,
                                                              const prometheus::Registry& registry,
                                                              std::function<bool()> healthy,
                                                              std::vector<HttpRoute> routes = {});
  virtual ~MetricsServer() = default;

  // Where it listens, with the port that it got.
  virtual const ListenAddress& address() const = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_METRICS_SERVER_H_
