// Any text is a configuration or is refused with INVALID_ARGUMENT; every type then has a command.
#include <cstddef>
#include <cstdint>
#include <string>

#include "services/executor-runtime/program_options.h"
#include "services/platform/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::executor::ProgramOptions options;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Status status = kantoku::executor::ReadProgramConfig(text, options);
  KANTOKU_CHECK(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  if (status.ok()) {
    for (const auto& [type, process] : options.types) KANTOKU_CHECK(!process.command.empty());
  }
  return 0;
}
