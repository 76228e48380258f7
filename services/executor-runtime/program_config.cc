// ReadProgramConfig: YAML into ProgramOptions.
#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/program_options.h"
#include "services/platform/config/quantities.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

absl::Status Invalid(const std::string& field, std::string_view problem) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG",
                         absl::StrCat(field, ": ", platform::ToAbsl(problem)));
}

using Reader = std::function<absl::Status(const std::string& field, const YAML::Node&)>;

// Reads every entry of a map with the reader of its name.
absl::Status ReadMap(const std::string& field, const YAML::Node& node,
                     const std::map<std::string, Reader>& readers) {
  if (!node.IsMap()) return Invalid(field.empty() ? "the file" : field, "is not a map of fields");
  for (const auto& entry : node) {
    const auto name = entry.first.as<std::string>();
    const std::string path = field.empty() ? name : absl::StrCat(field, ".", name);
    const auto reader = readers.find(name);
    if (reader == readers.end()) return Invalid(path, "unknown field");
    KANTOKU_RETURN_IF_ERROR(reader->second(path, entry.second));
  }
  return absl::OkStatus();
}

// Each makes a reader that fills `target`.
Reader Text(std::string& target) {
  return [&target](const std::string& field, const YAML::Node& node) {
    if (!node.IsScalar()) return Invalid(field, "is not a text");
    target = node.Scalar();
    return absl::OkStatus();
  };
}

Reader YesOrNo(bool& target) {
  return [&target](const std::string& field, const YAML::Node& node) -> absl::Status {
    if (YAML::convert<bool>::decode(node, target)) return absl::OkStatus();
    return Invalid(field, "is neither true nor false");
  };
}

template <typename Number>
Reader Whole(Number& target) {
  return [&target](const std::string& field, const YAML::Node& node) {
    if (!node.IsScalar() || !YAML::convert<Number>::decode(node, target)) {
      return Invalid(field, "is not a whole number that fits");
    }
    return absl::OkStatus();
  };
}

Reader Time(absl::Duration& target) {
  return [&target](const std::string& field, const YAML::Node& node) {
    const auto parsed =
        node.IsScalar() ? platform::ParseConfigDuration(node.Scalar()) : std::nullopt;
    if (!parsed.has_value()) return Invalid(field, "is not a duration such as 500ms, 30s or 2m");
    target = *parsed;
    return absl::OkStatus();
  };
}

Reader Size(uint64_t& target) {
  return [&target](const std::string& field, const YAML::Node& node) {
    const auto parsed = node.IsScalar() ? platform::ParseConfigSize(node.Scalar()) : std::nullopt;
    if (!parsed.has_value()) return Invalid(field, "is not a size such as 1048576 or 512MiB");
    target = *parsed;
    return absl::OkStatus();
  };
}

template <typename Element>
Reader List(std::vector<Element>& target, Reader (*of)(Element&)) {
  return [&target, of](const std::string& field, const YAML::Node& node) {
    if (!node.IsSequence()) return Invalid(field, "is not a list");
    target.clear();
    for (const auto& element : node) {
      KANTOKU_RETURN_IF_ERROR(of(target.emplace_back())(field, element));
    }
    return absl::OkStatus();
  };
}

absl::Status ReadCommand(const std::string& field, const YAML::Node& node,
                         std::vector<std::string>& command) {
  if (node.IsSequence()) return List<std::string>(command, Text)(field, node);
  if (!node.IsScalar()) return Invalid(field, "is neither a text nor a list of words");
  auto words = SplitWords(node.Scalar());
  if (!words.ok()) return platform::Annotate(words.status(), field);
  command = *std::move(words);
  return absl::OkStatus();
}

absl::Status ReadLabels(const std::string& field, const YAML::Node& node,
                        std::map<std::string, std::string>& labels) {
  if (!node.IsMap()) return Invalid(field, "is not a map of names and values");
  for (const auto& entry : node) {
    const auto name = entry.first.as<std::string>();
    KANTOKU_RETURN_IF_ERROR(Text(labels[name])(absl::StrCat(field, ".", name), entry.second));
  }
  return absl::OkStatus();
}

absl::Status ReadEnvironment(const std::string& field, const YAML::Node& node,
                             std::vector<std::pair<std::string, std::string>>& environment) {
  if (!node.IsMap()) return Invalid(field, "is not a map of names and values");
  for (const auto& entry : node) {
    const auto name = entry.first.as<std::string>();
    if (name.empty() || name.find('=') != std::string::npos) {
      return Invalid(field, "a name is empty or has an equals sign in it");
    }
    std::string value;
    KANTOKU_RETURN_IF_ERROR(Text(value)(absl::StrCat(field, ".", name), entry.second));
    environment.emplace_back(name, std::move(value));
  }
  return absl::OkStatus();
}

absl::Status ReadType(const std::string& field, const YAML::Node& node, ProcessOptions& type) {
  std::string shell;
  KANTOKU_RETURN_IF_ERROR(ReadMap(
      field, node,
      {{"command", [&](const auto& path,
                       const auto& value) { return ReadCommand(path, value, type.command); }},
       {"shell", Text(shell)},
       {"content_type", Text(type.content_type)},
       {"final_exit_codes", List<int>(type.final_exit_codes, Whole<int>)},
       {"directory", Text(type.directory)},
       {"environment",
        [&](const auto& path, const auto& value) {
          return ReadEnvironment(path, value, type.environment);
        }},
       {"time_limit", Time(type.time_limit)},
       {"memory_limit", Size(type.memory_limit)},
       {"max_output", Size(type.max_output)},
       {"items",
        [&](const auto& path, const auto& value) {
          if (!value.IsScalar() || value.Scalar() != "lines") return Invalid(path, "is not lines");
          type.lines_are_items = true;
          return absl::OkStatus();
        }},
       {"checkpoint",
        [&](const auto& path, const auto& value) {
          if (!value.IsScalar() || value.Scalar() != "file") return Invalid(path, "is not file");
          type.checkpoint_file = true;
          return absl::OkStatus();
        }},
       {"kill_after", Time(type.kill_after)}}));
  if (!shell.empty() && !type.command.empty()) {
    return Invalid(field, "has a command and a shell; one of them is enough");
  }
  if (!shell.empty()) type.command = {"/bin/sh", "-c", shell};
  if (type.command.empty()) return Invalid(field, "has no command");
  return absl::OkStatus();
}

absl::Status ReadTypes(const std::string& field, const YAML::Node& node,
                       std::map<std::string, ProcessOptions>& types) {
  if (!node.IsMap()) return Invalid(field, "is not a map of types");
  for (const auto& entry : node) {
    const auto name = entry.first.as<std::string>();
    KANTOKU_RETURN_IF_ERROR(ReadType(absl::StrCat(field, ".", name), entry.second, types[name]));
  }
  return absl::OkStatus();
}

absl::Status ReadAll(const YAML::Node& file, ProgramOptions& options) {
  if (file.IsNull()) return absl::OkStatus();
  ExecutorOptions& executor = options.executor;
  return ReadMap(
      "", file,
      {{"server", Text(executor.inputs_address)},
       {"outputs", Text(executor.outputs_address)},
       {"namespace", Text(executor.name_space)},
       {"access_file", Text(executor.access_file)},
       {"token_file", Text(executor.token_file)},
       {"ca_file", Text(executor.ca_file)},
       {"certificate_file", Text(executor.certificate_file)},
       {"key_file", Text(executor.key_file)},
       {"insecure_plaintext_beyond_loopback", YesOrNo(executor.insecure_plaintext_beyond_loopback)},
       {"name", Text(executor.name)},
       {"labels", [&](const auto& path,
                      const auto& value) { return ReadLabels(path, value, executor.labels); }},
       {"version", Text(executor.version)},
       {"concurrency", Whole(executor.concurrency)},
       {"max_held", Whole(executor.max_held)},
       {"drain_limit", Time(executor.drain_limit)},
       {"journal", Text(executor.journal_path)},
       {"types", [&](const auto& path, const auto& value) {
          return ReadTypes(path, value, options.types);
        }}});
}

}  // namespace

// The one function that yaml-cpp's exceptions reach.
absl::Status ReadProgramConfig(const std::string& text, ProgramOptions& options) {
  try {
    return ReadAll(YAML::Load(text), options);
  } catch (const YAML::Exception& error) {
    return Invalid(absl::StrCat("line ", error.mark.line + 1), error.msg);
  }
}

}  // namespace kantoku::executor
