#include "services/platform/url.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr std::array<absl::string_view, 3> kOwnHosts = {"127.0.0.1", "[::1]", "localhost"};

}  // namespace

absl::Status CheckUrl(std::string_view url) {
  absl::string_view rest = ToAbsl(url);
  const bool https = absl::StartsWith(rest, "https://");
  rest.remove_prefix(https ? 8 : absl::StartsWith(rest, "http://") ? 7 : rest.size());
  const absl::string_view authority = rest.substr(0, rest.find('/'));
  bool own = false;
  for (const absl::string_view host : kOwnHosts) {
    own = own || authority == host || absl::StartsWith(authority, absl::StrCat(host, ":"));
  }
  const bool plain = rest.find_first_of("?#@\\") == absl::string_view::npos &&
                     rest.find_first_not_of(" \t\r\n") == 0 &&
                     rest.find_first_of(" \t\r\n") == absl::string_view::npos;
  if (plain && !authority.empty() && (https || own)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_URL",
               absl::StrCat("\"", ToAbsl(url),
                            "\" is no https URL, nor an http URL of this computer, without query"));
}

}  // namespace kantoku::platform
