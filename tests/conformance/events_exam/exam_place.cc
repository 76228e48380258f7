#include "tests/conformance/events_exam/exam_place.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace kantoku::events {
namespace {

ExamPlace& Current() {
  static auto& place = *new ExamPlace;
  return place;
}

}  // namespace

void UsePlace(ExamPlace place) { Current() = std::move(place); }

const std::string& Namespace() { return Current().name_space; }
const std::string& Beginning() { return Current().after; }
std::string Fresh(std::string_view name) {
  const std::string& mark = Current().mark;
  return mark.empty() ? std::string(name) : absl::StrCat(std::string(name), "-", mark);
}

}  // namespace kantoku::events
