#include "services/platform/config/load.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/platform/config/defaults.h"
#include "services/platform/config/fields.h"
#include "services/platform/config/validate.h"
#include "services/platform/config/yaml.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kEnvironmentPrefix = "KANTOKU_";
constexpr std::string_view kEnvironmentDot = "__";

absl::Status ReadFile(const std::string& path, configpb::Config& config, ConfigOrigins& origins) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const int opened = errno;
  std::error_code ignored;
  const int error = std::filesystem::is_directory(path, ignored) ? EISDIR : opened;
  if (!file.is_open() || error == EISDIR) {
    return InvalidConfig(absl::StrCat(path, ": cannot be read: ", std::strerror(error)));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return ReadYaml(path, text.str(), config, origins);
}

absl::Status SetList(const FieldDescriptor& field, std::string_view text, Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  for (const absl::string_view element : absl::StrSplit(ToAbsl(text), ',')) {
    KANTOKU_RETURN_IF_ERROR(SetFromText(field, ToStd(element), message));
  }
  return absl::OkStatus();
}

// Follows "inputs.store.sqlite.directory" down to the field, and sets it.
absl::Status SetPath(std::string_view path, std::string_view text, Message& config) {
  const std::vector<std::string> names = absl::StrSplit(ToAbsl(path), '.');
  Message* message = &config;
  for (size_t i = 0;; ++i) {
    KANTOKU_ASSIGN_OR_RETURN(const FieldDescriptor* const field,
                             FindField(*message->GetDescriptor(), names[i]));
    const bool last = i + 1 == names.size();
    if (last && field->is_repeated()) return SetList(*field, text, *message);
    if (last) return SetFromText(*field, text, *message);
    if (!HasFields(*field)) return InvalidConfig(absl::StrCat(names[i], " has no fields"));
    if (field->is_repeated()) {
      return InvalidConfig(absl::StrCat(names[i], " is a list, which is set as a whole"));
    }
    message = message->GetReflection()->MutableMessage(message, field);
  }
}

absl::Status Override(const std::string& origin, const std::string& path, std::string_view text,
                      configpb::Config& config, ConfigOrigins& origins) {
  const absl::Status set = SetPath(path, text, config);
  if (!set.ok()) return Annotate(Annotate(set, Clipped(path)), origin);
  origins[path] = origin;
  return absl::OkStatus();
}

// "KANTOKU_INPUTS__GRACE" → "inputs.grace"; empty when the variable is none of ours.
std::string PathOfVariable(std::string_view name) {
  if (!name.starts_with(kEnvironmentPrefix)) return {};
  name.remove_prefix(kEnvironmentPrefix.size());
  if (name.find(kEnvironmentDot) == std::string_view::npos) return {};
  return absl::AsciiStrToLower(absl::StrReplaceAll(ToAbsl(name), {{ToAbsl(kEnvironmentDot), "."}}));
}

absl::Status ReadEnvironment(const std::vector<std::string>& environment, configpb::Config& config,
                             ConfigOrigins& origins) {
  for (const std::string& variable : environment) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals);
    const std::string path = PathOfVariable(name);
    if (path.empty()) continue;
    KANTOKU_RETURN_IF_ERROR(
        Override(name, path, std::string_view(variable).substr(equals + 1), config, origins));
  }
  return absl::OkStatus();
}

absl::Status ReadOverrides(const std::vector<std::string>& overrides, configpb::Config& config,
                           ConfigOrigins& origins) {
  for (const std::string& override : overrides) {
    const size_t equals = override.find('=');
    if (equals == std::string::npos) {
      return InvalidConfig(
          absl::StrCat("--set ", Clipped(override), ": is not of the form field=value"));
    }
    KANTOKU_RETURN_IF_ERROR(Override("--set", override.substr(0, equals),
                                     std::string_view(override).substr(equals + 1), config,
                                     origins));
  }
  return absl::OkStatus();
}

// A fault begins with the field's path; its origin goes in front.
absl::Status WithOrigin(const absl::Status& fault, const ConfigOrigins& origins) {
  if (fault.ok()) return fault;
  const std::string_view message = ToStd(fault.message());
  const auto origin = origins.find(message.substr(0, message.find(':')));
  return origin == origins.end() ? fault : Annotate(fault, origin->second);
}

}  // namespace

absl::StatusOr<configpb::Config> LoadConfig(const ConfigSources& sources) {
  configpb::Config config;
  ConfigOrigins origins;
  if (!sources.file.empty()) KANTOKU_RETURN_IF_ERROR(ReadFile(sources.file, config, origins));
  KANTOKU_RETURN_IF_ERROR(ReadEnvironment(sources.environment, config, origins));
  KANTOKU_RETURN_IF_ERROR(ReadOverrides(sources.overrides, config, origins));
  FillDefaults(config);
  KANTOKU_RETURN_IF_ERROR(WithOrigin(Validate(config), origins));
  return config;
}

std::vector<std::string> ProcessEnvironment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

}  // namespace kantoku::platform
