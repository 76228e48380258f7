#include "client/cli/context.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kantoku/status.h"

namespace kantoku::cli {

void Context::AddCommonOptions(CLI::App& app) {
  app.add_option("--server", server_, "Address of the server, host:port")
      ->envname("KANTOKU_SERVER")
      ->capture_default_str();
  app.add_option("--namespace", namespace_, "Namespace of the tasks")
      ->envname("KANTOKU_NAMESPACE")
      ->capture_default_str();
  app.add_option("--timeout", timeout_seconds_, "Give up after so many seconds; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--json", json_, "One JSON object a line instead of text for people");
}

absl::StatusOr<Client> Context::Connect() const {
  ClientOptions options;
  options.namespace_name = namespace_;
  options.retry_for = absl::Seconds(30);
  return Client::Connect(server_, options);
}

CallOptions Context::call_options() const {
  if (timeout_seconds_ == 0) return {};
  return {.timeout = absl::Seconds(timeout_seconds_)};
}

void Context::Print(const Json& object) const {
  streams_.out << object.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

void Context::PrintLine(std::string_view line) const { streams_.out << line << std::endl; }

void Context::PrintTable(const std::vector<std::string>& header,
                         const std::vector<std::vector<std::string>>& rows) const {
  std::vector<size_t> widths;
  for (const std::string& name : header) widths.push_back(name.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line.append(row[i]);
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    PrintLine(line);
  };
  print(header);
  for (const auto& row : rows) print(row);
}

ExitCode Context::Fail(const absl::Status& status) const {
  ShowProgress("");
  const std::string message(status.message().data(), status.message().size());
  const std::string code = absl::StatusCodeToString(status.code());
  if (json_) {
    const Json error = {{"error", code}, {"reason", ReasonOf(status)}, {"message", message}};
    streams_.err << error.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    streams_.err << "kantoku: " << message << " (" << code << ")" << std::endl;
  }
  return CodeOf(status);
}

void Context::ShowProgress(std::string_view line) const {
  if (!streams_.err_is_terminal || json_) return;
  streams_.err << "\r\x1b[K" << line << std::flush;
}

ExitCode CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
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

absl::StatusOr<std::vector<TaskId>> ParseIds(const std::vector<std::string>& texts) {
  std::vector<TaskId> ids;
  for (const std::string& text : texts) {
    const auto id = TaskId::Parse(text);
    if (!id.ok()) return id.status();
    ids.push_back(*id);
  }
  return ids;
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view option, const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return duration;
  return absl::InvalidArgumentError(absl::StrCat(std::string(option), ": \"", text,
                                                 "\" is no duration such as 500ms, 30s, 1h30m"));
}

absl::StatusOr<std::string> ReadAll(const std::string& path, std::istream& in) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(in), {});
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (file.is_open() && !file.bad()) return bytes;
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string TextOf(const std::string& bytes, bool& is_base64) {
  try {
    (void)nlohmann::json(bytes).dump();
    is_base64 = false;
    return bytes;
  } catch (const nlohmann::json::type_error&) {  // Not UTF-8.
    is_base64 = true;
    return absl::Base64Escape(bytes);
  }
}

namespace {

std::string Word(std::string_view word) { return std::string(word); }

Json ToJson(const TaskError& error) {
  return {{"reason", error.reason}, {"message", error.message}};
}

}  // namespace

Json ToJson(const TaskInfo& info) {
  Json json = {{"task_id", info.id.ToString()},
               {"namespace", info.namespace_name},
               {"type", info.type},
               {"state", Word(ToString(info.state))},
               {"priority", info.priority},
               {"failed_attempts", info.failed_attempts},
               {"dispatch", info.dispatch},
               {"owner", info.owner},
               {"created_at", TimeText(info.created_at)}};
  if (info.wait_cause != WaitCause::kNone) json["wait_cause"] = Word(ToString(info.wait_cause));
  if (!info.reference.empty()) json["reference"] = info.reference;
  if (!info.session_id.empty()) json["session_id"] = info.session_id;
  if (info.ended_at.has_value()) json["ended_at"] = TimeText(*info.ended_at);
  if (info.last_error.has_value()) json["last_error"] = ToJson(*info.last_error);
  if (info.progress.has_value()) json["progress"] = *info.progress;
  return json;
}

Json ToJson(const Output& output) {
  Json json = {{"task_id", output.id.ToString()},
               {"status", Word(ToString(output.status))},
               {"dispatch", output.dispatch},
               {"ended_at", TimeText(output.ended_at)}};
  if (!output.succeeded()) {
    json["error"] = ToJson(output.error);
    return json;
  }
  bool is_base64 = false;
  std::string text = TextOf(output.data, is_base64);
  json[is_base64 ? "data_base64" : "data"] = std::move(text);
  if (!output.content_type.empty()) json["content_type"] = output.content_type;
  return json;
}

Json ToJson(const ExecutorInfo& executor) {
  return {{"session_id", executor.session_id},
          {"name", executor.name},
          {"executor_owner", executor.executor_owner},
          {"client_id", executor.client_id},
          {"types", executor.types},
          {"connected", executor.connected},
          {"max_held", executor.max_held},
          {"held", executor.held},
          {"connected_at", TimeText(executor.connected_at)}};
}

Json ToJson(const Event& event) {
  Json json = {{"position", event.position}, {"type", event.type}, {"at", TimeText(event.at)}};
  if (!event.task_id.empty()) json["task_id"] = event.task_id.ToString();
  json["namespace"] = event.namespace_name;
  if (!event.task_type.empty()) json["task_type"] = event.task_type;
  if (event.dispatch != 0) json["dispatch"] = event.dispatch;
  if (!event.session_id.empty()) json["session_id"] = event.session_id;
  if (!event.details.empty()) json["details"] = event.details;
  return json;
}

}  // namespace kantoku::cli
