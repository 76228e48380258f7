// `kantoku conformance EXAM --target HOST:PORT`: our exams, for services and stores of others.
#include <google/protobuf/stubs/logging.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/process.h"
#include "services/platform/status.h"
#include "tests/conformance/command/call_log.h"
#include "tests/conformance/command/connect.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/report.h"
#include "tests/conformance/command/report_file.h"
#include "tests/conformance/command/run_exam.h"

namespace kantoku::conformance {
namespace {

enum ExitCode : int { kNothingFailed = 0, kSomethingFailed = 1, kNoExam = 2 };

std::vector<Exam> Exams() {
  return {StoreExam(), InputsExam(), OutputsExam(), EventsExam(), ExecutorExam()};
}

void Declare(CLI::App& app, Options& options) {
  std::vector<std::string> names;
  std::string about = "Which exam:";
  for (const Exam& exam : Exams()) {
    names.emplace_back(exam.name);
    absl::StrAppend(&about, " ", std::string(exam.name), " (of ", std::string(exam.what), ")");
  }
  app.add_option("EXAM", options.exam, about)
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("");
  app.add_option("--target", options.target,
                 "Who sits it; of an executor: where it connects, which is where the exam listens")
      ->required()
      ->type_name("HOST:PORT");
  app.add_option(
         "--namespace", options.name_space,
         "Of a service: the namespace that the exam is in, best one for it alone; of Events "
         "nobody else may use it meanwhile")
      ->type_name("NAME");
  app.add_option("--access", options.access_file,
                 "Of a service: file that says why it is trusted and who one is there (default "
                 "$KANTOKU_ACCESS, or else that of a server of yours on this computer)")
      ->type_name("FILE");
  app.add_option("--token-file", options.token_file,
                 "Of a service: file with the access token to show")
      ->type_name("FILE");
  app.add_option("--ca-file", options.ca_file,
                 "PEM file: where the certificate of the target may come from (default: from "
                 "authorities that this computer trusts; on this computer: no TLS)")
      ->type_name("FILE");
  app.add_option("--certificate-file", options.certificate_file,
                 "PEM file: the certificate to show")
      ->type_name("FILE");
  app.add_option("--key-file", options.key_file, "PEM file: its key")->type_name("FILE");
  app.add_option("--crash", options.crash_command,
                 "Of a store: a command that kills it, starts it again and returns when it is "
                 "there, so that the cases can be held which need that")
      ->type_name("COMMAND");
  app.add_option("--inputs", options.inputs,
                 "Of Outputs: the Inputs that it works with (default: it is behind the same "
                 "address)")
      ->type_name("HOST:PORT");
  app.add_option("--mac-key-file", options.mac_key_file,
                 "Of Events, and of Outputs that nobody else uses: the keys by which it knows "
                 "Inputs")
      ->type_name("FILE");
  app.add_option("--as-inputs", options.as_inputs,
                 "Of such an Outputs: where the exam serves as the Inputs that it asks")
      ->type_name("HOST:PORT");
  app.add_option("--without", options.without,
                 "Of Outputs and Events: a part that it is known to leave out, whose cases are "
                 "skipped; may be repeated")
      ->check(CLI::IsMember(Parts()))
      ->type_name("PART");
  app.add_option("--junit", options.junit_file, "Write a report in JUnit's XML there")
      ->type_name("FILE");
  app.add_option("--json", options.json_file, "Write a report in JSON there")->type_name("FILE");
  app.footer(
      "The target is not harmed: the exam is in a place of its own there, which the first line "
      "names.\nExit codes: 0 nothing failed, 1 a case failed, 2 there was no exam, or no "
      "report of it could be written.");
}

absl::StatusOr<Report> Hold(const Options& options, CallLog& calls) {
  ReportFile junit("--junit", options.junit_file);
  ReportFile json("--json", options.json_file);
  KANTOKU_RETURN_IF_ERROR(junit.Open());
  KANTOKU_RETURN_IF_ERROR(json.Open());
  const std::vector<Exam> exams = Exams();
  const auto exam = std::ranges::find(exams, options.exam, &Exam::name);
  KANTOKU_ASSIGN_OR_RETURN(const Target target, Connect(*exam, options, calls));
  const auto place = exam->enter(target);
  if (!place.ok()) return platform::Annotate(place.status(), options.target);
  Report report = {.exam = options.exam, .target = options.target, .place = *place};
  // Whoever ends it half-way knows where something of it may have stayed.
  std::cout << ToFirstLine(report) << std::flush;
  if (exam->await) {
    const absl::Status there = exam->await();
    if (!there.ok()) return platform::Annotate(there, options.target);
  }
  RunExam(exam->sources, AbleTo(*exam, target, options), calls, report,
          [](const CaseReport& one) { std::cout << ToText(one) << std::flush; });
  if (exam->left_behind) report.left_behind = exam->left_behind();
  if (report.Count(Outcome::kSkipped) == report.cases.size()) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "NO_CASE",
                           absl::StrCat(options.target, ": no case can be held of it"));
  }
  std::cout << ToLastLine(report) << std::flush;
  KANTOKU_RETURN_IF_ERROR(junit.Write(ToJUnit(report)));
  KANTOKU_RETURN_IF_ERROR(json.Write(ToJson(report)));
  return report;
}

int Run(int argc, char** argv) {
  const std::string name = std::string(argv[0]).substr(std::string(argv[0]).rfind('/') + 1);
  Options options;
  CLI::App app("Holds an exam of Kantoku: does a program keep what its interface promises?", name);
  Declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kNothingFailed;
  } catch (const CLI::ParseError& error) {
    std::cerr << name << ": " << Plain(error.what()) << "; see " << name << " --help" << std::endl;
    return kNoExam;
  }
  static auto& calls = *new CallLog;  // Channels end with the process.
  const auto report = Hold(options, calls);
  if (!report.ok()) {
    std::cerr << name << ": " << Plain(std::string(report.status().message())) << std::endl;
    return kNoExam;
  }
  return report->Count(Outcome::kFailed) == 0 ? kNothingFailed : kSomethingFailed;
}

}  // namespace
}  // namespace kantoku::conformance

int main(int argc, char** argv) {
  kantoku::platform::SetUpProcess();
  google::protobuf::SetLogHandler(nullptr);  // Some cases send what is no UTF-8, which it tells.
  return kantoku::conformance::Run(argc, argv);
}
