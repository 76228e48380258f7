#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/bench/floors/floors.h"

namespace kantoku::floors {
namespace {

constexpr int kRounds = 1'000;
constexpr int kBlocks = 64;
using Block = std::array<char, 4096>;

absl::Status WriteThrough(int file, int block) {
  static constexpr Block kBytes{};
  const bool written = pwrite(file, kBytes.data(), sizeof(Block),
                              block * static_cast<off_t>(sizeof(Block))) == sizeof(Block);
  if (!written || fdatasync(file) != 0) return absl::ErrnoToStatus(errno, "fdatasync");
  return absl::OkStatus();
}

absl::StatusOr<Latencies> Measure(int file) {
  std::vector<absl::Duration> times;
  times.reserve(kRounds);
  for (int i = 0; i < kBlocks + kRounds; ++i) {  // The first give the file its blocks.
    const absl::Time begin = absl::Now();
    if (absl::Status status = WriteThrough(file, i % kBlocks); !status.ok()) return status;
    if (i >= kBlocks) times.push_back(absl::Now() - begin);
  }
  return Summarize(std::move(times));
}

}  // namespace

absl::StatusOr<Latencies> Fdatasync(const std::string& directory) {
  const std::string path = directory + "/fdatasync";
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  auto measured = Measure(file);
  close(file);
  return measured;
}

}  // namespace kantoku::floors
