#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kantoku::conformance {

enum class Outcome { kPassed, kFailed, kSkipped };

// A promise that was not kept.
struct Failure {
  std::string where;               // "tests/conformance/record_store_exam.cc:205"
  std::string expected;            // As it is written there; empty: an error came instead.
  std::string found;               // The same with values, or what the error says.
  std::vector<std::string> notes;  // What the case says of where it is.
  std::vector<std::string> calls;  // The last ones before it, the newest last.
};

struct CaseReport {
  std::string name;
  Outcome outcome = Outcome::kPassed;
  double seconds = 0;
  std::string lacks;                 // The tag of an ability (abilities.h), if it was skipped ...
  std::string needs;                 // ... and what that is.
  std::vector<std::string> without;  // Such tags: the parts that need those were left out.
  std::vector<Failure> failures;
  size_t more_failures = 0;  // That are not told.
};

// What came of an exam.
struct Report {
  std::string exam;    // "store"
  std::string target;  // host:port.
  std::string place;   // Where in it the exam was: "the component conformance_0123"
  std::vector<CaseReport> cases;
  size_t left_behind = 0;  // Partitions, tasks and pauses of it that could not be taken away.

  size_t Count(Outcome outcome) const;
  double seconds() const;
};

// For people: what is examined, a case with what there is to say about it, and what came of them
// all; each line ended.
std::string ToFirstLine(const Report& report);
std::string ToText(const CaseReport& report);
std::string ToLastLine(const Report& report);
// One document each; docs/conformance.md says what is in the first.
std::string ToJson(const Report& report);
std::string ToJUnit(const Report& report);

// UTF-8 without control characters, which a foreign program may have put in; what is none of that
// is "?" or a space. No longer than `limit`.
std::string Plain(std::string_view text, size_t limit = 2000);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_H_
