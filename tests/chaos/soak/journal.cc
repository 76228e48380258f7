#include "tests/chaos/soak/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"

namespace kantoku::soak {
namespace {

constexpr std::array<std::string_view, 4> kWords = {"start", "end", "child", "left"};
constexpr char kMark = ';';

}  // namespace

absl::Duration Steady() { return platform::Clock::Real().Read().steady; }

std::string ToLine(const Entry& entry) {
  std::string line =
      absl::StrCat(std::string(kWords[static_cast<size_t>(entry.kind)]), " ", entry.task, " ",
                   entry.dispatch, " ", absl::ToInt64Microseconds(entry.at), " ", entry.pid);
  if (entry.kind == Entry::Kind::kChild) absl::StrAppend(&line, " ", entry.child);
  if (entry.kind != Entry::Kind::kStart || !entry.text.empty()) {
    absl::StrAppend(&line, " ", entry.text);
  }
  return line;
}

absl::StatusOr<Entry> ParseLine(std::string_view line) {
  std::istringstream words{std::string(line)};
  Entry entry;
  std::string word;
  int64_t at = 0;
  bool good = static_cast<bool>(words >> word >> entry.task >> entry.dispatch >> at >> entry.pid);
  entry.at = absl::Microseconds(at);
  const auto* const kind = std::find(kWords.begin(), kWords.end(), word);
  good = good && kind != kWords.end();
  entry.kind = static_cast<Entry::Kind>(kind - kWords.begin());
  if (good && entry.kind == Entry::Kind::kStart && words.peek() != ' ') return entry;
  if (entry.kind == Entry::Kind::kChild) good = good && static_cast<bool>(words >> entry.child);
  good = good && words.get() == ' ' && std::getline(words, entry.text);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("no line of a journal: ", platform::ToAbsl(line)));
  }
  return entry;
}

absl::StatusOr<std::unique_ptr<JournalWriter>> JournalWriter::Open(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  return std::unique_ptr<JournalWriter>(new JournalWriter(file));
}

JournalWriter::~JournalWriter() { ::close(file_); }

void JournalWriter::Write(const Entry& entry) {
  const std::string line = absl::StrCat("\n", ToLine(entry), std::string(1, kMark));
  KANTOKU_CHECK(::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
}

absl::StatusOr<std::vector<Entry>> ReadJournal(const std::string& path) {
  std::ifstream file(path);
  if (!file.is_open()) return absl::NotFoundError(path);
  std::vector<Entry> entries;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.back() != kMark) continue;
    line.pop_back();
    auto entry = ParseLine(line);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace kantoku::soak
