#include "services/all-in-one/conformance_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace kantoku {
namespace {

constexpr char kName[] = "kantoku conformance";  // As which it speaks of itself.

// Returns only when it cannot.
int Become(const std::vector<std::string>& arguments) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {  // Else it would be run of whatever directory this is.
    std::cerr << kName << ": cannot tell where its own program is: " << error.message()
              << std::endl;
    return static_cast<int>(cli::ExitCode::kUsage);
  }
  const std::string program = self.parent_path() / "kantoku-conformance";
  std::vector<char*> argv = {const_cast<char*>(kName)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  std::cerr << kName << ": cannot run " << program << ": " << std::strerror(errno) << std::endl;
  return static_cast<int>(cli::ExitCode::kUsage);
}

}  // namespace

cli::ExtraCommand MakeConformanceCommand() {
  auto rest = std::make_shared<CLI::App*>();
  return {.name = "conformance",
          .description = "Holds an exam: does a service or a store keep what is promised?",
          .set_up =
              [rest](CLI::App& app) {
                app.prefix_command();
                app.set_help_flag();
                *rest = &app;
              },
          .run = [rest] { return Become((*rest)->remaining()); }};
}

}  // namespace kantoku
