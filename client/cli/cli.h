#ifndef KANTOKU_CLIENT_CLI_CLI_H_
#define KANTOKU_CLIENT_CLI_CLI_H_

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace kantoku::cli {

// What a command ends with, for scripts. Part of the interface: numbers never change.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,       // The server refused, or something of this machine failed.
  kUsage = 2,        // The command line is wrong.
  kNotFound = 3,     // No such task.
  kDeadline = 4,     // It took longer than --timeout.
  kTaskFailed = 5,   // The task ended, but did not succeed.
  kUnreachable = 6,  // The server cannot be reached.
};

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

// The program `kantoku`: parses the command line, runs one command, returns its exit code.
int RunCli(int argc, const char* const* argv, const Streams& streams,
           const std::vector<ExtraCommand>& extras);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_CLI_H_
