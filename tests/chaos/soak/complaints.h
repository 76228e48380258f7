#ifndef KANTOKU_TESTS_CHAOS_SOAK_COMPLAINTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_COMPLAINTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/task_info.h"
#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// Counts what must not happen and keeps the first ones for people.
//
// Thread-compatible.
class Complaints {
 public:
  template <typename... Parts>
  void Add(size_t& counter, const Parts&... parts) {
    ++counter;
    if (texts_.size() < kMost) texts_.push_back(absl::StrCat(parts...));
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  static constexpr size_t kMost = 40;
  std::vector<std::string> texts_;
};

inline std::string NameOf(const Asked& asked) {
  return absl::StrCat(asked.type, " ", asked.work.name, " (", asked.task, ")");
}

inline std::string Text(const Told& told) {
  return absl::StrCat(std::string(ToString(told.status)), " by dispatch ", told.dispatch, " ",
                      told.reason, " ", told.data);
}

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_COMPLAINTS_H_
