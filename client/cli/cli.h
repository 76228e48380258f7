#ifndef KANTOKU_CLIENT_CLI_CLI_H_
#define KANTOKU_CLIENT_CLI_CLI_H_

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace kantoku::cli {

// What a command ends with, for scripts. Part of the interface: numbers never change. ExitCodes()
// says what each means.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kDeadline = 4,
  kTaskFailed = 5,
  kUnreachable = 6,
  kInterrupted = 130,  // What a shell says of a program that SIGINT ended.
};

// The table of `kantoku --help`, which client/cli/README.md repeats.
struct ExitCodeMeaning {
  ExitCode code;
  std::string_view meaning;
};
const std::vector<ExitCodeMeaning>& ExitCodes();

// A command that the program adds to those of this library.
struct ExtraCommand {
  std::string name;
  std::string description;
  // Adds options to the command's own app.
  std::function<void(CLI::App&)> set_up;
  std::function<int()> run;
};

// Where commands read and write.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

// What surrounds the commands.
struct Surroundings {
  Streams streams;
  std::vector<ExtraCommand> extras;
  // Makes the client. Empty: Client::Connect.
  std::function<absl::StatusOr<Client>(const std::string& address, ClientOptions options)> connect;
  // The wall clock, from which ages are counted. Empty: the machine's.
  std::function<absl::Time()> now;
};

// The program `kantoku`: parses the command line, runs one command, returns its exit code.
int RunCli(int argc, const char* const* argv, const Surroundings& surroundings);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_CLI_H_
