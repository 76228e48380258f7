#include "services/platform/identity/jwt.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/jwk.h"
#include "services/platform/identity/strict_json.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr std::string_view kMediaTypePrefix = "application/";
constexpr size_t kMaxKeyIdBytes = 255;
// What changes how a token is to be read; a plain signature needs none of it (RFC 7515, 4.1.11;
// RFC 7797; RFC 7516).
constexpr std::array kRefusedMembers = {"crit", "b64", "zip", "enc"};

// The text at `name`; empty where there is none, absent where it is something else.
std::optional<std::string> TextAt(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::string();
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

absl::Status ReadHeader(std::string_view part, Jwt& jwt) {
  const auto bytes = DecodeBase64Url(part);
  const auto header = bytes.has_value() ? ParseStrictObject(*bytes) : std::nullopt;
  if (!header.has_value()) return InvalidToken("its header is no object in base64url");
  for (const char* const name : kRefusedMembers) {
    if (header->contains(name)) return InvalidToken("its header asks for more than a signature");
  }
  const auto algorithm = AlgorithmOf(TextAt(*header, "alg").value_or(""));
  if (!algorithm.has_value()) return InvalidToken("its algorithm is not taken");
  auto key_id = TextAt(*header, "kid");
  if (!key_id.has_value() || key_id->size() > kMaxKeyIdBytes) {
    return InvalidToken("its key id is no text of at most 255 bytes");
  }
  auto type = TextAt(*header, "typ");
  if (!type.has_value()) return InvalidToken("its type is no text");
  jwt.algorithm = *algorithm;
  jwt.key_id = *std::move(key_id);
  absl::AsciiStrToLower(&*type);
  jwt.type = type->substr(0, kMediaTypePrefix.size()) == kMediaTypePrefix
                 ? type->substr(kMediaTypePrefix.size())
                 : *type;
  return absl::OkStatus();
}

}  // namespace

absl::Status InvalidToken(std::string_view why) {
  return Error(absl::StatusCode::kUnauthenticated, "INVALID_TOKEN",
               absl::StrCat("the access token is refused: ", ToAbsl(why)));
}

absl::StatusOr<Jwt> ParseJwt(std::string_view text) {
  if (text.size() > kMaxTokenBytes) {
    return InvalidToken(
        ToStd(absl::StrCat("it has ", text.size(), " bytes, at most ", kMaxTokenBytes)));
  }
  const size_t first = text.find('.');
  const size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return InvalidToken("it has not three parts");
  }
  Jwt jwt;
  KANTOKU_RETURN_IF_ERROR(ReadHeader(text.substr(0, first), jwt));
  const auto payload = DecodeBase64Url(text.substr(first + 1, second - first - 1));
  auto claims = payload.has_value() ? ParseStrictObject(*payload) : std::nullopt;
  if (!claims.has_value()) return InvalidToken("its claims are no object in base64url");
  auto signature = DecodeBase64Url(text.substr(second + 1));
  if (!signature.has_value() || signature->empty()) {
    return InvalidToken("its signature is not base64url");
  }
  jwt.text = std::string(text);
  jwt.claims = *std::move(claims);
  jwt.signed_size = second;
  jwt.signature = *std::move(signature);
  return jwt;
}

}  // namespace kantoku::platform
