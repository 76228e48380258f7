#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/identity/jwt_authenticator.h"
#include "tests/support/token_maker.h"

// What an access token costs: one that is known, and one that is new. Prints one JSON line an
// algorithm, in nanoseconds of processor time.
namespace kantoku::platform {
namespace {

template <typename Work>
double Measure(int times, const Work& work) {
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) work(i);
  return static_cast<double>(std::clock() - start) * (1e9 / CLOCKS_PER_SEC) / times;
}

void Run(const std::string& algorithm) {
  constexpr int kNew = 2'000;
  constexpr int kKnown = 1'000'000;
  const Now now = {.wall = absl::FromUnixSeconds(1'800'000'000), .steady = absl::Hours(1)};
  test::TokenMaker maker(algorithm);
  JwtAuthenticator authenticator(
      {.issuers = {{.issuer = test::kIssuer, .audiences = {test::kAudience}}}}, [](size_t) {});
  if (!authenticator.SetKeys(0, test::KeySetOf({maker.Jwk()}), now).ok()) std::abort();
  std::vector<std::string> tokens;
  for (int i = 0; i < kNew; ++i) {
    nlohmann::json claims = test::Claims(now.wall);
    claims["jti"] = std::to_string(i);
    tokens.push_back(maker.Sign(claims));
  }
  const auto show = [&](int i) {
    const auto identity = authenticator.Authenticate(
        tokens[static_cast<size_t>(i % kNew)], [] { return "x"; }, now);
    if (!identity.ok()) std::abort();
  };
  const double fresh = Measure(kNew, show);
  const double known = Measure(kKnown, show);
  std::printf("{\"algorithm\":\"%s\",\"bytes\":%zu,\"new_ns\":%.0f,\"known_ns\":%.0f}\n",
              algorithm.c_str(), tokens.front().size(), fresh, known);
}

}  // namespace
}  // namespace kantoku::platform

int main() {
  for (const char* const algorithm : {"RS256", "PS256", "ES256", "EdDSA"}) {
    kantoku::platform::Run(algorithm);
  }
}
