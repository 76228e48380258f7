#include "services/platform/identity/claims.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::platform {
namespace {

using nlohmann::json;

constexpr size_t kMaxTextBytes = 255;
constexpr size_t kMaxScopeBytes = 4'096;
constexpr size_t kMaxAudiences = 32;
constexpr size_t kMaxNamespaces = 100;
constexpr size_t kMaxLabels = 32;
constexpr double kLatestSecond = 253'402'300'799;  // The end of the year 9999.

absl::Status Wrong(std::string_view claim, std::string_view what) {
  return InvalidToken(ToStd(absl::StrCat(ToAbsl(claim), " ", ToAbsl(what))));
}

const json* Find(const json& claims, std::string_view name) {
  const auto found = claims.find(std::string(name));
  return found != claims.end() ? &*found : nullptr;
}

// Texts that rights hang on: short, and nothing in them that would look like something else.
bool IsName(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxTextBytes &&
         std::none_of(text.begin(), text.end(), is_control);
}

absl::StatusOr<std::string> NameAt(const json& claims, std::string_view name) {
  const json* const value = Find(claims, name);
  if (value == nullptr) return Wrong(name, "is missing");
  if (!IsName(*value)) return Wrong(name, "is no text of 1 to 255 bytes");
  return value->get<std::string>();
}

// Texts, written as one or as an array. Nothing where the claim is absent.
absl::StatusOr<std::vector<std::string>> NamesAt(const json& claims, std::string_view name,
                                                 size_t limit) {
  std::vector<std::string> names;
  const json* const value = Find(claims, name);
  if (value == nullptr) return names;
  if (!value->is_array()) {
    KANTOKU_ASSIGN_OR_RETURN(std::string one, NameAt(claims, name));
    names.push_back(std::move(one));
    return names;
  }
  if (value->size() > limit) return Wrong(name, "has too many entries");
  for (const json& each : *value) {
    if (!IsName(each)) return Wrong(name, "has an entry that is no text of 1 to 255 bytes");
    names.push_back(each.get<std::string>());
  }
  return names;
}

// NumericDate of RFC 7519: seconds, perhaps with a fraction. Absent where the claim is.
absl::StatusOr<std::optional<absl::Time>> TimeAt(const json& claims, std::string_view name) {
  const json* const value = Find(claims, name);
  if (value == nullptr) return std::nullopt;
  const double seconds = value->is_number() ? value->get<double>() : -1;
  if (!(seconds >= 0 && seconds <= kLatestSecond)) return Wrong(name, "is no time");
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::StatusOr<absl::Time> RequiredTimeAt(const json& claims, std::string_view name) {
  KANTOKU_ASSIGN_OR_RETURN(const std::optional<absl::Time> time, TimeAt(claims, name));
  if (!time.has_value()) return Wrong(name, "is missing");
  return *time;
}

// Returns when it ends, leeway included.
absl::StatusOr<absl::Time> CheckTimes(const json& claims, const TimeRules& rules, absl::Time now) {
  KANTOKU_ASSIGN_OR_RETURN(const absl::Time issued, RequiredTimeAt(claims, "iat"));
  KANTOKU_ASSIGN_OR_RETURN(const absl::Time ends, RequiredTimeAt(claims, "exp"));
  KANTOKU_ASSIGN_OR_RETURN(const auto begins, TimeAt(claims, "nbf"));
  if (ends - issued > rules.max_lifetime) return Wrong("exp", "is too long after iat");
  if (now >= ends + rules.leeway) {
    return Error(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED", "the access token has ended");
  }
  if (issued > now + rules.leeway) return Wrong("iat", "lies in the future");
  if (begins.has_value() && *begins > now + rules.leeway) {
    return Wrong("nbf", "lies in the future");
  }
  return ends + rules.leeway;
}

absl::Status CheckType(const Jwt& token, const IssuerRules& rules) {
  if (token.type == "at+jwt") return absl::OkStatus();
  if (rules.plain_jwt && (token.type == "jwt" || token.type.empty())) {
    // An ID token is not meant for us.
    if (token.claims.contains("nonce") || token.claims.contains("at_hash")) {
      return Wrong("typ", "is that of an ID token");
    }
    return absl::OkStatus();
  }
  return Wrong("typ", "is not at+jwt");
}

absl::Status CheckAudience(const json& claims, const IssuerRules& rules) {
  KANTOKU_ASSIGN_OR_RETURN(const auto meant, NamesAt(claims, "aud", kMaxAudiences));
  const bool ours = std::any_of(meant.begin(), meant.end(), [&](const std::string& name) {
    return std::find(rules.audiences.begin(), rules.audiences.end(), name) != rules.audiences.end();
  });
  return ours ? absl::OkStatus() : Wrong("aud", "does not name this service");
}

// A subject or client id, as it is known here.
absl::StatusOr<std::string> PrefixedAt(const json& claims, std::string_view name,
                                       const IssuerRules& rules) {
  KANTOKU_ASSIGN_OR_RETURN(const std::string value, NameAt(claims, name));
  std::string prefixed = rules.prefix + value;
  if (prefixed.size() > kMaxTextBytes) return Wrong(name, "is too long");
  for (const std::string& foreign : rules.foreign_prefixes) {
    if (!foreign.empty() && prefixed.substr(0, foreign.size()) == foreign) {
      return Wrong(name, "begins as those of another issuer");
    }
  }
  return prefixed;
}

absl::StatusOr<Scopes> ScopesOf(const json& claims, const IssuerRules& rules) {
  const json* const value = Find(claims, rules.scope_claim);
  if (value == nullptr) return Scopes();
  std::string words;
  if (value->is_string()) {
    words = value->get<std::string>();
  } else if (value->is_array()) {
    for (const json& each : *value) {
      if (!each.is_string()) return Wrong(rules.scope_claim, "has an entry that is no text");
      absl::StrAppend(&words, words.empty() ? "" : " ", each.get_ref<const std::string&>());
    }
  } else {
    return Wrong(rules.scope_claim, "is no text");
  }
  if (words.size() > kMaxScopeBytes) return Wrong(rules.scope_claim, "is longer than 4 KiB");
  return Scopes::Parse(words);
}

absl::StatusOr<std::map<std::string, std::string>> LabelsOf(const json& claims,
                                                            const IssuerRules& rules) {
  std::map<std::string, std::string> labels;
  const json* const value = Find(claims, rules.labels_claim);
  if (value == nullptr) return labels;
  if (!value->is_object() || value->size() > kMaxLabels) {
    return Wrong(rules.labels_claim, "is no object of at most 32 texts");
  }
  for (const auto& [name, label] : value->items()) {
    if (!IsName(label) || name.empty() || name.size() > kMaxTextBytes) {
      return Wrong(rules.labels_claim, "has an entry that is no text of 1 to 255 bytes");
    }
    labels[absl::StrCat(kTrustedPrefix, name)] = label.get<std::string>();
  }
  return labels;
}

}  // namespace

std::string IssuerOf(const Jwt& token) {
  const json* const value = Find(token.claims, "iss");
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

absl::Time IssuedAt(const Jwt& token) {
  const auto issued = RequiredTimeAt(token.claims, "iat");
  return issued.ok() ? *issued : absl::InfinitePast();
}

absl::StatusOr<Identity> ReadClaims(const Jwt& token, const IssuerRules& rules,
                                    const TimeRules& times, absl::Time now) {
  const json& claims = token.claims;
  if (IssuerOf(token) != rules.issuer) return Wrong("iss", "is not trusted here");
  if (!rules.algorithms.test(static_cast<size_t>(token.algorithm))) {
    return InvalidToken("its algorithm is not taken from its issuer");
  }
  KANTOKU_RETURN_IF_ERROR(CheckType(token, rules));
  KANTOKU_RETURN_IF_ERROR(CheckAudience(claims, rules));
  Identity identity;
  KANTOKU_ASSIGN_OR_RETURN(identity.expires, CheckTimes(claims, times, now));
  identity.issued = IssuedAt(token);
  KANTOKU_ASSIGN_OR_RETURN(identity.subject, PrefixedAt(claims, "sub", rules));
  KANTOKU_ASSIGN_OR_RETURN(identity.client_id, PrefixedAt(claims, rules.client_id_claim, rules));
  if (!rules.plain_jwt || claims.contains("jti")) {
    KANTOKU_ASSIGN_OR_RETURN(identity.token_id, NameAt(claims, "jti"));
  }
  KANTOKU_ASSIGN_OR_RETURN(identity.scopes, ScopesOf(claims, rules));
  KANTOKU_ASSIGN_OR_RETURN(identity.namespaces,
                           NamesAt(claims, rules.namespaces_claim, kMaxNamespaces));
  if (!claims.contains(rules.namespaces_claim)) identity.namespaces = {"default"};
  KANTOKU_ASSIGN_OR_RETURN(identity.labels, LabelsOf(claims, rules));
  return identity;
}

}  // namespace kantoku::platform
