#include "tests/chaos/soak/program.h"

#include <signal.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {
namespace {

// Between two tries to start, and between two looks at what runs.
constexpr std::chrono::milliseconds kPause(50);
constexpr absl::Duration kStartLimit = absl::Seconds(60);
constexpr absl::Duration kExitLimit = absl::Seconds(30);

}  // namespace

Program::Program(Options options) : options_(std::move(options)) {
  keeper_ = std::thread([this] { Keep(); });
}

Program::~Program() {
  {
    platform::MutexLock lock(mu_);
    finished_ = true;
    held_ = true;
  }
  changed_.SignalAll();
  if (auto running = child(); running != nullptr && running->running()) {
    running->Kill();
    Ended(running->pid());
  }
  keeper_.join();
}

std::shared_ptr<test::ChildProcess> Program::child() const {
  platform::MutexLock lock(mu_);
  return child_;
}

void Program::Ended(pid_t pid) {
  if (options_.ended) options_.ended(pid, Steady());
}

void Program::Keep() {
  while (true) {
    bool start = false;
    std::shared_ptr<test::ChildProcess> crashed;
    {
      platform::MutexLock lock(mu_);
      if (finished_) return;
      if (child_ != nullptr && !child_->running() && !held_) {
        crashed = std::exchange(child_, nullptr);
        up_ = false;
        ++crashes_;
      }
      start = child_ == nullptr && !held_;
      if (!start) changed_.WaitFor(mu_, kPause);
    }
    if (crashed != nullptr) Ended(crashed->pid());
    if (start && !StartOnce()) {
      platform::MutexLock lock(mu_);
      if (!finished_) changed_.WaitFor(mu_, kPause);
    }
  }
}

// False when it did not come up.
bool Program::StartOnce() {
  if (!options_.port_file.empty()) std::filesystem::remove(options_.port_file);
  auto started =
      test::ChildProcess::Start({.argv = options_.argv, .output_file = options_.output_file});
  if (!started.ok()) return false;
  const std::shared_ptr<test::ChildProcess> child = *std::move(started);
  {
    platform::MutexLock lock(mu_);
    ++starts_;
    child_ = child;
  }
  if (options_.started) options_.started(child->pid());
  const bool up =
      options_.port_file.empty() || child->AwaitFile(options_.port_file, kStartLimit).ok();
  platform::MutexLock lock(mu_);
  if (child_ == child) up_ = up;
  changed_.SignalAll();
  return up;
}

bool Program::Down(int signal) {
  std::shared_ptr<test::ChildProcess> running;
  {
    platform::MutexLock lock(mu_);
    held_ = true;
    running = child_;
  }
  if (running == nullptr || !running->running()) return false;
  running->Signal(signal);
  auto exit = running->AwaitExit(kExitLimit);
  const bool obeyed =
      exit.ok() && (signal == SIGKILL ? exit->signal == SIGKILL : exit->code.has_value());
  if (!exit.ok()) running->Kill();
  Ended(running->pid());
  platform::MutexLock lock(mu_);
  child_ = nullptr;
  up_ = false;
  return obeyed;
}

void Program::Release() {
  platform::MutexLock lock(mu_);
  held_ = false;
  changed_.SignalAll();
}

bool Program::Freeze() {
  const auto running = child();
  if (running == nullptr || !running->running()) return false;
  running->Freeze();
  return running->running();
}

void Program::Thaw() {
  if (const auto running = child(); running != nullptr) running->Thaw();
}

bool Program::WithPid(const std::function<void(pid_t pid)>& use) {
  const auto running = child();
  if (running == nullptr || !running->running()) return false;
  use(running->pid());
  return true;
}

absl::Status Program::AwaitUp(absl::Duration limit) {
  const absl::Duration until = Steady() + limit;
  platform::MutexLock lock(mu_);
  while (!up_ && Steady() < until) {
    changed_.WaitFor(mu_, absl::ToChronoNanoseconds(until - Steady()));
  }
  return up_ ? absl::OkStatus()
             : absl::DeadlineExceededError(
                   absl::StrCat(options_.name, " does not come up: see ", options_.output_file));
}

int Program::Finish(int signal, absl::Duration limit) {
  std::shared_ptr<test::ChildProcess> running;
  {
    platform::MutexLock lock(mu_);
    held_ = true;
    finished_ = true;
    running = child_;
  }
  changed_.SignalAll();
  if (running == nullptr) return -1;
  running->Signal(signal);
  const auto exit = running->AwaitExit(limit);
  if (!exit.ok()) running->Kill();
  Ended(running->pid());
  return exit.ok() ? exit->code.value_or(-1) : -1;
}

int Program::starts() const {
  platform::MutexLock lock(mu_);
  return starts_;
}

int Program::crashes() const {
  platform::MutexLock lock(mu_);
  return crashes_;
}

}  // namespace kantoku::soak
