#ifndef KANTOKU_TESTS_CHAOS_SOAK_JOURNAL_H_
#define KANTOKU_TESTS_CHAOS_SOAK_JOURNAL_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::soak {

// Steady time of this machine, the same in all of its processes.
absl::Duration Steady();

// A line of the journal.
struct Entry {
  enum class Kind : uint8_t {
    kStart,  // A handler begins; `text` is the checkpoint that it was given.
    kEnd,    // It returns; `text` is `result` or `error`.
    kChild,  // It has spawned a task that was accepted; `child` is its id, `text` its payload.
    kLeft,   // It knows that its checkpoint `text` is durable.
  };
  Kind kind = Kind::kStart;
  std::string task;
  uint32_t dispatch = 0;
  absl::Duration at;  // Steady, in whole microseconds.
  pid_t pid = 0;
  std::string child;
  std::string text;

  bool operator==(const Entry&) const = default;
};

std::string ToLine(const Entry& entry);
// INVALID_ARGUMENT shows the line.
absl::StatusOr<Entry> ParseLine(std::string_view line);

// The file outside Kantoku in which handlers say what they do. All processes append to it, each
// line by one write. A kill may cut a line where a page of the file ends: lines therefore begin
// with a line feed and end with a mark, and one without its mark was never written. Whoever wrote
// it was killed before it could go on.
//
// Thread-safe.
class JournalWriter {
 public:
  static absl::StatusOr<std::unique_ptr<JournalWriter>> Open(const std::string& path);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void Write(const Entry& entry);

 private:
  explicit JournalWriter(int file) : file_(file) {}
  const int file_;
};

// All that was written, in its order. INVALID_ARGUMENT for a line that is none; NOT_FOUND.
absl::StatusOr<std::vector<Entry>> ReadJournal(const std::string& path);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_JOURNAL_H_
