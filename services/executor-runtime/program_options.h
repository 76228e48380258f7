#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_OPTIONS_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_OPTIONS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/process_executor.h"
#include "services/platform/log/log.h"

namespace kantoku::executor {

// What the program kantoku-executor is told.
struct ProgramOptions {
  ExecutorOptions executor;
  std::string join;  // A join string, which makes the access file; empty: none.
  std::map<std::string, ProcessOptions> types;  // By type.
  platform::LogOptions log;
};

// What became of a command line: options to run with, or a text to print and a code to exit with.
struct ParsedProgram {
  ProgramOptions options;
  bool run = false;
  std::string print;
  int exit_code = 0;  // 0: help was asked for. 2: something is wrong, and `print` is one line.
};

// Reads the arguments after the program's name, the environment (KANTOKU_SERVER, KANTOKU_ACCESS,
// KANTOKU_JOIN, KANTOKU_TOKEN, KANTOKU_TOKEN_FILE, and for other options names such as
// KANTOKU_EXECUTOR_MAX_HELD), and the file that --config names; what is named first wins.
ParsedProgram ParseProgram(std::string_view name, std::vector<std::string> arguments);

// Reads a configuration file's text into `options`. INVALID_ARGUMENT names the field.
//
//   server: localhost:6330
//   outputs: localhost:6330        # default: as server
//   namespace: default
//   access_file: /etc/kantoku/access.json  # why the server is trusted, and who one is there
//   token_file: /etc/kantoku/token # the access token to show, read again when it changes
//   ca_file: /etc/kantoku/ca.pem   # where the server's certificate may come from
//   certificate_file: /etc/kantoku/cert.pem  # to show to a server that asks for one
//   key_file: /etc/kantoku/key.pem   # these three are read again when they change
//   insecure_plaintext_beyond_loopback: false  # true: nothing protects what is sent elsewhere
//   name: microscope-3
//   labels: {gpu: "true", mem_gib: "16"}   # what placements of tasks look at
//   version: "2.1"                 # of the commands, for placements and lists
//   concurrency: 4
//   max_held: 8
//   drain_limit: 30s
//   journal: /var/log/kantoku-journal
//   types:
//     file.sha256:
//       command: [sha256sum]       # or one string, split into words as --run does
//       shell: sha256sum | cut -c1-64   # instead of command: run by /bin/sh -c
//       content_type: text/plain
//       final_exit_codes: [2, 3]
//       directory: /tmp
//       environment: {LC_ALL: C}
//       time_limit: 30s
//       memory_limit: 512MiB
//       max_output: 4MiB
//       items: lines               # each line of the output is an item of a stream
//       checkpoint: file           # $KANTOKU_CHECKPOINT is a file for where it is
//       kill_after: 2s
absl::Status ReadProgramConfig(const std::string& text, ProgramOptions& options);

// Splits a command into words at white space, as a shell does without expanding anything: quotes
// ('…' and "…") and backslashes keep what they keep there. INVALID_ARGUMENT for an open quote.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view command);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_OPTIONS_H_
