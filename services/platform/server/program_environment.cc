#include "services/platform/server/program_environment.h"

#include <sys/random.h>

#include <array>
#include <utility>

#include "services/platform/check.h"
#include "services/platform/rpc/channel.h"

namespace kantoku::platform {
namespace {

// Asks the system for many numbers at a time.
class RandomNumbers {
 public:
  uint64_t Next() {
    if (next_ == numbers_.size()) Refill();
    return numbers_[next_++];
  }

 private:
  void Refill() {
    // Up to 256 bytes come whole, whatever signal arrives.
    static_assert(sizeof(numbers_) <= 256);
    KANTOKU_CHECK(::getrandom(numbers_.data(), sizeof(numbers_), 0) == sizeof(numbers_));
    next_ = 0;
  }

  std::array<uint64_t, 32> numbers_;
  size_t next_ = numbers_.size();
};

}  // namespace

ProgramEnvironment::ProgramEnvironment(std::unique_ptr<MacKeys> keys,
                                       std::shared_ptr<Authenticator> authenticator,
                                       std::string data_dir)
    : keys_(std::move(keys)),
      data_dir_(std::move(data_dir)),
      metrics_(std::make_shared<prometheus::Registry>()),
      calls_(*metrics_, Clock::Real()),
      authenticator_(std::move(authenticator)),
      gate_(*authenticator_, *keys_, Clock::Real(), &calls_) {}

ProgramEnvironment::~ProgramEnvironment() = default;

uint64_t ProgramEnvironment::Random() {
  thread_local RandomNumbers numbers;
  return numbers.Next();
}

std::shared_ptr<grpc::Channel> ProgramEnvironment::Connect(const std::string& address) {
  MutexLock lock(mutex_);
  const std::string& target = address.empty() ? own_address_ : address;
  KANTOKU_CHECK(!target.empty());
  std::shared_ptr<grpc::Channel>& channel = channels_[target];
  if (channel == nullptr) channel = MakeChannel(target);
  return channel;
}

void ProgramEnvironment::SetOwnAddress(const std::string& address) {
  MutexLock lock(mutex_);
  own_address_ = address;
}

}  // namespace kantoku::platform
