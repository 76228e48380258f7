#ifndef KANTOKU_SERVICES_ISSUER_SERVICE_H_
#define KANTOKU_SERVICES_ISSUER_SERVICE_H_

#include <atomic>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/auth/v1/grants.grpc.pb.h"
#include "services/issuer/grant_machine.h"
#include "services/issuer/issuer.h"
#include "services/issuer/token_desk.h"
#include "services/platform/audit/audit_trail.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/service.h"
#include "services/platform/rpc/unary.h"

namespace kantoku::issuer {

// GrantsService over a machine and an issuer: decodes, checks, calls, encodes. The contract is
// grants.proto.
//
// Thread-safe. Everything it is made from outlives it, and it outlives its calls.
class Service final : public platform::Service {
 public:
  struct Parts {
    platform::PartitionRunner& runner;
    GrantMachine& machine;
    Issuer& issuer;
    TokenDesk& desk;
    platform::Clock& clock;
    platform::CallMonitor& calls;
    platform::AuditTrail& audit;
  };

  explicit Service(const Parts& parts);

  // Until then calls are UNAVAILABLE.
  void Open() { open_ = true; }

  void CreateGrant(platform::UnaryCall* call, const auth::v1::CreateGrantRequest* request,
                   auth::v1::CreateGrantResponse* response);
  void ListGrants(platform::UnaryCall* call, const auth::v1::ListGrantsRequest* request,
                  auth::v1::ListGrantsResponse* response);
  void RevokeGrant(platform::UnaryCall* call, const auth::v1::RevokeGrantRequest* request,
                   auth::v1::RevokeGrantResponse* response);
  void ExchangeGrant(platform::UnaryCall* call, const auth::v1::ExchangeGrantRequest* request,
                     auth::v1::ExchangeGrantResponse* response);

 private:
  using Identity = platform::Identity;

  using Urgency = platform::PartitionRunner::Urgency;

  // Runs `command(transaction, reply)` behind the others; it answers. What is urgent is done though
  // the disk is full: who holds a grant goes on, and who is to go goes.
  template <typename Command>
  void Post(platform::Reply reply, Command command, Urgency urgency = Urgency::kNormal);
  absl::StatusOr<Grant> Read(const auth::v1::CreateGrantRequest& request,
                             const Identity& caller) const;

  Parts parts_;
  platform::CallMonitor::Method& create_;
  platform::CallMonitor::Method& list_;
  platform::CallMonitor::Method& revoke_;
  platform::CallMonitor::Method& exchange_;
  std::atomic<bool> open_ = false;
};

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_SERVICE_H_
