#include "client/cpp/src/convert.h"

#include <catch2/catch.hpp>

#include "kantoku/status.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

TaskId MakeId(uint64_t sequence) {
  const auto id = platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 77);
  return TaskId::FromBytes(id.bytes()).value();
}

absl::StatusOr<task::v1::TaskSpec> ProtoOf(TaskSpec spec) {
  task::v1::TaskSpec proto;
  KANTOKU_RETURN_IF_ERROR(ToProto(std::move(spec), proto));
  return proto;
}

TEST_CASE("Every field of a spec reaches the wire") {
  TaskSpec spec;
  spec.type = "resize";
  spec.payload = std::string("\0\xff", 2);
  spec.content_type = "image/png";
  spec.reference = "Grüße";
  spec.priority = -7;
  spec.not_before = absl::FromUnixMillis(1'234'567);
  spec.timeout = absl::Milliseconds(1'500);
  spec.expire_at = absl::FromUnixSeconds(7);
  spec.total_timeout = absl::Hours(1);
  spec.retry = RetryPolicy{.max_attempts = 5,
                           .initial_backoff = absl::Milliseconds(250),
                           .max_backoff = absl::Seconds(30),
                           .multiplier = 3.0,
                           .jitter = 0.0,
                           .non_retryable_reasons = {"A", "B"}};
  spec.result_retention = absl::Hours(2);
  spec.effect = EffectClass::kOnce;
  spec.placement =
      PlacementPolicy{.selector = "has(gpu)", .executor = "lab-3", .app = "bench", .owner = "anna"};
  const auto proto = ProtoOf(spec);
  REQUIRE(proto.ok());
  CHECK(proto->type() == "resize");
  CHECK(proto->payload() == spec.payload);
  CHECK(proto->content_type() == "image/png");
  CHECK(proto->reference() == "Grüße");
  CHECK(proto->priority() == -7);
  CHECK(proto->not_before().seconds() == 1'234);
  CHECK(proto->not_before().nanos() == 567'000'000);
  CHECK(proto->timeout().seconds() == 1);
  CHECK(proto->timeout().nanos() == 500'000'000);
  CHECK_FALSE(proto->no_timeout());
  CHECK(proto->expire_at().seconds() == 7);
  CHECK(proto->total_timeout().seconds() == 3'600);
  CHECK(proto->retry().max_attempts() == 5);
  CHECK(proto->retry().initial_backoff().nanos() == 250'000'000);
  CHECK(proto->retry().max_backoff().seconds() == 30);
  CHECK(proto->retry().multiplier() == 3.0);
  CHECK(proto->retry().has_jitter());
  CHECK(proto->result_retention().seconds() == 7'200);
  REQUIRE(proto->retry().non_retryable_reasons_size() == 2);
  CHECK(proto->retry().non_retryable_reasons(1) == "B");
  CHECK(proto->effect() == task::v1::EFFECT_ONCE);
  CHECK(proto->placement().selector() == "has(gpu)");
  CHECK(proto->placement().executor() == "lab-3");
  CHECK(proto->placement().app() == "bench");
  CHECK(proto->placement().owner() == "anna");
}

TEST_CASE("Placement and the words why it fits nobody come back from the wire") {
  task::v1::TaskInfo proto;
  proto.set_task_id(std::string(MakeId(5).bytes()));
  proto.set_wait_cause(task::v1::WAIT_CAUSE_PLACEMENT_UNMATCHED);
  proto.set_wait_detail("no gpu");
  CHECK(ToInfo(proto)->placement == std::nullopt);
  proto.mutable_placement()->set_selector("has(gpu)");
  proto.mutable_placement()->set_owner("anna");
  const auto info = ToInfo(proto);
  REQUIRE(info.ok());
  CHECK(info->wait_cause == WaitCause::kPlacementUnmatched);
  CHECK(info->wait_detail == "no gpu");
  CHECK(info->placement == PlacementPolicy{.selector = "has(gpu)", .owner = "anna"});
  inputs::v1::ExecutorInfo executor;
  (*executor.mutable_labels())["gpu"] = "true";
  executor.set_version("2.1");
  CHECK(ToExecutor(executor).labels.at("gpu") == "true");
  CHECK(ToExecutor(executor).version == "2.1");
}

TEST_CASE("Reuse is asked for, and told") {
  TaskSpec spec{.type = "x", .effect = EffectClass::kPure, .reuse_within = absl::Hours(1)};
  const auto proto = ProtoOf(spec);
  REQUIRE(proto.ok());
  CHECK(proto->reuse_within().seconds() == 3'600);
  CHECK_FALSE(ProtoOf(TaskSpec{.type = "x"})->has_reuse_within());
  inputs::v1::SpawnResult result;
  result.set_task_id(std::string(MakeId(5).bytes()));
  CHECK_FALSE(ToSpawned(result)->reused);
  result.set_reused(true);
  CHECK(ToSpawned(result)->reused);
}

TEST_CASE("What is absent in a spec is absent on the wire, so that the server's defaults hold") {
  const auto proto = ProtoOf(TaskSpec{.type = "x"});
  REQUIRE(proto.ok());
  CHECK_FALSE(proto->has_not_before());
  CHECK_FALSE(proto->has_timeout());
  CHECK_FALSE(proto->has_retry());
  CHECK_FALSE(proto->has_result_retention());
  CHECK_FALSE(proto->has_placement());
  CHECK(proto->effect() == task::v1::EFFECT_UNSPECIFIED);
}

TEST_CASE("Text that is no UTF-8 is refused here, where it costs one task and not its batch") {
  for (const auto& spec : {TaskSpec{.type = "\xff"}, TaskSpec{.type = "x", .content_type = "\xc3"},
                           TaskSpec{.type = "x", .reference = "\xed\xa0\x80"},
                           TaskSpec{.type = "x", .placement = PlacementPolicy{.app = "\xff"}}}) {
    const auto proto = ProtoOf(spec);
    CHECK(proto.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(proto.status()) == "INVALID_UTF8");
  }
}

TEST_CASE("Infinite times are refused by the name of their field") {
  const auto proto = ProtoOf(TaskSpec{.type = "x", .total_timeout = absl::InfiniteDuration()});
  CHECK(ReasonOf(proto.status()) == "INVALID_TIME");
  CHECK(proto.status().message() == "total_timeout is infinite");
}

TEST_CASE("An infinite timeout of an attempt is none") {
  const auto proto = ProtoOf(TaskSpec{.type = "x", .timeout = absl::InfiniteDuration()});
  REQUIRE(proto.ok());
  CHECK(proto->no_timeout());
  CHECK_FALSE(proto->has_timeout());
}

TEST_CASE("Every state has its number on the wire and back") {
  for (int number = task::v1::TASK_STATE_SCHEDULED; number <= task::v1::TaskState_MAX; ++number) {
    const TaskState state = ToState(static_cast<task::v1::TaskState>(number));
    CHECK(state != TaskState::kUnknown);
    CHECK(ToProto(state) == number);
    CHECK(ParseTaskState(ToString(state)) == state);
  }
  CHECK(ToState(static_cast<task::v1::TaskState>(99)) == TaskState::kUnknown);
  CHECK(ParseTaskState("sleeping") == std::nullopt);
}

TEST_CASE("A status keeps its reason, and names the holder of a reference that is taken") {
  inputs::v1::SpawnResult result;
  result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kAlreadyExists));
  result.mutable_status()->set_reason("REFERENCE_TAKEN");
  const TaskId holder = MakeId(5);
  result.set_task_id(std::string(holder.bytes()));
  const auto spawned = ToSpawned(result);
  CHECK(ReasonOf(spawned.status()) == "REFERENCE_TAKEN");
  CHECK(TaskIdOf(spawned.status()) == holder);
}

TEST_CASE("An answer that makes no sense is the server's fault") {
  CHECK(ToSpawned(inputs::v1::SpawnResult()).status().code() == absl::StatusCode::kInternal);
  CHECK(ToOutput(MakeId(1), {}, outputs::v1::Result()).status().code() ==
        absl::StatusCode::kInternal);
}

TEST_CASE("The time of creation is the one in the id") {
  inputs::v1::SpawnResult result;
  result.set_task_id(std::string(MakeId(5).bytes()));
  CHECK(ToSpawned(result)->created_at == absl::FromUnixSeconds(1'700'000'000));
}

}  // namespace
}  // namespace kantoku::internal
