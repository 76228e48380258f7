#include "services/all-in-one/bench/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
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

// What /proc/<pid>/stat says; nothing of a process that is gone.
struct Stat {
  pid_t parent = 0;
  int64_t ticks = 0;  // Of CPU, with its children's that have ended.
};

std::optional<Stat> StatOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name, in brackets, may have blanks and brackets in it.
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  constexpr int kBetween = 9;  // From the parent to the times.
  Stat stat;
  std::string skipped;
  rest >> skipped >> stat.parent;
  for (int i = 0; i < kBetween; ++i) rest >> skipped;
  for (int i = 0; i < 4; ++i) {
    int64_t ticks = 0;
    rest >> ticks;
    stat.ticks += ticks;
  }
  return rest ? std::optional(stat) : std::nullopt;
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

absl::Duration CpuOfFamily(pid_t pid) {
  int64_t ticks = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    int number = 0;
    if (!absl::SimpleAtoi(name, &number)) continue;
    const auto stat = StatOf(name);
    if (stat.has_value() && (number == pid || stat->parent == pid)) ticks += stat->ticks;
  }
  return absl::Seconds(1) * ticks / sysconf(_SC_CLK_TCK);
}

pid_t ParentOf(pid_t pid) {
  const auto stat = StatOf(std::to_string(pid));
  return stat.has_value() ? stat->parent : 0;
}

std::string NameOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string name;
  std::getline(file, name);
  return name;
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
