#include "services/executor-runtime/process_executor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/process_run.h"
#include "services/executor-runtime/result_limits.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

bool IsProgram(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

// As a shell would find it.
absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    // The command may run in another directory.
    if (IsProgram(name)) return std::filesystem::absolute(name).string();
    return absl::NotFoundError(absl::StrCat(name, " is not a program"));
  }
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (true) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate =
        absl::StrCat(end == 0 ? "." : platform::ToAbsl(rest.substr(0, end)), "/", name);
    if (IsProgram(candidate)) return candidate;
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  return absl::NotFoundError(absl::StrCat("there is no program ", name, " in PATH"));
}

absl::Status Invalid(std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_OPTION", message);
}

absl::Status Check(const ProcessOptions& options) {
  if (options.command.empty() || options.command.front().empty()) {
    return Invalid("the command is empty");
  }
  for (const int code : options.final_exit_codes) {
    if (code < 1 || code > 255) {
      return Invalid(absl::StrCat("final exit code ", code, " is not from 1 to 255"));
    }
  }
  if (options.max_output < 1 || options.max_output > kMaxResultBytes) {
    return Invalid(
        absl::StrCat("max_output ", options.max_output, " is not from 1 to ", kMaxResultBytes));
  }
  if (options.lines_are_items && options.max_output > kMaxItemBytes) {
    return Invalid(absl::StrCat("max_output ", options.max_output, " of a line is above ",
                                kMaxItemBytes, ", which is the limit of an item"));
  }
  if (options.time_limit <= absl::ZeroDuration()) return Invalid("time_limit is not above 0");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Handler> MakeProcessHandler(ProcessOptions options) {
  KANTOKU_RETURN_IF_ERROR(Check(options));
  KANTOKU_ASSIGN_OR_RETURN(const std::string program, FindProgram(options.command.front()));
  auto shared = std::make_shared<const ProcessOptions>(std::move(options));
  return Handler(
      [shared, program](Context& context) { return ProcessRun(*shared, context).Run(program); });
}

}  // namespace kantoku::executor
