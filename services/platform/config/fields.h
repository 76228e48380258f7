#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_FIELDS_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_FIELDS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// How the fields of a configuration message look as text, in every source of configuration alike:
// durations "500ms", sizes "4MiB" or plain numbers, enums as lower-case words without their prefix,
// a choice between messages (`store`) as the name of the chosen one.
//
// Errors are INVALID_ARGUMENT, INVALID_CONFIG; their message says what is wrong with the value and
// leaves it to the caller to say where it stood.

// The field of that name. The error suggests the nearest name.
absl::StatusOr<const google::protobuf::FieldDescriptor*> FindField(
    const google::protobuf::Descriptor& message, std::string_view name);

// Whether the field holds further fields, which a path or a mapping descends into.
bool HasFields(const google::protobuf::FieldDescriptor& field);

// Sets a field that has no further fields, or chooses one of the messages below it. A repeated
// field gets one more element; one that holds messages, one of that `name`.
absl::Status SetFromText(const google::protobuf::FieldDescriptor& field, std::string_view text,
                         google::protobuf::Message& message);

// The inverse, for a field without further fields; `index` counts elements of a repeated field.
std::string ToText(const google::protobuf::FieldDescriptor& field,
                   const google::protobuf::Message& message, int index = 0);

absl::Status InvalidConfig(std::string_view message);

// What an outsider wrote, fit for a message of one line: at most 60 bytes, and only printable ones.
std::string Clipped(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_FIELDS_H_
