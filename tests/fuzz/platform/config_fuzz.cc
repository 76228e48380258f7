// Any text is a configuration or one line of fault, and a configuration survives being printed.
#include <cstdint>
#include <string>

#include "kantoku/config/v1/config.pb.h"
#include "services/platform/check.h"
#include "services/platform/config/yaml.h"

namespace kantoku::platform {
namespace {

void Check(const std::string& text) {
  config::v1::Config config;
  ConfigOrigins origins;
  const absl::Status status = ReadYaml("k.yaml", text, config, origins);
  KANTOKU_CHECK(status.message().find('\n') == absl::string_view::npos);
  if (!status.ok()) return;
  config::v1::Config back;
  KANTOKU_CHECK(ReadYaml("k.yaml", ToYaml(config), back, origins).ok());
  KANTOKU_CHECK(back.SerializeAsString() == config.SerializeAsString());
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
