#include "services/platform/config/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "services/platform/config/load.h"
#include "services/platform/config/yaml.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr int kExitWrongUsage = 2;

constexpr char kFooter[] =
    "Configuration is read from --config, then from the environment (KANTOKU_INPUTS__GRACE=5s "
    "sets\n"
    "inputs.grace), then from --set; --print-config shows what came of it.";

int Fail(const std::string& name, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), why.c_str());
  return kExitWrongUsage;
}

}  // namespace

const char kVersion[] = KANTOKU_VERSION;

void ServerOptions::AddTo(CLI::App& app) {
  app.add_option("--config", file_, "Configuration file (YAML)")->type_name("FILE");
  app.add_option("--set", sets_, "Set one field, for instance inputs.grace=5s; may be repeated")
      ->type_name("FIELD=VALUE")
      ->allow_extra_args(false);
  app.add_option("--data", data_, "Directory of everything durable (server.data_dir)")
      ->type_name("DIR");
  app.add_option("--listen", listen_, "Where to listen; port 0 takes a free one (server.listen)")
      ->type_name("HOST:PORT");
  app.add_option("--port-file", port_file_, "Write the port there once calls are served")
      ->type_name("FILE");
  app.add_flag("--print-config", print_config_, "Print the effective configuration and exit");
}

absl::StatusOr<config::v1::Config> ServerOptions::Load() const {
  ConfigSources sources{.file = file_, .environment = ProcessEnvironment(), .overrides = sets_};
  if (!data_.empty()) {
    sources.overrides.push_back("server.data_dir=" + std::filesystem::absolute(data_).string());
  }
  if (!listen_.empty()) sources.overrides.push_back("server.listen=" + listen_);
  return LoadConfig(sources);
}

ServiceCommandLine ParseServiceCommandLine(int argc, const char* const* argv,
                                           const std::string& name,
                                           const std::string& description) {
  ServiceCommandLine result;
  CLI::App app(description, name);
  app.footer(kFooter);
  app.set_version_flag("--version", absl::StrCat(name, " ", kVersion));
  ServerOptions options;
  options.AddTo(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    result.exit_code = app.exit(done);
    return result;
  } catch (const CLI::ParseError& fault) {
    result.exit_code = Fail(name, absl::StrCat(fault.what(), "; see --help"));
    return result;
  }
  auto config = options.Load();
  if (!config.ok()) {
    result.exit_code = Fail(name, std::string(config.status().message()));
    return result;
  }
  result.config = *std::move(config);
  result.port_file = options.port_file();
  if (options.print_config()) {
    std::fputs(ToYaml(result.config).c_str(), stdout);
    result.exit_code = 0;
  }
  return result;
}

}  // namespace kantoku::platform
