#include "services/all-in-one/bench/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace kantoku::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);  // Then it is killed.

// The number in a line such as `VmHWM:   1234 kB`.
double MebibytesIn(absl::string_view line) {
  double kibibytes = 0;
  const absl::string_view number = absl::StripSuffix(line.substr(line.find(':') + 1), "kB");
  return absl::SimpleAtod(absl::StripAsciiWhitespace(number), &kibibytes) ? kibibytes / 1024 : 0;
}

}  // namespace

Usage UsageOf(pid_t pid) {
  Usage usage;
  clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
  timespec time{};
  if ((pid == 0 || clock_getcpuclockid(pid, &clock) == 0) && clock_gettime(clock, &time) == 0) {
    usage.cpu = absl::DurationFromTimespec(time);
  }
  std::ifstream status(pid == 0 ? "/proc/self/status" : absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) usage.rss_mib = MebibytesIn(line);
    if (line.starts_with("VmHWM:")) usage.peak_rss_mib = MebibytesIn(line);
  }
  return usage;
}

absl::StatusOr<std::string> OutputOf(const std::string& program) {
  FILE* const pipe = popen(program.c_str(), "re");
  if (pipe == nullptr) return absl::ErrnoToStatus(errno, program);
  std::string output;
  char bytes[4096];
  for (size_t read = 0; (read = fread(bytes, 1, sizeof(bytes), pipe)) > 0;) {
    output.append(bytes, read);
  }
  if (pclose(pipe) != 0) return absl::InternalError(program + " has failed");
  return output;
}

absl::StatusOr<Child> Child::Start(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t owner = getpid();
  const pid_t pid = fork();  // Not posix_spawn: nothing else ends it with its owner.
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid > 0) return Child(pid);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == owner) execv("/proc/self/exe", argv.data());
  _exit(127);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    Stop();
    pid_ = std::exchange(other.pid_, 0);
  }
  return *this;
}

Child::~Child() { Stop(); }

void Child::Stop() { End(SIGTERM); }
void Child::Kill() { End(SIGKILL); }

void Child::End(int signal) {
  if (pid_ == 0) return;
  kill(pid_, signal);
  const absl::Time until = absl::Now() + kPatience;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (absl::Now() > until) kill(pid_, SIGKILL);
    absl::SleepFor(absl::Milliseconds(2));
  }
  pid_ = 0;
}

}  // namespace kantoku::bench
