#include "services/all-in-one/bench/floors.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace kantoku::bench {
namespace {

constexpr std::pair<const char*, double Floors::*> kNames[] = {
    {"fdatasync_p50_us", &Floors::fdatasync_p50_us},
    {"store_lifecycles_per_second", &Floors::store_lifecycles_per_second},
    {"grpc_ping_pong_p50_us", &Floors::grpc_ping_pong_p50_us},
    {"grpc_echoes_per_second", &Floors::grpc_echoes_per_second}};

}  // namespace

absl::StatusOr<Floors> ParseFloors(const std::string& json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  Floors floors;
  for (const auto& [name, member] : kNames) {
    if (!parsed.is_object() || !parsed.contains(name) || !parsed[name].is_number()) {
      return absl::InvalidArgumentError(absl::StrCat("the floors have no number ", name));
    }
    floors.*member = parsed[name];
  }
  return floors;
}

nlohmann::ordered_json ToJson(const Floors& floors) {
  nlohmann::ordered_json json;
  for (const auto& [name, member] : kNames) json[name] = floors.*member;
  return json;
}

}  // namespace kantoku::bench
