#ifndef KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_PLACE_H_
#define KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_PLACE_H_

#include <string>
#include <string_view>

// Where in a log the cases of the exam are, so that one does not meet what another, or somebody
// else, has put there. In our tests each case has a log of its own. Of one in use it has a
// namespace, what is appended from now on, and sources of its own.
//
// Confined to the main thread, but for Fresh and Namespace while none uses another place.
namespace kantoku::events {

struct ExamPlace {
  std::string name_space = "default";
  std::string after = {};  // A position: what is before it is not the case's. Empty: nothing is.
  std::string mark = {};   // In names that others might have.
};

// From here on, cases are there.
void UsePlace(ExamPlace place);

const std::string& Namespace();
const std::string& Beginning();
// A source or another namespace that nobody has used before.
std::string Fresh(std::string_view name);

}  // namespace kantoku::events

#endif  // KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_PLACE_H_
