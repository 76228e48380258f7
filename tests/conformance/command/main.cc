// `kantoku conformance EXAM --target HOST:PORT`: our exams, for services and stores of others.
#include <google/protobuf/stubs/logging.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/process.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"
#include "services/platform/tls/client_files.h"
#include "tests/conformance/abilities.h"
#include "tests/conformance/command/call_log.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/report.h"
#include "tests/conformance/command/run_exam.h"

namespace kantoku::conformance {
namespace {

enum ExitCode : int { kNothingFailed = 0, kSomethingFailed = 1, kNoExam = 2 };

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

std::vector<Exam> Exams() {
  return {StoreExam(), InputsExam(), OutputsExam(), EventsExam(), ExecutorExam()};
}

std::set<std::string> Parts() {
  std::set<std::string> parts;
  for (const Tag& part : kParts) parts.emplace(part.tag);
  return parts;
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

// A store asks nobody for a token, and no access file is for it.
absl::StatusOr<platform::Target> FindStore(const Options& options) {
  for (const std::string* given :
       {&options.name_space, &options.access_file, &options.token_file}) {
    if (given->empty()) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_A_SERVICE",
                           "a store has no namespaces, and asks nobody who he is: there is nothing "
                           "to do with --namespace, --access and --token-file");
  }
  const platform::ClientFiles files = {.ca_file = options.ca_file,
                                       .certificate_file = options.certificate_file,
                                       .key_file = options.key_file};
  platform::Target target = {.server = options.target};
  if (files != platform::ClientFiles()) {
    KANTOKU_ASSIGN_OR_RETURN(platform::LiveFiles live, platform::WatchClientFiles(files));
    target.channel.tls = {.authorities_file = live.authorities, .identity_file = live.identity};
  } else if (!platform::IsOwnAddress(options.target)) {
    target.channel.tls = platform::ChannelTls();
  }
  return target;
}

absl::StatusOr<platform::Target> FindService(const Options& options, const std::string& server) {
  if (!options.crash_command.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_A_STORE",
                           "--crash: only a store is crashed");
  }
  if (options.name_space.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "NO_NAMESPACE",
                           "--namespace: name one that the exam may be in");
  }
  return platform::FindTarget({.server = server,
                               .access_file = options.access_file,
                               .token_file = options.token_file,
                               .ca_file = options.ca_file,
                               .certificate_file = options.certificate_file,
                               .key_file = options.key_file},
                              server, platform::Clock::Real());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Open(platform::Target found, CallLog& calls) {
  found.channel.interceptor = calls.Interceptor();
  return platform::MakeChannel(found.server, found.channel);
}

absl::Status CheckLoans(const Options& options) {
  const bool of_outputs = options.exam == "outputs";
  const bool of_either = of_outputs || options.exam == "events";
  if ((!of_outputs && !(options.inputs.empty() && options.as_inputs.empty())) ||
      (!of_either && !(options.mac_key_file.empty() && options.without.empty()))) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_ANOTHER_EXAM",
                           "--inputs and --as-inputs are for the exam of Outputs, --mac-key-file "
                           "and --without for those of Outputs and Events");
  }
  if (of_outputs && options.mac_key_file.empty() != options.as_inputs.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "HALF_AN_INPUTS",
                           "--mac-key-file and --as-inputs go together: whoever has the keys is "
                           "the Inputs of that Outputs");
  }
  return absl::OkStatus();
}

// Whoever leaves out a part of which there is no case would not be examined as he believes.
absl::Status CheckParts(const Exam& exam, const Options& options) {
  const std::set<std::string> tags = TagsOf(exam.sources);
  for (const std::string& part : options.without) {
    if (tags.contains(part)) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "NO_SUCH_PART",
                           absl::StrCat("--without ", part, ": the exam of ", options.exam,
                                        " has no case that is about that alone"));
  }
  return absl::OkStatus();
}

// What whoever holds the exam has beside the target.
absl::Status Lend(const Options& options, CallLog& calls, Target& target) {
  if (!options.mac_key_file.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(target.keys, platform::MacKeys::Load(options.mac_key_file));
  }
  target.as_inputs = options.as_inputs;
  target.asks_inputs = !options.without.contains("unknown");
  target.inputs = target.channel;
  if (options.inputs.empty()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(platform::Target inputs, FindService(options, options.inputs));
  KANTOKU_ASSIGN_OR_RETURN(target.inputs, Open(std::move(inputs), calls));
  return absl::OkStatus();
}

// It comes to us: nothing says where it is, or who one is to it.
absl::Status CheckExecutor(const Options& options) {
  for (const std::string* given :
       {&options.name_space, &options.access_file, &options.token_file, &options.ca_file,
        &options.certificate_file, &options.key_file, &options.crash_command}) {
    if (given->empty()) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_ANOTHER_EXAM",
                           "an executor connects to the exam: there is nothing to say but where "
                           "that listens, --target, and where reports go");
  }
  return absl::OkStatus();
}

absl::StatusOr<Target> Connect(const Exam& exam, const Options& options, CallLog& calls) {
  KANTOKU_RETURN_IF_ERROR(CheckLoans(options));
  KANTOKU_RETURN_IF_ERROR(CheckParts(exam, options));
  Target target = {.address = options.target,
                   .calls = &calls,
                   .name_space = options.name_space,
                   .crash_command = options.crash_command};
  if (exam.sitter == Sitter::kExecutor) {
    KANTOKU_RETURN_IF_ERROR(CheckExecutor(options));
    return target;
  }
  KANTOKU_ASSIGN_OR_RETURN(platform::Target found, exam.sitter == Sitter::kService
                                                       ? FindService(options, options.target)
                                                       : FindStore(options));
  KANTOKU_ASSIGN_OR_RETURN(target.channel, Open(std::move(found), calls));
  KANTOKU_RETURN_IF_ERROR(Lend(options, calls, target));
  return target;
}

// A report that is at its path when it is whole; until then, what was there before is.
class ReportFile {
 public:
  ReportFile(std::string_view option, std::string path)
      : option_(option), path_(std::move(path)), unfinished_(path_ + ".tmp") {}
  ~ReportFile() {
    if (file_.is_open()) std::remove(unfinished_.c_str());
  }
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  // Before the exam, so that what cannot be written is known then. Nothing, where no path is.
  absl::Status Open() {
    if (path_.empty()) return absl::OkStatus();
    file_.open(unfinished_);
    return file_ ? absl::OkStatus() : Unwritable();
  }
  absl::Status Write(const std::string& text) {
    if (path_.empty()) return absl::OkStatus();
    file_ << text << std::flush;
    if (!file_ || std::rename(unfinished_.c_str(), path_.c_str()) != 0) return Unwritable();
    file_.close();
    return absl::OkStatus();
  }

 private:
  absl::Status Unwritable() const {
    return platform::Error(absl::StatusCode::kInvalidArgument, "UNWRITABLE_FILE",
                           absl::StrCat(option_, ": cannot write ", path_));
  }

  const std::string option_;
  const std::string path_;
  const std::string unfinished_;
  std::ofstream file_;
};

// As tags: of parts all but those that are said to be left out.
std::set<std::string> AbleTo(const Exam& exam, const Target& target, const Options& options) {
  std::set<std::string> able = Parts();
  for (const std::string& part : options.without) able.erase(part);
  if (exam.abilities) able.merge(exam.abilities(target));
  return able;
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
