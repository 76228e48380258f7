#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_MODULE_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_MODULE_H_

#include <grpcpp/channel.h>
#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/audit/audit_trail.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/server/http_route.h"

namespace kantoku::platform {

// What a program lends to its modules. Everything outlives them.
//
// Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;

  virtual Clock& clock() = 0;
  // Random bits for ids and jitter; from the operating system in programs, from a seed in tests.
  virtual uint64_t Random() = 0;
  virtual const MacKeys& mac_keys() = 0;
  virtual prometheus::Registry& metrics() = 0;
  // Where the program's RPCs are counted (rpc/unary.h, rpc/bidi_stream.h).
  virtual CallMonitor& calls() = 0;
  // Whom the program refuses whatever token he shows; for who knows it first.
  virtual BlockBook& blocks() = 0;
  // Where the program says who was refused, and what administrators did.
  virtual AuditTrail& audit() = 0;
  // Directory of everything durable.
  virtual const std::string& data_dir() = 0;
  // Where others like this program reach it, "host:port"; empty: it has no others. Its
  // port is right from Start on.
  virtual std::string advertised() = 0;
  // Which of these it is; no other start of a program has it. All modules are that one, so that
  // they come to have partitions of the same numbers.
  virtual const std::string& replica_id() = 0;
  // A channel to `address`, shared with whoever asked for it before; empty means the program's own
  // server, and then may be called from Start on.
  virtual std::shared_ptr<grpc::Channel> Connect(const std::string& address) = 0;
};

// A service as a part of a program. Makers (`MakeInputsModule`) open the stores, so that whatever
// is wrong with them is said before a port is open.
//
// Confined to the program's main thread. Order: services, Start, Drain, Stop; Stop may come twice
// or without Start.
class Module {
 public:
  virtual ~Module() = default;

  virtual std::string_view name() const = 0;
  // To be registered with the server; they answer UNAVAILABLE until Start.
  virtual std::vector<grpc::Service*> services() = 0;
  // What the program's web server answers for it, beside the metrics; as `services`, it may be
  // asked before Start and after Stop.
  virtual std::vector<HttpRoute> http_routes() { return {}; }
  // After the server listens. May connect to other services, never waits for them.
  virtual absl::Status Start() = 0;
  // Takes no new work and tells long streams to end; returns at once.
  virtual void Drain(absl::Duration within) = 0;
  // Ends every stream and joins every thread. No call of its services is answered afterwards.
  virtual void Stop() = 0;
  // Whether health checks say SERVING.
  virtual bool healthy() const = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_MODULE_H_
