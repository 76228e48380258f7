#ifndef KANTOKU_TESTS_CHAOS_CLIENT_JOURNAL_H_
#define KANTOKU_TESTS_CHAOS_CLIENT_JOURNAL_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/status.h"

namespace kantoku::test {

// What a client that is killed and started again wrote down, by the index of the task:
//
//   spawning <first> <count>            before it asks for them
//   accepted <index> <task>             each, once that is answered
//   ended <index> <task> <status> <dispatch> <data>   once it has the result
//   trouble <text>                      what must not happen
//
// Thread-compatible.
class ClientJournal {
 public:
  struct End {
    std::string task;
    std::string status;
    uint32_t dispatch = 0;
    std::string data;
    auto operator<=>(const End&) const = default;
  };

  // Takes in a whole line. What a kill cut off is no line of these, and ignored.
  void Read(std::string_view text) {
    const std::vector<std::string> words =
        absl::StrSplit(platform::ToAbsl(text), absl::MaxSplits(' ', 5));
    if (words[0] == "spawning" && words.size() == 3) {
      const int first = std::stoi(words[1]);
      for (int i = 0; i < std::stoi(words[2]); ++i) spawning_.insert(first + i);
    } else if (words[0] == "accepted" && words.size() == 3 && words[2].size() == 36) {
      const int index = std::stoi(words[1]);
      spawning_.erase(index);
      const auto [known, added] = accepted_.emplace(index, words[2]);
      if (known->second != words[2])
        trouble_ = absl::StrCat("a second task: ", platform::ToAbsl(text));
    } else if (words[0] == "ended" && words.size() == 6) {
      const End end = {words[2], words[3], static_cast<uint32_t>(std::stoul(words[4])), words[5]};
      const auto [known, added] = ends_.emplace(std::stoi(words[1]), end);
      if (known->second != end) trouble_ = absl::StrCat("a second end: ", platform::ToAbsl(text));
    } else if (words[0] == "trouble") {
      trouble_ = text;
    }
  }

  // Asked for, and not answered yet, by the present process or one that was killed.
  const std::set<int>& spawning() const { return spawning_; }
  const std::map<int, std::string>& accepted() const { return accepted_; }
  const std::map<int, End>& ends() const { return ends_; }
  const std::string& trouble() const { return trouble_; }

 private:
  std::set<int> spawning_;
  std::map<int, std::string> accepted_;
  std::map<int, End> ends_;
  std::string trouble_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_CLIENT_JOURNAL_H_
