#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_ENVIRONMENT_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_ENVIRONMENT_H_

#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "services/platform/audit/events_audit_trail.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/mutex.h"
#include "services/platform/random.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/server/module.h"
#include "services/platform/server/server_tls.h"

namespace kantoku::platform {

// What a program lends to its modules: the machine's clocks and randomness, its keys, its metrics.
//
// Thread-safe.
class ProgramEnvironment final : public Environment {
 public:
  // `name` is the program's. The keys outlive it.
  ProgramEnvironment(std::string_view name, const MacKeys& keys,
                     std::shared_ptr<Authenticator> authenticator, std::string data_dir,
                     OutwardTls outward);
  ~ProgramEnvironment() override;

  Clock& clock() override { return Clock::Real(); }
  uint64_t Random() override { return SystemRandom(); }
  const MacKeys& mac_keys() override { return keys_; }
  prometheus::Registry& metrics() override { return *metrics_; }
  CallMonitor& calls() override { return calls_; }
  BlockBook& blocks() override { return blocks_; }
  EventsAuditTrail& audit() override { return audit_; }
  const std::string& data_dir() override { return data_dir_; }
  std::string advertised() override;
  const std::string& replica_id() override { return replica_id_; }
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) override;

  // Of the program's server.
  const Gate& gate() const { return gate_; }

  // Where the program's own server is, in plaintext, for Connect(""). Once, before modules start.
  void SetOwnAddress(const std::string& address);
  // Where others reach it. Again when its port is known.
  void SetAdvertised(std::string address);

 private:
  const MacKeys& keys_;
  const std::string data_dir_;
  const OutwardTls outward_;
  const std::string replica_id_;
  const std::shared_ptr<prometheus::Registry> metrics_;
  CallMonitor calls_;
  BlockBook blocks_;
  EventsAuditTrail audit_;
  const std::shared_ptr<Authenticator> authenticator_;
  const Gate gate_;

  Mutex mutex_;
  std::string own_address_ ABSL_GUARDED_BY(mutex_);
  std::string advertised_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::shared_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_ENVIRONMENT_H_
