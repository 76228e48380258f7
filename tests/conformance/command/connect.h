#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_CONNECT_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_CONNECT_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "tests/conformance/command/call_log.h"
#include "tests/conformance/command/exams.h"

namespace kantoku::conformance {

// What the command line says.
struct Options {
  std::string exam;
  std::string target;
  std::string name_space;
  std::string access_file;
  std::string token_file;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string crash_command;
  std::string inputs;
  std::string mac_key_file;
  std::string as_inputs;
  std::set<std::string> without;
  std::string junit_file;
  std::string json_file;
};

// The parts that one may say to be left out.
std::set<std::string> Parts();

// Where the exam is held, and what is lent to it; calls there are noted. INVALID_ARGUMENT, with
// what is wrong, where the options do not go with that exam. Nothing is called yet.
absl::StatusOr<Target> Connect(const Exam& exam, const Options& options, CallLog& calls);

// What whoever sits it is able to, as tags (abilities.h): of parts all but those that are said to
// be left out.
std::set<std::string> AbleTo(const Exam& exam, const Target& target, const Options& options);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_CONNECT_H_
