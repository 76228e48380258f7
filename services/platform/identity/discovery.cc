#include "services/platform/identity/discovery.h"

#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/identity/strict_json.h"
#include "services/platform/status.h"
#include "services/platform/url.h"

namespace kantoku::platform {
namespace {

constexpr char kPath[] = "/.well-known/openid-configuration";

bool IsHttp(const std::string& url) { return absl::StartsWith(url, "http:"); }

absl::Status BadDocument(const std::string& url, std::string_view what) {
  return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED",
               absl::StrCat("the discovery document ", url, " ", ToAbsl(what)));
}

}  // namespace

absl::StatusOr<Discovery> Discovery::Fetch(HttpClient& http, const std::string& issuer) {
  std::string url = issuer;
  if (!url.empty() && url.back() == '/') url.pop_back();
  url += kPath;
  KANTOKU_ASSIGN_OR_RETURN(const std::string text, http.Get(url));
  auto document = ParseStrictObject(text);
  if (!document.has_value()) return BadDocument(url, "is no JSON object");
  // Else whoever answers there could speak for another issuer (OpenID Connect Discovery 4.3).
  if (document->value("issuer", nlohmann::json()) != issuer) {
    return BadDocument(url, "names another issuer");
  }
  return Discovery(std::move(url), *std::move(document), IsHttp(issuer));
}

absl::StatusOr<std::string> Discovery::Address(const char* name) const {
  const auto found = document_.find(name);
  if (found == document_.end() || !found->is_string()) {
    return BadDocument(url_, ToStd(absl::StrCat("names no ", name)));
  }
  auto address = found->get<std::string>();
  KANTOKU_RETURN_IF_ERROR(Annotate(CheckUrl(address), name));
  // Else somebody elsewhere could let this program ask this very computer.
  if (IsHttp(address) && !own_) {
    return BadDocument(url_, ToStd(absl::StrCat("names a ", name, " of this computer")));
  }
  return address;
}

}  // namespace kantoku::platform
