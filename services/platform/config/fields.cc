#include "services/platform/config/fields.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/platform/check.h"
#include "services/platform/config/quantities.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsDuration(const FieldDescriptor& field) {
  return field.type() == FieldDescriptor::TYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

// How many letters must be changed, added or left out to make one word of the other.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// The field whose name is nearest; null when none is near.
const FieldDescriptor* Nearest(const Descriptor& message, std::string_view name) {
  const FieldDescriptor* nearest = nullptr;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (int i = 0; i < message.field_count(); ++i) {
    const size_t distance = EditDistance(name, message.field(i)->name());
    if (distance >= least) continue;
    least = distance;
    nearest = message.field(i);
  }
  return nearest;
}

std::string FieldNames(const Descriptor& message) {
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(message.field_count()));
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// "LogLevel" → "LOG_LEVEL_", which every value's name begins with.
std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char letter : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(letter)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(letter));
  }
  return prefix + "_";
}

std::string WordOf(const google::protobuf::EnumValueDescriptor& value) {
  return absl::AsciiStrToLower(value.name().substr(PrefixOf(*value.type()).size()));
}

absl::Status SetNumber(const FieldDescriptor& field, std::string_view text, Message& message) {
  const auto number = ParseConfigSize(text);
  if (!number.has_value()) {
    return InvalidConfig(absl::StrCat(Clipped(text), " is no number or size such as 4MiB"));
  }
  // Zero stands for "not set" in the message, so nobody may mean it.
  if (*number == 0) return InvalidConfig("0 is not at least 1");
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
    reflection.SetUInt64(&message, &field, *number);
    return absl::OkStatus();
  }
  if (*number > UINT32_MAX) {
    return InvalidConfig(absl::StrCat(Clipped(text), " is not at most ", UINT32_MAX));
  }
  reflection.SetUInt32(&message, &field, static_cast<uint32_t>(*number));
  return absl::OkStatus();
}

absl::Status SetBool(const FieldDescriptor& field, std::string_view text, Message& message) {
  if (text != "true" && text != "false") {
    return InvalidConfig(absl::StrCat(Clipped(text), " is neither true nor false"));
  }
  message.GetReflection()->SetBool(&message, &field, text == "true");
  return absl::OkStatus();
}

absl::Status SetEnum(const FieldDescriptor& field, std::string_view text, Message& message) {
  const EnumDescriptor& type = *field.enum_type();
  std::vector<std::string> words;
  for (int i = 1; i < type.value_count(); ++i) {  // The first is UNSPECIFIED.
    words.push_back(WordOf(*type.value(i)));
    if (words.back() != text) continue;
    message.GetReflection()->SetEnum(&message, &field, type.value(i));
    return absl::OkStatus();
  }
  return InvalidConfig(absl::StrCat(Clipped(text), " is none of ", absl::StrJoin(words, ", ")));
}

absl::Status SetDuration(const FieldDescriptor& field, std::string_view text, Message& message) {
  const auto duration = ParseConfigDuration(text);
  if (!duration.has_value()) {
    return InvalidConfig(
        absl::StrCat(Clipped(text), " is no duration such as 500ms, 2s, 1m, 1h or 7d"));
  }
  const auto proto = ToProto(*duration);
  message.GetReflection()->MutableMessage(&message, &field)->CopyFrom(proto);
  return absl::OkStatus();
}

// `store: memory` for a message that is one choice between messages.
absl::Status Choose(const FieldDescriptor& field, std::string_view text, Message& message) {
  const Descriptor& type = *field.message_type();
  if (type.real_oneof_decl_count() != 1) {
    return InvalidConfig(absl::StrCat("has fields of its own: ", FieldNames(type)));
  }
  const FieldDescriptor* const chosen = type.FindFieldByName(std::string(text));
  if (chosen == nullptr) {
    return InvalidConfig(absl::StrCat(Clipped(text), " is none of ", FieldNames(type)));
  }
  Message* const choice = message.GetReflection()->MutableMessage(&message, &field);
  choice->GetReflection()->MutableMessage(choice, chosen);
  return absl::OkStatus();
}

// `namespaces: [default]` for a list of messages that have names: one more of that name.
absl::Status AddNamed(const FieldDescriptor& field, std::string_view text, Message& message) {
  const FieldDescriptor* const name = field.message_type()->FindFieldByName("name");
  if (name == nullptr) {
    return InvalidConfig(
        absl::StrCat("has fields of its own: ", FieldNames(*field.message_type())));
  }
  return SetFromText(*name, text, *message.GetReflection()->AddMessage(&message, &field));
}

absl::Status SetString(const FieldDescriptor& field, std::string_view text, Message& message) {
  if (!google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                           static_cast<int>(text.size()))) {
    return InvalidConfig("is not UTF-8");
  }
  const Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    reflection.AddString(&message, &field, std::string(text));
  } else {
    reflection.SetString(&message, &field, std::string(text));
  }
  return absl::OkStatus();
}

}  // namespace

std::string Clipped(std::string_view text) {
  constexpr size_t kLongest = 60;
  if (text.empty()) return "\"\"";
  std::string shown(text.substr(0, kLongest));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return text.size() > kLongest ? shown + "…" : shown;
}

absl::Status InvalidConfig(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG", message);
}

absl::StatusOr<const FieldDescriptor*> FindField(const Descriptor& message, std::string_view name) {
  if (const auto* const field = message.FindFieldByName(std::string(name)); field != nullptr) {
    return field;
  }
  const FieldDescriptor* const nearest = Nearest(message, name);
  return InvalidConfig(nearest != nullptr
                           ? absl::StrCat("no such field; did you mean ", nearest->name(), "?")
                           : absl::StrCat("no such field; there are ", FieldNames(message)));
}

bool HasFields(const FieldDescriptor& field) {
  return field.type() == FieldDescriptor::TYPE_MESSAGE && !IsDuration(field);
}

absl::Status SetFromText(const FieldDescriptor& field, std::string_view text, Message& message) {
  if (IsDuration(field)) return SetDuration(field, text, message);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetNumber(field, text, message);
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(field, text, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(field, text, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetString(field, text, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field.is_repeated() ? AddNamed(field, text, message) : Choose(field, text, message);
    default:
      DieOfBrokenInvariant(__FILE__, __LINE__, field.full_name().c_str());
  }
}

std::string ToText(const FieldDescriptor& field, const Message& message, int index) {
  const Reflection& reflection = *message.GetReflection();
  if (IsDuration(field)) {
    google::protobuf::Duration duration;
    duration.CopyFrom(reflection.GetMessage(message, &field));
    return FormatConfigDuration(FromProto(duration));
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return WordOf(*reflection.GetEnum(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return field.is_repeated() ? reflection.GetRepeatedString(message, &field, index)
                                 : reflection.GetString(message, &field);
    default:
      DieOfBrokenInvariant(__FILE__, __LINE__, field.full_name().c_str());
  }
}

}  // namespace kantoku::platform
