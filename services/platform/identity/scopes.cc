#include "services/platform/identity/scopes.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr std::array<std::string_view, kVerbs> kNames = {
    "inputs:spawn", "inputs:pull",   "inputs:control", "inputs:read",
    "outputs:read", "outputs:write", "events:read",    "admin",
};

bool TakesTypes(Verb verb) { return verb == Verb::kSpawn || verb == Verb::kPull; }

// A scope, read.
struct Word {
  Verb verb;
  std::string_view pattern;  // Empty: every type.
};

std::optional<Word> Read(std::string_view word) {
  for (size_t i = 0; i < kVerbs; ++i) {
    const auto verb = static_cast<Verb>(i);
    if (word == kNames[i]) return Word{verb, {}};
    if (!TakesTypes(verb) || word.substr(0, kNames[i].size()) != kNames[i]) continue;
    const std::string_view rest = word.substr(kNames[i].size());
    const size_t star = rest.find('*');
    if (rest.size() < 2 || rest.front() != ':') continue;
    if (star != std::string_view::npos && star + 1 != rest.size()) continue;
    return Word{verb, rest.substr(1)};
  }
  return std::nullopt;
}

bool Matches(std::string_view pattern, std::string_view type) {
  if (pattern.back() != '*') return pattern == type;
  pattern.remove_suffix(1);
  return type.substr(0, pattern.size()) == pattern;
}

}  // namespace

std::string_view NameOf(Verb verb) { return kNames[static_cast<size_t>(verb)]; }

std::optional<Verb> VerbOf(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Verb>(found - kNames.begin());
}

Scopes Scopes::Parse(std::string_view claim) {
  Scopes scopes;
  while (!claim.empty()) {
    const size_t end = std::min(claim.find(' '), claim.size());
    if (const auto word = Read(claim.substr(0, end)); word.has_value()) {
      if (word->pattern.empty()) {
        scopes.all_.set(static_cast<size_t>(word->verb));
      } else {
        scopes.narrowed_.push_back({word->verb, std::string(word->pattern)});
      }
    }
    claim.remove_prefix(std::min(end + 1, claim.size()));
  }
  std::vector<Narrowed>& narrowed = scopes.narrowed_;
  std::sort(narrowed.begin(), narrowed.end());
  narrowed.erase(std::unique(narrowed.begin(), narrowed.end()), narrowed.end());
  return scopes;
}

bool Scopes::Allows(Verb verb) const {
  return AllowsAll(Verb::kAdmin) || AllowsAll(verb) ||
         std::any_of(narrowed_.begin(), narrowed_.end(),
                     [verb](const Narrowed& each) { return each.verb == verb; });
}

bool Scopes::Allows(Verb verb, std::string_view type) const {
  return AllowsAll(Verb::kAdmin) || AllowsAll(verb) ||
         std::any_of(narrowed_.begin(), narrowed_.end(), [&](const Narrowed& each) {
           return each.verb == verb && Matches(each.pattern, type);
         });
}

std::string Scopes::WordsThatNarrow(Verb verb) const {
  std::string words;
  if (AllowsAll(Verb::kAdmin) || AllowsAll(verb)) return words;
  for (const Narrowed& each : narrowed_) {
    if (each.verb != verb) continue;
    absl::StrAppend(&words, words.empty() ? "" : " ", ToAbsl(NameOf(verb)), ":", each.pattern);
  }
  return words;
}

absl::Status CheckScope(std::string_view word) {
  // Of the characters of a scope (RFC 6749, section 3.3): a blank would make two words of it.
  const bool is_one_word = std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && c < '\x7F' && c != '"' && c != '\\';
  });
  if (is_one_word && Read(word).has_value()) return absl::OkStatus();
  std::string known;
  for (size_t i = 0; i < kVerbs; ++i) {
    absl::StrAppend(&known, i == 0 ? "" : ", ", ToAbsl(kNames[i]),
                    TakesTypes(static_cast<Verb>(i)) ? "[:TYPE]" : "");
  }
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_SCOPE",
               absl::StrCat("\"", ToAbsl(word), "\" is no scope; there are ", known,
                            ", where TYPE may end in *"));
}

}  // namespace kantoku::platform
