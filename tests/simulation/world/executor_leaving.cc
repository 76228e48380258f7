#include <algorithm>

#include "services/platform/proto_time.h"
#include "tests/simulation/world/executor.h"

// What an operator asks of an executor. Whoever owns it starts it again some time later.
namespace kantoku::simulation {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(30);
constexpr absl::Duration kStopPatience = absl::Seconds(3);

}  // namespace

void Executor::Obey(const inputs::v1::ExecutorControl& control) {
  switch (control.verb()) {
    case inputs::v1::EXECUTOR_VERB_DRAIN:
      ledger_->Drain();
      leave_at_ = std::min(leave_at_, now() + kDrainLimit);
      return;
    case inputs::v1::EXECUTOR_VERB_KICK:
      ledger_->Drain();
      ledger_->StopHandlers(executor::StopCause::kDraining);
      leave_at_ = std::min(leave_at_, now() + kStopPatience);
      return;
    case inputs::v1::EXECUTOR_VERB_BOUNCE:
      bounced_until_ = now() + platform::FromProto(control.delay());
      return;
    default:
      return scene_.Expect(false, "operators ask for what there is");
  }
}

// Not while anything is read.
bool Executor::Leaves() {
  if (bounced_until_ > now() && connection_ != nullptr) {
    GiveUpConnection();
    connect_at_ = std::max(connect_at_, bounced_until_);
    return true;
  }
  if (leave_at_ == absl::InfiniteDuration()) return false;
  if (now() < leave_at_ && !ledger_->empty()) return false;
  scene_.coverage.Count(Deed::kExecutorLeft);
  Kill();
  connect_at_ = now() + scene_.random.UpTo(absl::Seconds(10));
  return true;
}

}  // namespace kantoku::simulation
