#include "services/inputs/keys_reader.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/inputs/spec_reader.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

absl::StatusOr<std::shared_ptr<const TaskKeys>> Read(
    const std::function<void(taskpb::TaskSpec&)>& change) {
  taskpb::TaskSpec spec;
  change(spec);
  return ReadKeys(spec);
}

void CheckRefused(const absl::Status& status, const std::string& reason,
                  const std::string& message) {
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(platform::ReasonOf(status) == reason);
  CHECK(std::string(status.message()) == message);
}

// Of the one item of a whole call.
absl::Status SpawnStatus(const std::function<void(taskpb::TaskSpec&)>& change) {
  platform::Received<v1::SpawnRequest> received;
  received.message.set_request_id("r");
  received.message.add_specs()->set_type("x");
  change(*received.message.mutable_specs(0));
  const auto call = ReadSpawn(received, platform::Administrator("alice", "laptop"), {},
                              absl::FromUnixSeconds(1'790'000'000));
  REQUIRE(call.ok());
  REQUIRE(call->statuses.size() == 1);
  return call->statuses[0];
}

absl::Status RateStatus(const std::function<void(taskpb::RateKey&)>& change) {
  return Read([&](taskpb::TaskSpec& spec) {
           taskpb::RateKey& key = *spec.add_rate_keys();
           key.set_name("api");
           key.mutable_rate()->set_tokens(5);
           change(key);
         })
      .status();
}

TEST_CASE("A spec without keys has none") {
  CHECK(*Read([](auto&) {}) == nullptr);
}

TEST_CASE("Keys arrive sorted, with their defaults") {
  const auto keys = Read([](taskpb::TaskSpec& spec) {
    spec.set_ordering_key("lab");
    spec.mutable_fairness_key()->set_name("anna");
    spec.add_concurrency_keys()->set_name("b");
    spec.add_concurrency_keys()->set_name("a");
    spec.mutable_concurrency_keys(1)->set_limit(3);
    spec.add_rate_keys()->set_name("api");
    spec.mutable_rate_keys(0)->mutable_rate()->set_tokens(7);
    spec.add_rate_keys()->set_name("api");
    spec.mutable_rate_keys(1)->set_scope(taskpb::KEY_SCOPE_TYPE);
  });
  REQUIRE(keys.ok());
  const TaskKeys expected{
      .ordering = "lab",
      .fairness = "anna",
      .weight = 0,
      .concurrency = {{"a", KeyScope::kNamespace, 3}, {"b", KeyScope::kNamespace, 0}},
      .rates = {{"api", KeyScope::kNamespace, 1, {.tokens = 7, .period_ms = 1'000, .burst = 7}},
                {"api", KeyScope::kType, 1, {}}}};
  CHECK(**keys == expected);
}

TEST_CASE("A key of 1 MiB is refused with its field and the bound, whatever kind of key it is") {
  using Change = std::function<void(taskpb::TaskSpec&, std::string)>;
  const std::vector<std::pair<std::string, Change>> fields = {
      {"ordering_key", [](auto& spec, std::string key) { spec.set_ordering_key(std::move(key)); }},
      {"concurrency_keys.name",
       [](auto& spec, std::string key) { spec.add_concurrency_keys()->set_name(std::move(key)); }},
      {"rate_keys.name",
       [](auto& spec, std::string key) { spec.add_rate_keys()->set_name(std::move(key)); }},
      {"fairness_key.name",
       [](auto& spec, std::string key) { spec.mutable_fairness_key()->set_name(std::move(key)); }},
      {"reference", [](auto& spec, std::string key) { spec.set_reference(std::move(key)); }}};
  for (const auto& [field, change] : fields) {
    CAPTURE(field);
    const auto with = [&change = change](size_t bytes) {
      return SpawnStatus([&](auto& spec) { change(spec, std::string(bytes, 'k')); });
    };
    CHECK(with(255).ok());
    CheckRefused(with(256), "TOO_LONG", field + ": 256 bytes exceed the limit of 255");
    CheckRefused(with(1 << 20), "TOO_LONG", field + ": 1048576 bytes exceed the limit of 255");
  }
}

TEST_CASE("A key that is too long, empty, unprintable or there twice is refused with its field") {
  CheckRefused(Read([](taskpb::TaskSpec& spec) {
                 spec.set_ordering_key(std::string(1 << 20, 'k'));
               }).status(),
               "TOO_LONG", "ordering_key: 1048576 bytes exceed the limit of 255");
  CheckRefused(Read([](taskpb::TaskSpec& spec) { spec.mutable_fairness_key(); }).status(),
               "EMPTY_KEY", "fairness_key.name: is empty");
  CheckRefused(
      Read([](taskpb::TaskSpec& spec) { spec.add_concurrency_keys()->set_name("a\n"); }).status(),
      "BAD_KEY", R"(concurrency_keys.name: "a\n" has a character that cannot be printed)");
  CheckRefused(Read([](taskpb::TaskSpec& spec) {
                 spec.add_concurrency_keys()->set_name("a");
                 spec.add_concurrency_keys()->set_name("a");
               }).status(),
               "NAMED_TWICE", R"(concurrency_keys: "a" is there twice)");
  CheckRefused(Read([](taskpb::TaskSpec& spec) {
                 for (int i = 0; i < 9; ++i) spec.add_rate_keys()->set_name(std::to_string(i));
               }).status(),
               "TOO_MANY_KEYS", "rate_keys: 9 exceed the limit of 8");
}

TEST_CASE("Rates and costs beyond their bounds are refused with value and limit") {
  CHECK(RateStatus([](auto&) {}).ok());
  CheckRefused(RateStatus([](taskpb::RateKey& key) { key.mutable_rate()->set_tokens(0); }),
               "OUT_OF_RANGE", "rate_keys.rate.tokens: 0 is not from 1 to 1000000");
  CheckRefused(RateStatus([](taskpb::RateKey& key) {
                 key.mutable_rate()->mutable_period()->set_seconds(-1);
               }),
               "OUT_OF_RANGE",
               "rate_keys.rate.period: -1s is not from 1 ms to 24 h in whole milliseconds");
  CheckRefused(
      RateStatus([](taskpb::RateKey& key) { key.mutable_rate()->mutable_period()->set_nanos(7); }),
      "OUT_OF_RANGE", "rate_keys.rate.period: 7ns is not from 1 ms to 24 h in whole milliseconds");
  CheckRefused(RateStatus([](taskpb::RateKey& key) { key.set_cost(6); }), "COST_EXCEEDS_BURST",
               R"(rate_keys.cost: 6 of "api" exceeds the burst of its rate, 5)");
}

TEST_CASE("A spec makes no rate whose bucket takes more than a day to fill") {
  const auto status = [](uint32_t tokens, uint32_t burst) {
    return RateStatus([=](taskpb::RateKey& key) {
      key.set_cost(1);
      key.mutable_rate()->set_tokens(tokens);
      key.mutable_rate()->set_burst(burst);
      key.mutable_rate()->mutable_period()->set_seconds(24 * 3'600);
    });
  };
  CHECK(status(5, 0).ok());
  CHECK(status(5, 5).ok());
  CheckRefused(
      status(5, 6), "OUT_OF_RANGE",
      R"(rate_keys.rate.burst: "api" would take more than 24 h to fill; such a rate is to )"
      "be set as a limit");
  CheckRefused(
      status(1, 1'000'000), "OUT_OF_RANGE",
      R"(rate_keys.rate.burst: "api" would take more than 24 h to fill; such a rate is to )"
      "be set as a limit");
}

TEST_CASE("A limit has the one value that goes with its kind, and none is zero") {
  const auto status = [](const std::function<void(v1::Limit&)>& change) {
    v1::SetLimitsRequest request;
    v1::Limit& limit = *request.add_set();
    limit.mutable_name()->set_kind(v1::LIMIT_KIND_WEIGHT);
    limit.mutable_name()->set_key("anna");
    limit.set_weight(5);
    change(limit);
    return ReadLimits(request, "default")->set[0].status;
  };
  CHECK(status([](auto&) {}).ok());
  CheckRefused(status([](v1::Limit& limit) { limit.set_weight(0); }), "OUT_OF_RANGE",
               "weight: 0 is not from 1 to 1000");
  CheckRefused(status([](v1::Limit& limit) { limit.set_max_running(1); }), "CONTRADICTION",
               "max_running: does not go with the kind");
  CheckRefused(status([](v1::Limit& limit) { limit.clear_name(); }), "BAD_KIND",
               "name.kind: 0 is none that this server knows");
  CheckRefused(
      status([](v1::Limit& limit) { limit.mutable_name()->set_scope(taskpb::KEY_SCOPE_TYPE); }),
      "CONTRADICTION", "name.scope: a weight has that of the namespace alone");
  CheckRefused(status([](v1::Limit& limit) { limit.mutable_name()->set_of("x"); }), "CONTRADICTION",
               "name.of: goes with the scope TYPE or OWNER");
}

}  // namespace
}  // namespace kantoku::inputs
