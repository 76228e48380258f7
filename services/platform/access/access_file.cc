#include "services/platform/access/access_file.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

struct Member {
  const char* name;
  std::string Access::*text;
};
constexpr std::array<Member, 14> kMembers = {{{"server", &Access::server},
                                              {"authorities", &Access::authorities},
                                              {"server_name", &Access::server_name},
                                              {"token", &Access::token},
                                              {"grant", &Access::grant},
                                              {"secret", &Access::secret},
                                              {"holder_secret", &Access::holder_secret},
                                              {"login_file", &Access::login_file},
                                              {"issuer", &Access::issuer},
                                              {"client_id", &Access::client_id},
                                              {"client_secret", &Access::client_secret},
                                              {"scope", &Access::scope},
                                              {"audience", &Access::audience},
                                              {"resource", &Access::resource}}};

absl::Status Invalid(const std::string& path, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_ACCESS_FILE",
               absl::StrCat(path, ": ", ToAbsl(why)));
}

std::string TextOf(const Access& access) {
  nlohmann::ordered_json json;
  for (const Member& member : kMembers) {
    if (const std::string& text = access.*member.text; !text.empty()) json[member.name] = text;
  }
  return json.dump(2) + "\n";
}

}  // namespace

std::string AccessFileIn(std::string_view data_dir) {
  return absl::StrCat(ToAbsl(data_dir), "/access.json");
}

absl::StatusOr<Access> ReadAccessFile(const std::string& path) {
  const auto text = ReadWholeFile(path, kForOwnerAlone);
  if (absl::IsNotFound(text.status())) {
    return Error(absl::StatusCode::kNotFound, "NO_ACCESS_FILE",
                 absl::StrCat(path, ": there is no access file"));
  }
  if (!text.ok()) return text.status();
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Invalid(path, "is no JSON object");
  Access access;
  for (const Member& member : kMembers) {
    const auto found = json.find(member.name);
    if (found == json.end()) continue;
    if (!found->is_string()) return Invalid(path, absl::StrCat(member.name, " is no text"));
    access.*member.text = found->get<std::string>();
  }
  if (access.server.empty()) return Invalid(path, "names no server");
  const int ways = !access.token.empty() + !access.grant.empty() + !access.login_file.empty() +
                   !access.issuer.empty();
  if (ways > 1) return Invalid(path, "says more than once who one is");
  return access;
}

absl::Status WriteAccessFile(const std::string& path, const Access& access) {
  return ReplaceWholeFile(path, TextOf(access));
}

absl::Status CreateAccessFile(const std::string& path, const Access& access) {
  return CreateWholeFile(path, TextOf(access));
}

}  // namespace kantoku::platform
