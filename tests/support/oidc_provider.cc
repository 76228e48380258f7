#include "tests/support/oidc_provider.h"

#include <filesystem>
#include <iostream>

#include "services/platform/check.h"

namespace kantoku::test {

OidcProvider::OidcProvider() : http_(platform::MakeHttpClient({})) {
  const std::string installed = KANTOKU_OIDC_PROVIDER_INSTALLED;
  if (!std::filesystem::exists(installed + "/node_modules/installed.json")) {
    std::cerr << "oidc-provider is not in " << installed << "; run: scripts/setup.sh build\n";
    KANTOKU_CHECK(false);
  }
  auto process = ChildProcess::Start({.argv = {"node", KANTOKU_OIDC_PROVIDER, installed}});
  KANTOKU_CHECK(process.ok());
  process_ = *std::move(process);
  const auto line = process_->AwaitLine("issuer http");
  if (!line.ok()) std::cerr << line.status().message() << "\n";
  KANTOKU_CHECK(line.ok());
  issuer_ = line->substr(line->find(' ') + 1);
}

void OidcProvider::SignWith(const std::string& algorithm) { Tell("sign", "algorithm", algorithm); }

void OidcProvider::Approve(const std::string& user_code) {
  Tell("approve", "user_code", user_code);
}

void OidcProvider::Refuse(const std::string& user_code) { Tell("refuse", "user_code", user_code); }

void OidcProvider::Tell(const std::string& command, const std::string& name,
                        const std::string& value) {
  const auto answer = http_->Post({.url = issuer_ + "/test/" + command, .form = {{name, value}}});
  KANTOKU_CHECK(answer.ok() && answer->status == 200);
}

}  // namespace kantoku::test
