#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_RUN_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_RUN_EXAM_H_

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "tests/conformance/command/call_log.h"
#include "tests/conformance/command/report.h"

namespace kantoku::conformance {

// Runs the cases that the files below `sources`, a part of their path, hold, one after another, and
// adds each to the report; `tell` is told of it at once. Cases that have a tag of an ability or a
// part (abilities.h) which is not among `able` are skipped. Calls are those of the channel that the
// cases use. Once in a process.
void RunExam(std::string_view sources, const std::set<std::string>& able, CallLog& calls,
             Report& report, std::function<void(const CaseReport&)> tell);

// All tags of those cases.
std::set<std::string> TagsOf(std::string_view sources);

// Says, in a case, that it leaves out what needs the ability of that tag.
void GoOnWithout(std::string_view tag);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_RUN_EXAM_H_
