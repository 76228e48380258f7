#ifndef KANTOKU_TESTS_E2E_TRUSTING_H_
#define KANTOKU_TESTS_E2E_TRUSTING_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/e2e/up.h"
#include "tests/support/issuer_server.h"
#include "tests/support/temp_dir.h"
#include "tests/support/token_maker.h"

namespace kantoku::test {

// An issuer, and tokens of it.
class Issuing {
 public:
  Issuing();

  // Whose token is good for ten minutes.
  std::string Token(const std::string& subject, const std::string& scope,
                    const nlohmann::json& namespaces = "default",
                    absl::Duration lifetime = absl::Minutes(10)) const {
    return Sign(subject, {{"scope", scope}, {"kantoku_namespaces", namespaces}}, lifetime);
  }
  // The same with any claims.
  std::string Sign(const std::string& subject, const nlohmann::json& claims,
                   absl::Duration lifetime = absl::Minutes(10)) const;
  // For a configuration file: whoever has it takes these tokens, to the very second.
  std::string Config() const;

  IssuerServer issuer;

 private:
  TokenMaker maker_;
};

// `kantoku up`, which takes tokens of one issuer. It has the namespaces `default` and `lab`.
class Trusting : public Issuing {
 public:
  Trusting();

  Client As(const std::string& token, const std::string& name_space = "default") const;

  std::unique_ptr<Up> up;

 private:
  TempDir directory_;
};

// What a user needs who runs no tasks and rules nobody.
inline constexpr char kUserScope[] =
    "inputs:spawn inputs:read inputs:control outputs:read events:read";

// The services of every `kantoku up`, by their full names. That of grants is there where it is the
// issuer itself.
extern const std::vector<std::string> kServerServices;

// The reason of how a call of a method ends that sends one empty message and shows this token, or
// nothing.
std::string WhyNotAtAll(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::string& token = "");

template <typename Result>
std::string WhyNot(const Result& result) {
  return result.ok() ? "OK" : ReasonOf(result.status());
}

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_TRUSTING_H_
