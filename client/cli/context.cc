#include "client/cli/context.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/text.h"
#include "kantoku/plugins/lineage.h"
#include "kantoku/status.h"
#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"

namespace kantoku::cli {
namespace {

// A server that was started a moment ago, as in `kantoku up & kantoku spawn …`, gets so long.
constexpr absl::Duration kPatience = absl::Seconds(5);
// A server that is away for a while, as for a restart, is waited for so long.
constexpr absl::Duration kRetryFor = absl::Seconds(30);
// Waiting is not worth a word before.
constexpr absl::Duration kSilence = absl::Milliseconds(200);

constexpr char kServerVariable[] = "KANTOKU_SERVER";
constexpr char kDefaultServer[] = "localhost:6330";
constexpr char kNamespaceVariable[] = "KANTOKU_NAMESPACE";
constexpr char kDefaultNamespace[] = "default";
constexpr char kTokenVariable[] = "KANTOKU_TOKEN";
constexpr char kTokenFileVariable[] = "KANTOKU_TOKEN_FILE";
constexpr char kAccessVariable[] = "KANTOKU_ACCESS";
// Of commands of executors: with which they spawn, and why the server may be trusted.
constexpr char kTaskTokenVariable[] = "KANTOKU_TASK_TOKEN";
constexpr char kTaskAccessVariable[] = "KANTOKU_TASK_ACCESS";

absl::Duration SteadyNow() { return platform::Clock::Real().Read().steady; }

// "90" (seconds) or "1m30s"; empty and 0 mean without end.
std::optional<absl::Duration> ParseTimeout(const std::string& text) {
  double seconds = 0;
  absl::Duration timeout;
  if (text.empty()) return absl::InfiniteDuration();
  if (absl::SimpleAtod(text, &seconds)) {
    if (!(seconds >= 0)) return std::nullopt;  // Nor what is no number at all.
    timeout = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &timeout)) {
    return std::nullopt;
  }
  if (timeout < absl::ZeroDuration()) return std::nullopt;
  return timeout == absl::ZeroDuration() ? absl::InfiniteDuration() : timeout;
}

std::string CheckTimeout(const std::string& text) {
  if (ParseTimeout(text).has_value()) return "";
  return absl::StrCat("\"", text, "\" is no time such as 30, 500ms or 1m30s");
}

// What the command line says, or else the environment.
std::string Given(const std::string& flag, const char* variable, const char* otherwise) {
  if (!flag.empty()) return flag;
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string Dump(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Context::Context(const Surroundings& surroundings)
    : surroundings_(surroundings), begin_(SteadyNow()) {}

void Context::AddOptions(CLI::App& app, bool needs_server) {
  app.add_flag("--json", json_, "JSON, one object a line, instead of text for people");
  if (!needs_server) return;
  // Not CLI11's envname: it would read the variable once more for each command that was not chosen,
  // and so over what the command line says.
  app.add_option("--server", server_,
                 absl::StrCat("Address of the server (default $", kServerVariable,
                              ", or else that of --access, or else localhost:6330)"))
      ->type_name("HOST:PORT");
  app.add_option("--namespace", namespace_,
                 absl::StrCat("Namespace of the tasks (default $", kNamespaceVariable, ", or else ",
                              kDefaultNamespace, ")"))
      ->type_name("NAME");
  app.add_option("--access", access_,
                 "File that says why the server is trusted and who one is there (default "
                 "$KANTOKU_ACCESS, or else that of a server of yours on this computer)")
      ->type_name("FILE");
  app.add_option("--ca-file", ca_file_,
                 "PEM file: where the certificate of the server may come from (system: from "
                 "authorities that this computer trusts)")
      ->type_name("FILE");
  app.add_option("--token-file", token_file_,
                 absl::StrCat("File with the access token to show (default $", kTokenFileVariable,
                              "; $", kTokenVariable, " may be the token itself)"))
      ->type_name("FILE");
  app.add_option("--timeout", timeout_, "Give up after so long, such as 30 (seconds) or 1m30s")
      ->type_name("TIME")
      ->check(CLI::Validator(CheckTimeout, ""));
}

std::string Context::namespace_name() const {
  return Given(namespace_, kNamespaceVariable, kDefaultNamespace);
}

platform::TargetOptions Context::WhatIsTold() const {
  platform::TargetOptions options;
  options.access_file = access_;
  options.ca_file = ca_file_;
  // What the command line names goes over the environment, which may be about another server.
  const bool is_named = !access_.empty();
  options.server = is_named ? server_ : Given(server_, kServerVariable, "");
  options.token_file = is_named ? token_file_ : Given(token_file_, kTokenFileVariable, "");
  if (!is_named && token_file_.empty()) options.token = Given("", kTokenVariable, "");
  options.patience = std::min(options.patience, call_options().timeout);
  return options;
}

absl::StatusOr<platform::Target> Context::FindTarget() const {
  return platform::FindTarget(WhatIsTold(), kDefaultServer, platform::Clock::Real());
}

absl::StatusOr<platform::Access> Context::FindServer() const {
  return platform::FindServer(WhatIsTold(), kDefaultServer);
}

bool Context::IsAtHome(const platform::TargetOptions& target) const {
  return target.server == Given("", kServerVariable, "") &&
         namespace_name() == Given("", kNamespaceVariable, "");
}

absl::StatusOr<Client> Context::Connect(bool as_child) const {
  return Connect(WhatIsTold(), as_child);
}

absl::StatusOr<Client> Context::ConnectAsHandler() const {
  platform::TargetOptions target = WhatIsTold();
  const bool says_who = !target.access_file.empty() || !target.token.empty() ||
                        !target.token_file.empty() || !Given("", kAccessVariable, "").empty();
  if (!says_who && IsAtHome(target)) {
    target.token = Given("", kTaskTokenVariable, "");
    if (!target.token.empty()) target.access_file = Given("", kTaskAccessVariable, "");
  }
  return Connect(target, /*as_child=*/true);
}

absl::StatusOr<Client> Context::Connect(const platform::TargetOptions& target,
                                        bool as_child) const {
  const std::string& server = target.server;
  ClientOptions options;
  options.namespace_name = namespace_name();
  options.access_file = target.access_file;
  options.token = target.token;
  options.token_file = target.token_file;
  options.ca_file = target.ca_file;
  options.token_patience = target.patience;
  options.retry_for = kRetryFor;
  auto lineage = as_child && IsAtHome(target) ? LineageOfProcess() : nullptr;
  if (lineage != nullptr) options.plugins.push_back(std::move(lineage));
  auto client = surroundings_.connect == nullptr ? Client::Connect(server, options)
                                                 : surroundings_.connect(server, options);
  if (!client.ok()) return client.status();
  const std::string where = !client->address().empty() ? client->address() : server;
  const absl::Duration patience = std::min(kPatience, call_options().timeout);
  absl::Status reached = client->WaitUntilReachable(std::min(kSilence, patience));
  if (!reached.ok() && patience > kSilence) {
    ShowProgress(absl::StrCat("waiting for a server at ", where));
    reached = client->WaitUntilReachable(patience - kSilence);
    ShowProgress("");
  }
  if (reached.ok()) return client;
  return platform::Error(
      absl::StatusCode::kUnavailable, "UNREACHABLE",
      absl::StrCat("no server answers at ", where,
                   "; start one with `kantoku up`, or name another with --server"));
}

CallOptions Context::call_options() const {
  const absl::Duration timeout = *ParseTimeout(timeout_);
  if (timeout == absl::InfiniteDuration()) return {};
  const absl::Duration left = absl::Trunc(begin_ + timeout - SteadyNow(), absl::Milliseconds(1));
  return {.timeout = std::max(absl::ZeroDuration(), left)};
}

absl::Time Context::now() const {
  return surroundings_.now == nullptr ? platform::Clock::Real().Read().wall : surroundings_.now();
}

void Context::Print(const Json& object) const { PrintLine(Dump(object)); }

void Context::PrintLine(std::string_view line) const { streams().out << line << std::endl; }

void Context::PrintTable(const std::vector<std::string>& header,
                         const std::vector<std::vector<std::string>>& rows) const {
  std::vector<size_t> widths;
  widths.reserve(header.size());
  for (const std::string& name : header) widths.push_back(WidthOf(name));
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) line.append(Padded(row[i], widths[i] + 2));
    line.append(row.back());
    line.erase(line.find_last_not_of(' ') + 1);  // Where the last cells are empty.
    streams().out << line << "\n";
  };
  print(header);
  for (const auto& row : rows) print(row);
  streams().out.flush();
}

void Context::Note(std::string_view line) const {
  if (!json_) streams().err << line << std::endl;
}

ExitCode Context::Fail(const absl::Status& status, std::string_view about) const {
  ShowProgress("");
  std::string message(about);
  if (!message.empty()) message.append(": ");
  message.append(status.message().data(), status.message().size());
  std::string line;  // In one piece: a terminal may be shared.
  if (json_) {
    Json error = ToJson(status);
    error["message"] = message;
    line = Dump(error);
  } else {
    const std::string reason = ReasonOf(status);
    line =
        absl::StrCat("kantoku: ", OneLine(message), " (", absl::StatusCodeToString(status.code()),
                     reason.empty() ? "" : ", ", OneLine(reason), ")");
  }
  streams().err << line + "\n" << std::flush;
  return CodeOf(status);
}

void Context::ShowProgress(std::string_view line) const {
  if (!streams().err_is_terminal || json_) return;
  streams().err << "\r\x1b[K" << line << std::flush;
}

ExitCode CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kDeadline;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
}

void Merge(ExitCode& all, ExitCode one) {
  if (all == ExitCode::kOk) all = one;
}

absl::StatusOr<std::vector<TaskId>> ParseIds(const std::vector<std::string>& texts) {
  std::vector<TaskId> ids;
  for (const std::string& text : texts) {
    const auto id = TaskId::Parse(text);
    if (!id.ok()) return platform::Annotate(id.status(), absl::StrCat("task \"", text, "\""));
    ids.push_back(*id);
  }
  return ids;
}

absl::StatusOr<std::map<std::string, std::string>> ParseEntries(
    std::string_view option, const std::vector<std::string>& texts) {
  std::map<std::string, std::string> entries;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return platform::Error(
          absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS",
          absl::StrCat(platform::ToAbsl(option), ": \"", text, "\" is not of the form NAME=VALUE"));
    }
    entries[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return entries;
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view option, const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return duration;
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_DURATION",
                         absl::StrCat(std::string(option), ": \"", text,
                                      "\" is no duration such as 500ms, 30s, 1h30m"));
}

absl::StatusOr<std::string> ReadAll(const std::string& path, std::istream& in) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(in), {});
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file.is_open() && file.peek() != std::ifstream::traits_type::eof()) bytes << file.rdbuf();
  if (file.is_open() && errno == 0) return std::move(bytes).str();
  return platform::Error(absl::StatusCode::kInvalidArgument, "UNREADABLE_FILE",
                         absl::StrCat(path, ": ", std::strerror(errno)));
}

}  // namespace kantoku::cli
