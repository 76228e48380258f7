#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_SCOPES_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_SCOPES_H_

#include <bitset>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace kantoku::platform {

// What a caller may be allowed to do.
enum class Verb : uint8_t {
  kSpawn,         // inputs:spawn[:TYPE]
  kPull,          // inputs:pull[:TYPE]
  kControl,       // inputs:control
  kReadTasks,     // inputs:read
  kReadResults,   // outputs:read
  kWriteResults,  // outputs:write
  kReadEvents,    // events:read
  kAdmin,         // admin
};
inline constexpr size_t kVerbs = 8;

// As it stands in a scope: "inputs:spawn".
std::string_view NameOf(Verb verb);
// Absent when there is none of this name.
std::optional<Verb> VerbOf(std::string_view name);

// What an access token allows: the words of its `scope` claim (RFC 6749, section 3.3). `admin`
// allows everything. Spawn and pull may be narrowed to types: by name, or by what a name begins
// with, as in `inputs:pull:segment-*`; `inputs:pull` alone means every type.
//
// Thread-compatible. A value.
class Scopes {
 public:
  // Words that are none of ours allow nothing: a token may be meant for other systems, too.
  static Scopes Parse(std::string_view claim);

  // Whether it is allowed; of spawn and pull: for some type at least.
  bool Allows(Verb verb) const;
  // Whether it is allowed for tasks of this type.
  bool Allows(Verb verb, std::string_view type) const;

  // The words that narrow the verb to types, with blanks between them; empty where it is allowed
  // for every type.
  std::string WordsThatNarrow(Verb verb) const;

  // Whether both were said in the same words, in whatever order.
  bool operator==(const Scopes&) const = default;

 private:
  struct Narrowed {
    Verb verb;
    std::string pattern;  // A name, or the beginning of names and '*'.
    auto operator<=>(const Narrowed&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  bool AllowsAll(Verb verb) const { return all_.test(static_cast<size_t>(verb)); }

  std::bitset<kVerbs> all_;         // What is allowed for every type.
  std::vector<Narrowed> narrowed_;  // In order, each once.
};

// What is wrong with one word that is meant for a scope of ours; INVALID_ARGUMENT, INVALID_SCOPE
// says what there is. For those who make tokens.
absl::Status CheckScope(std::string_view word);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_SCOPES_H_
