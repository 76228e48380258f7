#include "tests/conformance/inputs_exam/exam_names.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"

namespace kantoku::inputs {
namespace {

constexpr size_t kMarkBytes = 15;

struct Names {
  std::string name_space;
  std::string mark;
};
Names& Current() {
  static auto& names = *new Names;
  return names;
}

}  // namespace

void UseNames(std::string name_space, std::string mark) {
  KANTOKU_CHECK(mark.size() == kMarkBytes);
  Current() = {std::move(name_space), std::move(mark)};
}

std::string Fresh(std::string_view name) {
  const std::string& mark = Current().mark;
  return mark.empty() ? std::string(name) : absl::StrCat(std::string(name), "-", mark);
}

std::string SessionId(uint8_t n) {
  const std::string& mark = Current().mark;
  return (mark.empty() ? std::string(kMarkBytes, 's') : mark) + static_cast<char>(n);
}

const std::string& Namespace() { return Current().name_space; }

}  // namespace kantoku::inputs
