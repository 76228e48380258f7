#include "services/platform/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/config/fields.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

class YamlReader {
 public:
  YamlReader(const std::string& file_name, ConfigOrigins& origins)
      : file_name_(file_name), origins_(origins) {}

  absl::Status ReadFields(const YAML::Node& node, const std::string& path, Message& message) {
    if (node.IsNull()) return absl::OkStatus();
    if (!node.IsMap()) return Fault(node, path, InvalidConfig("is not a mapping of fields"));
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        return Fault(entry.first, path, InvalidConfig("a field's name is no plain word"));
      }
      const std::string& name = entry.first.Scalar();
      const std::string field_path = Joined(path, Clipped(name));
      const auto field = FindField(*message.GetDescriptor(), name);
      if (!field.ok()) return Fault(entry.first, field_path, field.status());
      if (!seen.insert(name).second) {
        return Fault(entry.first, field_path, InvalidConfig("is there twice"));
      }
      KANTOKU_RETURN_IF_ERROR(CheckOneof(entry.first, field_path, **field, message));
      if (entry.second.IsNull() && !HasFields(**field)) {  // Has no place of its own.
        return Fault(entry.first, field_path, InvalidConfig("has no value"));
      }
      origins_[field_path] = Position(entry.second);
      KANTOKU_RETURN_IF_ERROR(ReadField(entry.second, field_path, **field, message));
    }
    return absl::OkStatus();
  }

  absl::Status Fault(const YAML::Node& node, const std::string& path, const absl::Status& status) {
    const absl::Status named = path.empty() ? status : Annotate(status, path);
    return Annotate(named, Position(node));
  }

 private:
  std::string Position(const YAML::Node& node) const {
    return absl::StrCat(file_name_, ":", node.Mark().line + 1);
  }

  // A choice that was made in this file is not made twice.
  absl::Status CheckOneof(const YAML::Node& node, const std::string& path,
                          const FieldDescriptor& field, const Message& message) {
    const auto* const oneof = field.real_containing_oneof();
    if (oneof == nullptr || !message.GetReflection()->HasOneof(message, oneof)) {
      return absl::OkStatus();
    }
    const auto* const chosen = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
    if (chosen == &field) return absl::OkStatus();
    return Fault(node, path,
                 InvalidConfig(absl::StrCat("stands beside ", chosen->name(), "; choose one")));
  }

  absl::Status ReadField(const YAML::Node& node, const std::string& path,
                         const FieldDescriptor& field, Message& message) {
    if (field.is_repeated()) return ReadList(node, path, field, message);
    if (HasFields(field) && !node.IsScalar()) {
      return ReadFields(node, path, *message.GetReflection()->MutableMessage(&message, &field));
    }
    return ReadScalar(node, path, field, message);
  }

  absl::Status ReadList(const YAML::Node& node, const std::string& path,
                        const FieldDescriptor& field, Message& message) {
    if (!node.IsSequence()) return Fault(node, path, InvalidConfig("is not a list"));
    message.GetReflection()->ClearField(&message, &field);
    for (const auto& element : node) {
      KANTOKU_RETURN_IF_ERROR(ReadElement(element, path, field, message));
    }
    return absl::OkStatus();
  }

  absl::Status ReadElement(const YAML::Node& node, const std::string& path,
                           const FieldDescriptor& field, Message& message) {
    if (!HasFields(field) || !node.IsMap()) return ReadScalar(node, path, field, message);
    const auto& reflection = *message.GetReflection();
    const std::string place = absl::StrCat(path, "[", reflection.FieldSize(message, &field), "]");
    return ReadFields(node, place, *reflection.AddMessage(&message, &field));
  }

  absl::Status ReadScalar(const YAML::Node& node, const std::string& path,
                          const FieldDescriptor& field, Message& message) {
    if (!node.IsScalar()) return Fault(node, path, InvalidConfig("is not a plain value"));
    const absl::Status set = SetFromText(field, node.Scalar(), message);
    return set.ok() ? set : Fault(node, path, set);
  }

  const std::string& file_name_;
  ConfigOrigins& origins_;
};

// Parses and forgets.
class NoEvents final : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// YAML::LoadAll would say so as well, but never ends for "!,".
bool HoldsSeveralDocuments(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  NoEvents events;
  return parser.HandleNextDocument(events) && parser.HandleNextDocument(events);
}

void Emit(const Message& message, YAML::Emitter& out);

void EmitField(const FieldDescriptor& field, const Message& message, YAML::Emitter& out) {
  const auto& reflection = *message.GetReflection();
  out << YAML::Key << field.name() << YAML::Value;
  if (field.is_repeated()) {
    out << YAML::BeginSeq;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      if (HasFields(field)) {
        Emit(reflection.GetRepeatedMessage(message, &field, i), out);
      } else {
        out << ToText(field, message, i);
      }
    }
    out << YAML::EndSeq;
  } else if (HasFields(field)) {
    Emit(reflection.GetMessage(message, &field), out);
  } else {
    out << ToText(field, message);
  }
}

void Emit(const Message& message, YAML::Emitter& out) {
  out << YAML::BeginMap;
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) EmitField(*field, message, out);
  out << YAML::EndMap;
}

}  // namespace

absl::Status ReadYaml(const std::string& file_name, std::string_view text, Message& config,
                      ConfigOrigins& origins) {
  try {
    const std::string bytes(text);
    if (HoldsSeveralDocuments(bytes)) {
      return InvalidConfig(absl::StrCat(file_name, ": holds more than one YAML document"));
    }
    return YamlReader(file_name, origins).ReadFields(YAML::Load(bytes), "", config);
  } catch (const YAML::Exception& fault) {
    return InvalidConfig(
        absl::StrCat(file_name, ":", fault.mark.line + 1, ": is not YAML: ", Clipped(fault.msg)));
  }
}

std::string ToYaml(const Message& config) {
  YAML::Emitter out;
  Emit(config, out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace kantoku::platform
