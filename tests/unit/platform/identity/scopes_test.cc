#include "services/platform/identity/scopes.h"

#include <catch2/catch.hpp>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

TEST_CASE("A scope allows its verb and nothing else, but admin allows everything") {
  const bool admin = GENERATE(false, true);
  const auto named = static_cast<Verb>(GENERATE(range(0, static_cast<int>(kVerbs) - 1)));
  const auto scopes = Scopes::Parse(admin ? NameOf(Verb::kAdmin) : NameOf(named));
  for (size_t i = 0; i < kVerbs; ++i) {
    const auto verb = static_cast<Verb>(i);
    CAPTURE(NameOf(verb), NameOf(named), admin);
    CHECK(scopes.Allows(verb) == (admin || verb == named));
    CHECK(scopes.Allows(verb, "any") == (admin || verb == named));
  }
}

TEST_CASE("A scope with a type allows that type, or those that begin so") {
  const auto scopes = Scopes::Parse("inputs:pull:segment-* inputs:pull:exact inputs:spawn:a");
  CHECK(scopes.Allows(Verb::kPull));
  CHECK(scopes.Allows(Verb::kPull, "segment-"));
  CHECK(scopes.Allows(Verb::kPull, "segment-cells"));
  CHECK(scopes.Allows(Verb::kPull, "exact"));
  CHECK_FALSE(scopes.Allows(Verb::kPull, "segment"));
  CHECK_FALSE(scopes.Allows(Verb::kPull, "exactly"));
  CHECK_FALSE(scopes.Allows(Verb::kPull, "a"));
  CHECK(scopes.Allows(Verb::kSpawn, "a"));
  CHECK_FALSE(scopes.Allows(Verb::kSpawn, "segment-cells"));
}

TEST_CASE("A scope without a type widens those with one, wherever it stands") {
  const std::string claim =
      GENERATE("inputs:pull:a inputs:pull", "inputs:pull inputs:pull:a", "inputs:pull:*");
  CHECK(Scopes::Parse(claim).Allows(Verb::kPull, "b"));
  CHECK_FALSE(Scopes::Parse(claim).Allows(Verb::kSpawn, "b"));
}

TEST_CASE("Words that are no scopes of ours allow nothing, and do no harm to others") {
  const std::string word = GENERATE(
      "", "openid", "inputs", "inputs:", "inputs:spawn:", "inputs:pull:*a", "inputs:pull:a*b",
      "inputs:pull:**", "inputs:spawnx", "inputs:control:a", "admin:*", "Admin", "*");
  CAPTURE(word);
  const auto scopes = Scopes::Parse(word + "  events:read " + word);
  for (size_t i = 0; i < kVerbs; ++i) {
    const auto verb = static_cast<Verb>(i);
    CHECK(scopes.Allows(verb) == (verb == Verb::kReadEvents));
    CHECK(scopes.Allows(verb, "a") == (verb == Verb::kReadEvents));
  }
  CHECK(ReasonOf(CheckScope(word)) == "INVALID_SCOPE");
}

TEST_CASE("Whoever makes a token is told which scopes there are") {
  CHECK(CheckScope("inputs:pull:segment-*").ok());
  CHECK(CheckScope("admin").ok());
  // Which would be two in a token.
  for (const char* const words :
       {"inputs:pull:x admin", "inputs:pull:x\tadmin", "inputs:pull:\"x\"", "inputs:pull:a\\b",
        "inputs:pull:\xC3\xA4", "inputs:pull:x\n"}) {
    CAPTURE(words);
    CHECK(ReasonOf(CheckScope(words)) == "INVALID_SCOPE");
  }
  CHECK(CheckScope("input:pull").message() ==
        "\"input:pull\" is no scope; there are inputs:spawn[:TYPE], inputs:pull[:TYPE], "
        "inputs:control, inputs:read, outputs:read, outputs:write, events:read, admin, where TYPE "
        "may "
        "end in *");
}

}  // namespace
}  // namespace kantoku::platform
