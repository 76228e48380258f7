#include "services/platform/config/validate.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/config/defaults.h"
#include "services/platform/config/load.h"
#include "services/platform/config/quantities.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

TEST_CASE("Defaults are valid and are what the proto documents") {
  configpb::Config config;
  FillDefaults(config);
  CHECK(Validate(config).ok());
  CHECK(config.server().listen() == "127.0.0.1:6330");
  CHECK(config.server().metrics_listen() == "127.0.0.1:6331");
  CHECK(config.server().mac_key_file() == config.server().data_dir() + "/mac.keys");
  CHECK(FromProto(config.server().mac_key_lifetime()) == absl::Hours(30 * 24));
  CHECK(config.inputs().store().has_sqlite());
  CHECK(config.inputs().namespaces(0).name() == "default");
  CHECK(config.inputs().max_payload_bytes() == 4u << 20);
  CHECK(FromProto(config.inputs().dead_retention()) == absl::Hours(7 * 24));
  CHECK(config.inputs().max_dead_bytes() == uint64_t{4} << 30);
  CHECK(config.inputs().events());
  CHECK(config.outputs().max_awaits_per_stream() == 1'000'000);
  CHECK(config.events().max_bytes() == uint64_t{10} << 30);
  CHECK(config.log().level() == configpb::LOG_LEVEL_INFO);
}

TEST_CASE("Defaults keep what was set and are filled in once") {
  configpb::Config config;
  config.mutable_inputs()->set_events(false);
  config.mutable_inputs()->mutable_history();  // Zero, and set.
  config.mutable_outputs()->mutable_store()->mutable_memory();
  config.mutable_server()->set_listen("127.0.0.1:0");
  FillDefaults(config);
  const std::string once = config.SerializeAsString();
  FillDefaults(config);
  CHECK(config.SerializeAsString() == once);
  CHECK_FALSE(config.inputs().events());
  CHECK(FromProto(config.inputs().history()) == absl::ZeroDuration());
  CHECK(config.outputs().store().has_memory());
  CHECK(config.server().metrics_listen() == "127.0.0.1:0");
}

TEST_CASE("A store on PostgreSQL needs no more than its name") {
  const auto config = LoadConfig({.overrides = {"inputs.store=postgres"}});
  CAPTURE(config.status().ToString());
  REQUIRE(config.ok());
  const configpb::PostgresStoreConfig& store = config->inputs().store().postgres();
  CHECK(store.schema() == "kantoku");
  CHECK_FALSE(store.migrate_on_start());
  CHECK(FromProto(store.connect_timeout()) == absl::Seconds(10));
  CHECK(FromProto(store.statement_timeout()) == absl::Seconds(30));
}

// On PostgreSQL, with these roles in namespaces `default` and `lab`.
absl::Status CheckRoles(std::vector<configpb::DatabaseRoleConfig> roles, bool postgres = true) {
  configpb::Config config;
  if (postgres) config.mutable_inputs()->mutable_store()->mutable_postgres();
  for (const char* const name : {"default", "lab"}) {
    config.mutable_inputs()->add_namespaces()->set_name(name);
  }
  for (configpb::DatabaseRoleConfig& role : roles) {
    *config.mutable_inputs()->add_database_roles() = std::move(role);
  }
  FillDefaults(config);
  return Validate(config);
}

TEST_CASE("A role that spawns by SQL needs no more than its name") {
  const auto config =
      LoadConfig({.overrides = {"inputs.store=postgres", "inputs.database_roles=shop,blog"}});
  CAPTURE(config.status().ToString());
  REQUIRE(config.ok());
  REQUIRE(config->inputs().database_roles_size() == 2);
  const configpb::DatabaseRoleConfig& role = config->inputs().database_roles(1);
  CHECK(role.name() == "blog");
  CHECK(role.namespace_() == "default");
  CHECK(role.owner() == "blog");
  CHECK(role.scope() == "inputs:spawn");
}

TEST_CASE("A role that spawns by SQL may do nothing else, in a namespace that is there") {
  configpb::DatabaseRoleConfig shop;
  shop.set_name("shop");
  shop.set_namespace_("lab");
  shop.set_scope("inputs:spawn:mail.* inputs:spawn:sms");
  CHECK(CheckRoles({shop}).ToString() == "OK");

  const auto is_told = [](const std::vector<configpb::DatabaseRoleConfig>& roles,
                          const std::string& words, bool postgres = true) {
    CHECK_THAT(CheckRoles(roles, postgres).ToString(), Catch::Contains(words));
  };
  is_told({shop}, "inputs.database_roles: goes with inputs.store.postgres", /*postgres=*/false);
  is_told({shop, shop}, "inputs.database_roles: shop is there twice");
  configpb::DatabaseRoleConfig role = shop;
  role.set_namespace_("elsewhere");
  is_told({role}, "inputs.database_roles.namespace: elsewhere is none of inputs.namespaces");
  role = shop;
  role.set_name(std::string(64, 'x'));
  is_told({role}, "inputs.database_roles.name: 64 is not from 1 to 63");
  role = shop;
  role.set_owner(std::string(256, 'x'));
  is_told({role}, "inputs.database_roles.owner: 256 is not from 1 to 255");
  role = shop;
  role.set_scope("inputs:spawn inputs:admin");
  is_told({role}, "inputs.database_roles.scope: inputs:spawn inputs:admin is not inputs:spawn or");
  role.set_scope(" ");
  is_told({role}, "inputs.database_roles.scope:");
  is_told(std::vector<configpb::DatabaseRoleConfig>(1'001, shop),
          "inputs.database_roles: 1001 is not from 0 to 1000");
}

TEST_CASE("A fault names field, value and limit") {
  const auto [setting, message] = GENERATE(table<std::string, std::string>({
      {"inputs.max_payload_bytes=32MiB",
       "--set: inputs.max_payload_bytes: 33554432 is not from 1 to 32505856"},
      {"outputs.max_result_bytes=1TiB",
       "--set: outputs.max_result_bytes: 1099511627776 is not from 1 to 32505856"},
      {"inputs.max_session_credit=100001",
       "--set: inputs.max_session_credit: 100001 is not from 1 to 100000"},
      {"inputs.grace=0s", "--set: inputs.grace: 0s is not from 1ms to 3650d"},
      {"inputs.history=3651d", "--set: inputs.history: 3651d is not from 0s to 3650d"},
      {"inputs.namespaces=a,*", "--set: inputs.namespaces: * is no name, it stands for all"},
      {"inputs.namespaces=a,a", "--set: inputs.namespaces: a is there twice"},
      {"inputs.namespaces=a,",
       "--set: inputs.namespaces: a name has 0 bytes, which is not from 1 to 255"},
      {"inputs.namespaces=",
       "--set: inputs.namespaces: a name has 0 bytes, which is not from 1 to 255"},
      {"outputs.store.postgres.schema=Mine",
       "--set: outputs.store.postgres.schema: Mine is no name of at most 32 of a-z, 0-9 and _ that "
       "begins with neither a digit nor pg_"},
      {"events.store.postgres.connection=hots=db",
       "--set: events.store.postgres.connection: invalid connection option \"hots\""},
      {"inputs.store.postgres.connection=host=db password=x",
       "--set: inputs.store.postgres.connection: has a password, which belongs into a file "
       "(password_file) or the environment (PGPASSWORD)"},
      {"inputs.store.postgres.partitions=3",
       "--set: inputs.store.postgres.partitions: 3 is not 1, 2, 4, 8, 16, 32 or 64"},
      {"inputs.store.postgres.partitions=128",
       "--set: inputs.store.postgres.partitions: 128 is not 1, 2, 4, 8, 16, 32 or 64"},
      {"inputs.store.postgres.statement_timeout=1ms",
       "--set: inputs.store.postgres.statement_timeout: 1ms is not from 1s to 1h"},
      {"inputs.store.postgres.connect_timeout=61m",
       "--set: inputs.store.postgres.connect_timeout: 1h1m is not from 1s to 1h"},
      {"inputs.store=memory",
       "--set: inputs.store: memory is refused beside a durable outputs.store; make both memory"},
      {"outputs.store=remote", "outputs.store.remote.address: there is none"},
      {"events.store.remote.timeout=10ms", "events.store.remote.address: there is none"},
      {"server.mac_key_lifetime=59m",
       "--set: server.mac_key_lifetime: 59m is not from 1h to 3650d"},
      {"server.advertise=x", "--set: server.advertise: x is not a host and a port"},
      {"server.advertise=db:70000", "--set: server.advertise: db:70000 is not a host and a port"},
      {"server.listen=x", "--set: server.listen: x is not of the form host:port"},
      {"server.metrics_listen=0.0.0.0:1",
       "--set: server.metrics_listen: 0.0.0.0:1 is not a loopback address, and nobody is asked "
       "there "
       "who he is"},
      {"server.tls.key_file=k",
       "server.tls: certificate_file and key_file stand together, and one of them is "
       "missing"},
      {"server.tls.client_certificate_file=c",
       "server.tls: client_certificate_file and client_key_file stand together, and one of them "
       "is missing"},
  }));
  const auto config = LoadConfig({.overrides = {setting}});
  CHECK(ReasonOf(config.status()) == "INVALID_CONFIG");
  CHECK(config.status().message() == message);
}

TEST_CASE("Memory for inputs is refused beside an outputs of another program, whatever that has") {
  const auto config = LoadConfig({.overrides = {"inputs.store=memory", "outputs.store=memory",
                                                "inputs.outputs_address=localhost:1"}});
  CHECK(ReasonOf(config.status()) == "INVALID_CONFIG");
  CHECK(config.status().message() ==
        "--set: inputs.store: memory is refused beside an outputs of another program "
        "(inputs.outputs_address), which would outlive it");
}

TEST_CASE("A remote store has an address, and a second at least to answer") {
  const std::string address = "events.store.remote.address=localhost:1";
  const auto config = LoadConfig({.overrides = {address}});
  REQUIRE(config.ok());
  CHECK(config->events().store().remote().timeout().seconds() == 20);
  const auto open = LoadConfig({.overrides = {"events.store.remote.address=example.com:1",
                                              "events.store.remote.plaintext=true"}});
  CHECK(open.status().message() ==
        "--set: events.store.remote.plaintext: example.com:1 is not of this computer");
  const auto hasty = LoadConfig({.overrides = {address, "events.store.remote.timeout=10ms"}});
  CHECK(hasty.status().message() ==
        "--set: events.store.remote.timeout: 10ms is not from 1s to 5m");
}

TEST_CASE("Memory stores together, and metrics off, are fine") {
  CHECK(LoadConfig({.overrides = {"inputs.store=memory", "outputs.store=memory",
                                  "server.metrics_listen=none"}})
            .ok());
}

configpb::IssuerConfig& AddIssuer(configpb::Config& config, const std::string& url,
                                  const std::string& prefix = "") {
  configpb::IssuerConfig& issuer = *config.mutable_auth()->add_issuers();
  issuer.set_issuer(url);
  issuer.add_audiences("kantoku");
  issuer.set_prefix(prefix);
  return issuer;
}

TEST_CASE("Issuers have their defaults, and whatever is wrong with one is said") {
  configpb::Config config;
  AddIssuer(config, "https://id.example/realms/lab");
  FillDefaults(config);
  REQUIRE(Validate(config).ok());
  const configpb::IssuerConfig& filled = config.auth().issuers(0);
  CHECK(filled.algorithms_size() == 4);
  CHECK(filled.scope_claim() == "scope");
  CHECK(FromProto(config.auth().leeway()) == absl::Seconds(30));
  const auto fault = [&](auto change) {
    configpb::Config changed = config;
    change(*changed.mutable_auth(), *changed.mutable_auth()->mutable_issuers(0));
    const absl::Status status = Validate(changed);
    CHECK(ReasonOf(status) == "INVALID_CONFIG");
    return std::string(status.message());
  };
  CHECK(fault([](auto&, auto& issuer) { issuer.set_issuer("http://id.example"); }) ==
        "auth.issuers.issuer: http://id.example is no https URL, nor an http URL of this computer");
  CHECK(fault([](auto&, auto& issuer) { issuer.set_jwks_uri("file:///x"); }) ==
        "auth.issuers.jwks_uri: file:///x is no https URL, nor an http URL of this computer");
  CHECK(fault([](auto&, auto& issuer) { issuer.clear_audiences(); }) ==
        "auth.issuers.audiences: https://id.example/realms/lab has none; without one tokens for "
        "anybody were taken");
  CHECK(fault([](auto&, auto& issuer) { issuer.add_algorithms("HS256"); }) ==
        "auth.issuers.algorithms: HS256 is not RS256, PS256, ES256 or EdDSA");
  CHECK(fault([](auto& auth, auto&) { auth.mutable_leeway()->set_seconds(301); }) ==
        "auth.leeway: 5m1s is not from 0s to 5m");
  CHECK(fault([](auto& auth, auto&) { auth.mutable_max_token_lifetime()->set_seconds(0); }) ==
        "auth.max_token_lifetime: 0s is not from 1s to 3650d");
}

TEST_CASE("Issuers whose users could not be told apart are refused") {
  const auto verdict = [](const std::string& second, const std::string& one,
                          const std::string& two) {
    configpb::Config config;
    AddIssuer(config, "https://a.example", one);
    AddIssuer(config, second, two);
    FillDefaults(config);
    return std::string(Validate(config).message());
  };
  CHECK(verdict("https://b.example", "", "b:").empty());
  CHECK(verdict("https://b.example", "a:", "b:").empty());
  CHECK(verdict("https://a.example", "", "b:") == "auth.issuers: https://a.example is there twice");
  const std::string same =
      "auth.issuers.prefix: those of https://a.example and https://b.example cannot be told apart";
  CHECK(verdict("https://b.example", "", "") == same);
  CHECK(verdict("https://b.example", "a", "a:") == same);
  CHECK(verdict("https://b.example", "a:", "a") == same);
}

}  // namespace
}  // namespace kantoku::platform
