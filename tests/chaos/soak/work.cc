#include "tests/chaos/soak/work.h"

#include <sstream>

#include "absl/strings/str_cat.h"

namespace kantoku::soak {

std::string Encode(const Work& work) {
  return absl::StrCat(work.name, " ", work.milliseconds, " ", work.fails, " ", work.items, " ",
                      work.children, " ", work.points);
}

std::optional<Work> Decode(std::string_view payload) {
  std::istringstream words{std::string(payload)};
  Work work;
  std::string more;
  if (!(words >> work.name >> work.milliseconds >> work.fails >> work.items >> work.children >>
        work.points) ||
      words >> more) {
    return std::nullopt;
  }
  return work;
}

Work ChildOf(const Work& parent, int n) {
  return {.name = absl::StrCat(parent.name, ".", n),
          .milliseconds = parent.milliseconds,
          .children = parent.children / 2};
}

std::string TypeOfChildren() { return "soak.child"; }

std::string ResultOf(const Work& work) { return absl::StrCat("done: ", work.name); }

std::string ItemOf(const Work& work, uint64_t n) { return absl::StrCat(work.name, " item ", n); }

}  // namespace kantoku::soak
