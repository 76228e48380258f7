#ifndef KANTOKU_CLIENT_CLI_CONTEXT_H_
#define KANTOKU_CLIENT_CLI_CONTEXT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/cli.h"
#include "client/cli/json.h"
#include "kantoku/client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace kantoku::platform {
struct Access;
struct Target;
struct TargetOptions;
}  // namespace kantoku::platform

namespace kantoku::cli {

// What every command shares: the common options, the connection, and how things are said.
//
// Confined to the main thread, but for Fail.
class Context {
 public:
  explicit Context(const Surroundings& surroundings);

  // --json, and for commands that talk to a server --server, --namespace, --access, --token-file,
  // --ca-file and --timeout.
  void AddOptions(CLI::App& app, bool needs_server);

  // A client of a server that answers. UNAVAILABLE, UNREACHABLE when there is none; a server that
  // is just starting is waited for. What is spawned through it from a command of an executor is a
  // child of that command's task, unless `as_child` is false or it goes to another server or
  // namespace.
  absl::StatusOr<Client> Connect(bool as_child = true) const;
  // For what spawns and does nothing else: as Connect, and in the command of an executor with the
  // task token, unless something else is named that says who one is.
  absl::StatusOr<Client> ConnectAsHandler() const;
  // Where the server is and who one is there, for what Client has no method for.
  absl::StatusOr<platform::Target> FindTarget() const;
  // Only where it is and why it is trusted.
  absl::StatusOr<platform::Access> FindServer() const;
  std::string namespace_name() const;
  // With what is left of --timeout, which counts from the start of the program.
  CallOptions call_options() const;
  bool json() const { return json_; }
  const Streams& streams() const { return surroundings_.streams; }
  absl::Time now() const;

  // One JSON object on a line of its own.
  void Print(const Json& object) const;
  void PrintLine(std::string_view line) const;
  // Columns as wide as their widest cell.
  void PrintTable(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) const;
  // A line for people on standard error; nothing with --json.
  void Note(std::string_view line) const;
  // Says what went wrong in one line on standard error (an object with --json), and which exit code
  // that is. `about` stands before the message. Thread-safe.
  ExitCode Fail(const absl::Status& status, std::string_view about = {}) const;
  // A line on a terminal that the next call replaces; nothing elsewhere. Empty: removes it.
  void ShowProgress(std::string_view line) const;

 private:
  platform::TargetOptions WhatIsTold() const;
  // Whether it is where the task of the command came from that this runs in, if it does.
  bool IsAtHome(const platform::TargetOptions& target) const;
  absl::StatusOr<Client> Connect(const platform::TargetOptions& target, bool as_child) const;

  const Surroundings& surroundings_;
  const absl::Duration begin_;  // Steady time.
  std::string server_;          // Empty: not given.
  std::string namespace_;       // The same.
  std::string access_;          // The same.
  std::string token_file_;      // The same.
  std::string ca_file_;         // The same.
  std::string timeout_;         // Empty: none.
  bool json_ = false;
};

ExitCode CodeOf(const absl::Status& status);
// The code for several tasks: that of the first that did not end well.
void Merge(ExitCode& all, ExitCode one);

// Ids as given on the command line, or the first that is none.
absl::StatusOr<std::vector<TaskId>> ParseIds(const std::vector<std::string>& texts);
// NAME=VALUE each; the later of two with the same name counts. INVALID_ARGUMENT names `option`.
absl::StatusOr<std::map<std::string, std::string>> ParseEntries(
    std::string_view option, const std::vector<std::string>& texts);
// "30s", "1h30m"; INVALID_ARGUMENT names `option`.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view option, const std::string& text);
// Everything that a stream, or the file of that name, holds; "-" is the stream. INVALID_ARGUMENT
// says why the file cannot be read.
absl::StatusOr<std::string> ReadAll(const std::string& path, std::istream& in);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_CONTEXT_H_
