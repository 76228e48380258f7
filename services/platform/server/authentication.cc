#include "services/platform/server/authentication.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/platform/identity/http_client.h"
#include "services/platform/identity/jwt_authenticator.h"
#include "services/platform/identity/key_fetcher.h"
#include "services/platform/proto_time.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

IssuerRules RulesOf(const configpb::IssuerConfig& config) {
  IssuerRules rules;
  rules.issuer = config.issuer();
  rules.audiences.assign(config.audiences().begin(), config.audiences().end());
  rules.algorithms.reset();
  for (const std::string& name : config.algorithms()) {
    rules.algorithms.set(static_cast<size_t>(*AlgorithmOf(name)));
  }
  rules.prefix = config.prefix();
  rules.plain_jwt = config.plain_jwt();
  rules.client_id_claim = config.client_id_claim();
  rules.scope_claim = config.scope_claim();
  rules.namespaces_claim = config.namespaces_claim();
  rules.labels_claim = config.labels_claim();
  return rules;
}

JwtAuthenticator::Options OptionsOf(const configpb::AuthConfig& config) {
  JwtAuthenticator::Options options;
  options.times.leeway = FromProto(config.leeway());
  options.times.max_lifetime = FromProto(config.max_token_lifetime());
  for (const configpb::IssuerConfig& issuer : config.issuers()) {
    IssuerRules rules = RulesOf(issuer);
    for (const configpb::IssuerConfig& other : config.issuers()) {
      if (&other != &issuer) rules.foreign_prefixes.push_back(other.prefix());
    }
    options.issuers.push_back(std::move(rules));
  }
  return options;
}

// Tokens of issuers elsewhere, with what fetches their keys.
class IssuersAuthenticator final : public Authenticator {
 public:
  IssuersAuthenticator(const configpb::AuthConfig& config, Clock& clock)
      : tokens_(OptionsOf(config), [this](size_t issuer) { fetcher_.Want(issuer); }),
        https_(MakeHttpClients(config)),
        fetcher_(SourcesOf(config), {}, clock,
                 [this, &clock](size_t issuer, std::string_view keys) {
                   return tokens_.SetKeys(issuer, keys, clock.Read());
                 }) {}

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) override {
    return tokens_.Authenticate(token, peer, now);
  }

 private:
  static std::vector<std::unique_ptr<HttpClient>> MakeHttpClients(
      const configpb::AuthConfig& config) {
    std::vector<std::unique_ptr<HttpClient>> clients;
    clients.reserve(static_cast<size_t>(config.issuers_size()));
    for (const configpb::IssuerConfig& issuer : config.issuers()) {
      HttpOptions options;
      options.ca_file = issuer.ca_file();
      clients.push_back(MakeHttpClient(options));
    }
    return clients;
  }

  std::vector<KeySource> SourcesOf(const configpb::AuthConfig& config) const {
    std::vector<KeySource> sources;
    sources.reserve(static_cast<size_t>(config.issuers_size()));
    for (int i = 0; i < config.issuers_size(); ++i) {
      sources.push_back({.issuer = config.issuers(i).issuer(),
                         .jwks_uri = config.issuers(i).jwks_uri(),
                         .http = *https_[static_cast<size_t>(i)]});
    }
    return sources;
  }

  JwtAuthenticator tokens_;  // Outlives the fetcher's thread.
  const std::vector<std::unique_ptr<HttpClient>> https_;
  KeyFetcher fetcher_;
};

}  // namespace

std::shared_ptr<Authenticator> MakeAuthenticator(const configpb::AuthConfig& config, Clock& clock) {
  if (config.issuers().empty()) return std::make_shared<LocalAuthenticator>();
  return std::make_shared<IssuersAuthenticator>(config, clock);
}

}  // namespace kantoku::platform
