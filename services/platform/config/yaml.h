#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_YAML_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_YAML_H_

#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// Where each field was set, for messages about it: "inputs.grace" → "kantoku.yaml:7".
using ConfigOrigins = std::map<std::string, std::string, std::less<>>;

// Sets the fields of `config` that `text`, one YAML document, names. INVALID_ARGUMENT,
// INVALID_CONFIG for the first fault: "kantoku.yaml:7: inputs.max_payload_bytse: no such field; did
// you mean max_payload_bytes?".
absl::Status ReadYaml(const std::string& file_name, std::string_view text,
                      google::protobuf::Message& config, ConfigOrigins& origins);

// Every field that is set, in the order of the proto, as YAML that ReadYaml reads back.
std::string ToYaml(const google::protobuf::Message& config);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_YAML_H_
