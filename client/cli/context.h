#ifndef KANTOKU_CLIENT_CLI_CONTEXT_H_
#define KANTOKU_CLIENT_CLI_CONTEXT_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/cli.h"
#include "kantoku/client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace kantoku::cli {

using Json = nlohmann::ordered_json;

// What every command shares: the common options, the connection, and how things are said.
//
// Confined to the main thread.
class Context {
 public:
  explicit Context(const Streams& streams) : streams_(streams) {}

  // --server, --namespace, --timeout, --json.
  void AddCommonOptions(CLI::App& app);

  absl::StatusOr<Client> Connect() const;
  CallOptions call_options() const;
  bool json() const { return json_; }
  const Streams& streams() const { return streams_; }

  // One JSON object on a line of its own.
  void Print(const Json& object) const;
  void PrintLine(std::string_view line) const;
  // Columns as wide as their widest cell.
  void PrintTable(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) const;
  // Says what went wrong, on standard error (as an object with --json), and which exit code that
  // is.
  ExitCode Fail(const absl::Status& status) const;
  // A line on a terminal that the next call replaces; nothing elsewhere. Empty: removes it.
  void ShowProgress(std::string_view line) const;

 private:
  const Streams streams_;
  std::string server_ = "localhost:6330";
  std::string namespace_ = "default";
  double timeout_seconds_ = 0;  // 0: none.
  bool json_ = false;
};

ExitCode CodeOf(const absl::Status& status);

// Ids as given on the command line, or the first that is none.
absl::StatusOr<std::vector<TaskId>> ParseIds(const std::vector<std::string>& texts);
// "30s", "1h30m"; INVALID_ARGUMENT names `option`.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view option, const std::string& text);
// Everything that a stream, or the file of that name, holds; "-" is the stream.
absl::StatusOr<std::string> ReadAll(const std::string& path, std::istream& in);

Json ToJson(const TaskInfo& info);
Json ToJson(const Output& output);
Json ToJson(const ExecutorInfo& executor);
Json ToJson(const Event& event);
std::string TimeText(absl::Time time);
// Bytes as text: as they are when they are UTF-8; `is_base64` says which.
std::string TextOf(const std::string& bytes, bool& is_base64);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_CONTEXT_H_
