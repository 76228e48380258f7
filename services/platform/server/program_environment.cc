#include "services/platform/server/program_environment.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/platform/check.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"

namespace kantoku::platform {

namespace {

// A source of Events: this program, since this start.
std::string SourceOf(std::string_view name) {
  return absl::StrCat("audit/", absl::StrReplaceAll(ToAbsl(name), {{" ", "-"}}), "/",
                      absl::Hex(SystemRandom(), absl::kZeroPad16));
}

}  // namespace

ProgramEnvironment::ProgramEnvironment(std::string_view name, const MacKeys& keys,
                                       std::shared_ptr<Authenticator> authenticator,
                                       std::string data_dir, OutwardTls outward)
    : keys_(keys),
      data_dir_(std::move(data_dir)),
      outward_(std::move(outward)),
      replica_id_(absl::StrCat(absl::Hex(SystemRandom(), absl::kZeroPad16),
                               absl::Hex(SystemRandom(), absl::kZeroPad16))),
      metrics_(std::make_shared<prometheus::Registry>()),
      calls_(*metrics_, Clock::Real()),
      audit_({.source = SourceOf(name)}, keys_, Clock::Real(), *metrics_),
      authenticator_(std::make_shared<BlockingAuthenticator>(std::move(authenticator), blocks_)),
      gate_(*authenticator_, keys_, Clock::Real(), &calls_, &audit_) {}

ProgramEnvironment::~ProgramEnvironment() = default;

std::string ProgramEnvironment::advertised() {
  MutexLock lock(mutex_);
  return advertised_;
}

std::shared_ptr<grpc::Channel> ProgramEnvironment::Connect(const std::string& address) {
  MutexLock lock(mutex_);
  const std::string& target = address.empty() ? own_address_ : address;
  KANTOKU_CHECK(!target.empty());
  std::shared_ptr<grpc::Channel>& channel = channels_[target];
  if (channel == nullptr) {
    // Services show an identity of their own, and with calls that they forward the callers' tokens.
    // The own server is reached inside.
    const bool protect = IsOwnAddress(target) ? outward_.on_this_computer && target != own_address_
                                              : outward_.on_other_computers;
    ChannelOptions options;
    if (protect) options.tls = outward_.tls;
    options.insecure_plaintext_beyond_loopback = !protect;
    channel = *MakeChannel(target, options);
  }
  return channel;
}

void ProgramEnvironment::SetOwnAddress(const std::string& address) {
  MutexLock lock(mutex_);
  own_address_ = address;
}

void ProgramEnvironment::SetAdvertised(std::string address) {
  MutexLock lock(mutex_);
  advertised_ = std::move(address);
}

}  // namespace kantoku::platform
