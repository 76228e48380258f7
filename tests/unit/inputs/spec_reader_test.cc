#include "services/inputs/spec_reader.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "services/inputs/partition/record_codec.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;
using platform::ReasonOf;
using platform::Received;

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);
const platform::Identity kCaller = platform::Administrator("alice", "laptop");

Received<v1::SpawnRequest> Request(int specs = 1) {
  Received<v1::SpawnRequest> request;
  request.message.set_request_id("r1");
  for (int i = 0; i < specs; ++i) request.message.add_specs()->set_type("x");
  return request;
}

absl::StatusOr<CheckedSpawn> Read(const Received<v1::SpawnRequest>& request,
                                  const SpecLimits& limits = {}, absl::Time now = kNow) {
  return ReadSpawn(request, kCaller, limits, now);
}

// As it comes over the wire, where protobuf does not look at what is written.
Received<v1::SpawnRequest> OverTheWire(const v1::SpawnRequest& request) {
  const std::string bytes = request.SerializeAsString();
  grpc::Slice slice(bytes);
  grpc::ByteBuffer buffer(&slice, 1);
  Received<v1::SpawnRequest> received;
  REQUIRE(
      grpc::SerializationTraits<Received<v1::SpawnRequest>>::Deserialize(&buffer, &received).ok());
  return received;
}

void CheckRefused(const absl::Status& status, const std::string& reason,
                  const std::string& message) {
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == reason);
  CHECK(std::string(status.message()) == message);
}

// The status of a spec that is "x" but for one change.
absl::Status StatusOf(const std::function<void(taskpb::TaskSpec&)>& change,
                      const SpecLimits& limits = {}) {
  auto request = Request();
  change(*request.message.mutable_specs(0));
  const auto checked = Read(request, limits);
  REQUIRE(checked.ok());
  REQUIRE(checked->statuses.size() == 1);
  CHECK(checked->batch->specs.size() == (checked->statuses[0].ok() ? 1 : 0));
  return checked->statuses[0];
}

TEST_CASE("A spec that says nothing gets the documented defaults") {
  const auto checked = Read(Request());
  REQUIRE(checked.ok());
  const SpawnBatch& batch = *checked->batch;
  CHECK(batch.name_space == "default");
  CHECK(batch.owner == "alice");
  REQUIRE(batch.specs.size() == 1);
  const TaskSpec& spec = batch.specs[0];
  CHECK(spec.timeout_ms == 3'600'000);
  CHECK(spec.retention_s == 86'400);
  CHECK(spec.retry == RetryPolicy());
  std::string record;
  EncodeSpec(TaskId(), {}, {}, {}, batch.encoded->body(0), record);
  CHECK(spec.stored_bytes == record.size());
  CHECK(DecodeSpec(record)->spec.stored_bytes == record.size());
  CHECK_FALSE(spec.not_before.has_value());
}

TEST_CASE("What a spec says arrives in the record and in the payload's place") {
  auto request = Request();
  auto& proto = *request.message.mutable_specs(0);
  const std::string payload("a\0b\xFF", 4);
  proto.set_payload(payload);
  proto.set_content_type("text/plain");
  proto.set_reference("invoice 7 / ü");
  proto.set_priority(-1'000);
  proto.mutable_not_before()->set_seconds(1'790'000'060);
  proto.mutable_not_before()->set_nanos(1);
  proto.mutable_timeout()->set_nanos(1'500'001);
  proto.mutable_expire_at()->set_seconds(1'790'000'090);
  proto.mutable_expire_at()->set_nanos(999'999);
  proto.mutable_total_timeout()->set_seconds(86'400 * 400);
  proto.mutable_result_retention()->set_seconds(1);
  proto.mutable_result_retention()->set_nanos(1);
  proto.mutable_retry()->set_max_attempts(7);
  proto.mutable_retry()->mutable_initial_backoff()->set_seconds(120);
  proto.mutable_retry()->set_jitter(0);
  const auto checked = Read(request);
  REQUIRE(checked.ok());
  REQUIRE(checked->statuses[0].ok());
  const SpawnBatch& batch = *checked->batch;
  CHECK(batch.encoded->Part(batch.encoded->slices[0].payload,
                            batch.encoded->slices[0].payload_size) == payload);
  CHECK(batch.encoded->Part(batch.encoded->slices[0].content_type,
                            batch.encoded->slices[0].content_type_size) == "text/plain");

  const TaskId id = TaskId::Make(kNow, 1, 1, 1);
  std::string bytes;
  EncodeSpec(id, {}, {}, {}, batch.encoded->body(0), bytes);
  const auto record = DecodeSpec(bytes);
  REQUIRE(record.ok());
  CHECK(record->id == id);
  CHECK(record->name_space == "default");
  CHECK(record->owner == "alice");
  CHECK(record->payload == payload);
  CHECK(record->content_type == "text/plain");
  CHECK(record->spec.reference == "invoice 7 / ü");
  CHECK(record->spec.priority == -1'000);
  // Never before its time …
  CHECK(record->spec.not_before == kNow + absl::Milliseconds(60'001));
  CHECK(record->spec.timeout_ms == 2);                        // Never shorter than asked for.
  CHECK(record->spec.expire_at == kNow + absl::Seconds(90));  // … or after it has expired.
  CHECK(record->spec.total_timeout_ms == uint64_t{86'400} * 400 * 1'000);
  CHECK(record->spec.retention_s == 2);  // As well.
  CHECK(record->spec.retry.max_attempts == 7);
  CHECK(record->spec.retry.initial_backoff_ms == 120'000);
  CHECK(record->spec.retry.max_backoff_ms == 120'000);  // Never below the first.
  CHECK(record->spec.retry.jitter == 0);
}

TEST_CASE("A bad field is refused with its name, its value and the limit") {
  using Change = std::function<void(taskpb::TaskSpec&)>;
  struct Case {
    Change change;
    std::string reason;
    std::string message;
  };
  const std::string long_name(256, 'a');
  const std::vector<Case> cases = {
      {[](auto& s) { s.clear_type(); }, "EMPTY_TYPE", "type: is empty"},
      {[&](auto& s) { s.set_type(long_name); }, "TOO_LONG",
       "type: 256 bytes exceed the limit of 255"},
      {[](auto& s) { s.set_type("a b"); }, "BAD_TYPE",
       "type: \"a b\" may hold letters, digits and . _ - / : only"},
      {[](auto& s) { s.set_type(std::string("a\0", 2)); }, "BAD_TYPE",
       "type: \"a\\x00\" may hold letters, digits and . _ - / : only"},
      {[&](auto& s) { s.set_reference(long_name); }, "TOO_LONG",
       "reference: 256 bytes exceed the limit of 255"},
      {[](auto& s) { s.set_reference("a\nb"); }, "BAD_REFERENCE",
       "reference: \"a\\nb\" has a character that cannot be printed"},
      {[&](auto& s) { s.set_content_type(long_name); }, "TOO_LONG",
       "content_type: 256 bytes exceed the limit of 255"},
      {[](auto& s) { s.set_priority(1'001); }, "OUT_OF_RANGE",
       "priority: 1001 is not from -1000 to 1000"},
      {[](auto& s) { s.set_priority(-2'147'483'648); }, "OUT_OF_RANGE",
       "priority: -2147483648 is not from -1000 to 1000"},
      {[](auto& s) { s.mutable_timeout(); }, "OUT_OF_RANGE", "timeout: 0 is not from 1ms to 720h"},
      {[](auto& s) { s.mutable_timeout()->set_seconds(-1); }, "OUT_OF_RANGE",
       "timeout: -1s is not from 1ms to 720h"},
      {[](auto& s) { s.mutable_timeout()->set_seconds(INT64_MAX); }, "OUT_OF_RANGE",
       "timeout: 2562047788015215h30m7s is not from 1ms to 720h"},
      {[](auto& s) {
         s.mutable_timeout()->set_seconds(1);
         s.set_no_timeout(true);
       },
       "CONTRADICTION", "no_timeout: stands beside a timeout"},
      {[](auto& s) { s.mutable_total_timeout(); }, "OUT_OF_RANGE",
       "total_timeout: 0 is not from 1ms to 17568h"},
      {[](auto& s) { s.mutable_total_timeout()->set_seconds(17'568 * 3'600 + 1); }, "OUT_OF_RANGE",
       "total_timeout: 17568h1s is not from 1ms to 17568h"},
      {[](auto& s) { s.mutable_result_retention()->set_seconds(2'592'001); }, "OUT_OF_RANGE",
       "result_retention: 720h1s is not from 1s to 720h"},
      {[](auto& s) { s.mutable_retry()->set_max_attempts(1'001); }, "OUT_OF_RANGE",
       "retry.max_attempts: 1001 is not from 1 to 1000"},
      {[](auto& s) { s.mutable_retry()->mutable_initial_backoff()->set_seconds(86'401); },
       "OUT_OF_RANGE", "retry.initial_backoff: 24h1s is not from 0 to 24h"},
      {[](auto& s) { s.mutable_retry()->mutable_max_backoff()->set_nanos(1); }, "OUT_OF_RANGE",
       "retry.max_backoff: 1ns is not from 1s to 24h"},
      {[](auto& s) { s.mutable_retry()->set_multiplier(0.5); }, "OUT_OF_RANGE",
       "retry.multiplier: 0.5 is not from 1 to 100"},
      {[](auto& s) { s.mutable_retry()->set_multiplier(std::nan("")); }, "OUT_OF_RANGE",
       "retry.multiplier: nan is not from 1 to 100"},
      {[](auto& s) { s.mutable_retry()->set_jitter(1.5); }, "OUT_OF_RANGE",
       "retry.jitter: 1.5 is not from 0 to 1"},
      {[](auto& s) { s.mutable_retry()->add_non_retryable_reasons("no_such_file"); }, "BAD_REASON",
       "retry.non_retryable_reasons: \"no_such_file\" is not 1 to 63 of A to Z, 0 to 9 and _"},
      {[](auto& s) { s.mutable_retry()->add_non_retryable_reasons(""); }, "BAD_REASON",
       "retry.non_retryable_reasons: \"\" is not 1 to 63 of A to Z, 0 to 9 and _"},
      {[](auto& s) {
         for (int i = 0; i < 17; ++i) s.mutable_retry()->add_non_retryable_reasons("A");
       },
       "OUT_OF_RANGE", "retry.non_retryable_reasons: 17 exceed the limit of 16"},
      {[](auto& s) { s.set_effect(static_cast<taskpb::Effect>(4)); }, "BAD_EFFECT",
       "effect: 4 is none"},
      {[](auto& s) {
         s.set_effect(taskpb::EFFECT_ONCE);
         s.mutable_retry()->set_max_attempts(2);
       },
       "CONTRADICTION", "retry: a task of effect ONCE has one attempt and no retries"},
      {[](auto& s) { s.mutable_reuse_within()->set_seconds(1); }, "CONTRADICTION",
       "reuse_within: 1s goes with effect PURE alone"},
      {[](auto& s) {
         s.set_effect(taskpb::EFFECT_PURE);
         s.mutable_reuse_within()->set_seconds(0);
       },
       "OUT_OF_RANGE", "reuse_within: 0 is not from 1ms to 720h"},
      {[](auto& s) {
         s.set_effect(taskpb::EFFECT_PURE);
         s.mutable_reuse_within()->set_seconds(2'592'001);
       },
       "OUT_OF_RANGE", "reuse_within: 720h1s is not from 1ms to 720h"},
      {[](auto& s) {
         s.set_effect(taskpb::EFFECT_PURE);
         s.mutable_reuse_within()->set_seconds(1);
         auto& dependency = *s.add_dependencies();
         dependency.set_task_id(std::string(TaskId::Make(kNow, 1, 1, 1).bytes()));
         dependency.set_argument(true);
       },
       "CONTRADICTION",
       "reuse_within: 1s does not go with an argument, which dependencies[0] is: tasks are equal "
       "by payload"}};
  for (const Case& c : cases) {
    INFO(c.message);
    CheckRefused(StatusOf(c.change), c.reason, c.message);
  }
}

TEST_CASE("An attempt has no timeout where that is asked for, and else an hour") {
  const auto timeout = [](bool none) {
    auto request = Request();
    request.message.mutable_specs(0)->set_no_timeout(none);
    return Read(request)->batch->specs[0].timeout_ms;
  };
  CHECK(timeout(false) == 3'600'000);
  CHECK(timeout(true) == kNoTimeout);
}

TEST_CASE("Times that cannot be are refused") {
  const auto status_at = [](int64_t seconds, int32_t nanos) {
    return StatusOf([&](auto& spec) {
      spec.mutable_not_before()->set_seconds(seconds);
      spec.mutable_not_before()->set_nanos(nanos);
    });
  };
  const int64_t now = absl::ToUnixSeconds(kNow);
  CHECK(status_at(now + 366 * 86'400, 0).ok());
  CHECK(ReasonOf(status_at(now + 366 * 86'400, 1)) == "OUT_OF_RANGE");
  CHECK(ReasonOf(status_at(INT64_MAX, 0)) == "OUT_OF_RANGE");
  CHECK(ReasonOf(status_at(now, -1)) == "OUT_OF_RANGE");
  CHECK(ReasonOf(status_at(now, 1'000'000'000)) == "OUT_OF_RANGE");
  CHECK(status_at(INT64_MIN, 0).ok());
  CHECK(ReasonOf(StatusOf([](auto& spec) { spec.mutable_timeout()->set_nanos(INT32_MIN); })) ==
        "OUT_OF_RANGE");
  CHECK(ReasonOf(StatusOf([](auto& spec) { spec.mutable_expire_at()->set_nanos(-1); })) ==
        "OUT_OF_RANGE");
  CHECK(ReasonOf(StatusOf([&](auto& spec) {
          spec.mutable_not_before()->set_seconds(now + 60);
          spec.mutable_expire_at()->set_seconds(now + 59);
        })) == "CONTRADICTION");
}

// A field of tomorrow, as a newer client sends it.
void AddUnknown(google::protobuf::Message& message, int number) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(number, 1);
}

TEST_CASE("A spec with a field that this server does not know is refused alone") {
  auto request = Request(3).message;
  AddUnknown(*request.mutable_specs(0), 21);
  AddUnknown(*request.mutable_specs(1)->mutable_retry(), 7);
  const auto checked = Read(OverTheWire(request));
  REQUIRE(checked.ok());
  CheckRefused(checked->statuses[0], "UNKNOWN_FIELD",
               "TaskSpec: field 21 is none that this server knows");
  CheckRefused(checked->statuses[1], "UNKNOWN_FIELD",
               "RetryPolicy: field 7 is none that this server knows");
  CHECK(checked->statuses[2].ok());
  CHECK(checked->batch->specs.size() == 1);
}

TEST_CASE("A call with a field that this server does not know is refused as a whole") {
  auto request = Request().message;
  AddUnknown(request, 9);
  CheckRefused(Read(OverTheWire(request)).status(), "UNKNOWN_FIELD",
               "SpawnRequest: field 9 is none that this server knows");
}

TEST_CASE("The longest and the largest that is allowed is taken") {
  CHECK(StatusOf([](auto& spec) {
          spec.set_type(std::string(255, 'a'));
          spec.set_reference(std::string(255, 'r'));
          spec.set_content_type(std::string(255, 'c'));
          spec.set_priority(1'000);
          spec.mutable_timeout()->set_seconds(30 * 86'400);
          spec.mutable_result_retention()->set_seconds(30 * 86'400);
          spec.mutable_retry()->set_max_attempts(1'000);
          spec.mutable_retry()->set_multiplier(100);
          spec.mutable_retry()->set_jitter(1);
        }).ok());
  CHECK(StatusOf([](auto& spec) { spec.set_type("AZaz09._-/:"); }).ok());
}

TEST_CASE("A payload over the limit is refused with both sizes") {
  const SpecLimits limits{.max_payload_bytes = 10};
  CHECK(StatusOf([](auto& spec) { spec.set_payload("0123456789"); }, limits).ok());
  CheckRefused(StatusOf([](auto& spec) { spec.set_payload("0123456789a"); }, limits),
               "PAYLOAD_TOO_LARGE", "payload: 11 bytes exceed the limit of 10");
}

TEST_CASE("In a batch only the bad specs fail") {
  auto request = Request(5);
  request.message.mutable_specs(0)->clear_type();
  request.message.mutable_specs(2)->set_priority(5'000);
  request.message.mutable_specs(3)->set_payload("three");
  const auto checked = Read(request);
  REQUIRE(checked.ok());
  REQUIRE(checked->statuses.size() == 5);
  CHECK(ReasonOf(checked->statuses[0]) == "EMPTY_TYPE");
  CHECK(checked->statuses[1].ok());
  CHECK(ReasonOf(checked->statuses[2]) == "OUT_OF_RANGE");
  CHECK(checked->statuses[3].ok());
  CHECK(checked->statuses[4].ok());
  const SpawnBatch& batch = *checked->batch;
  REQUIRE(batch.specs.size() == 3);
  CHECK(batch.encoded->Part(batch.encoded->slices[1].payload,
                            batch.encoded->slices[1].payload_size) == "three");
}

TEST_CASE("A spec with text that is no UTF-8 fails alone, and its field is named") {
  v1::SpawnRequest request = Request(4).message;
  request.mutable_specs(1)->set_type("caf\xE9");
  request.mutable_specs(1)->set_reference("\xFF");
  request.mutable_specs(3)->set_content_type("\xC0\xAF");
  request.mutable_specs(2)->set_payload("\xFF is fine in a payload");
  const auto checked = Read(OverTheWire(request));
  REQUIRE(checked.ok());
  REQUIRE(checked->statuses.size() == 4);
  CHECK(checked->statuses[0].ok());
  CheckRefused(checked->statuses[1], "INVALID_UTF8", "type: \"caf\\xe9\" is no UTF-8");
  CHECK(checked->statuses[2].ok());
  CheckRefused(checked->statuses[3], "INVALID_UTF8", "content_type: \"\\xc0\\xaf\" is no UTF-8");
  const SpawnBatch& batch = *checked->batch;
  REQUIRE(batch.specs.size() == 2);
  CHECK(batch.encoded->Part(batch.encoded->slices[1].payload,
                            batch.encoded->slices[1].payload_size) == "\xFF is fine in a payload");
}

TEST_CASE("A call whose own text is no UTF-8 is refused as a whole") {
  v1::SpawnRequest request = Request().message;
  request.set_namespace_("\xFF");
  CheckRefused(Read(OverTheWire(request)).status(), "INVALID_UTF8",
               "namespace: \"\\xff\" is no UTF-8");
  request = Request().message;
  request.set_request_id("r\xFF");
  CheckRefused(Read(OverTheWire(request)).status(), "INVALID_UTF8",
               "request_id: \"r\\xff\" is no UTF-8");
}

TEST_CASE("A message that is none is refused") {
  Received<v1::SpawnRequest> received;
  received.malformed = true;
  CheckRefused(Read(received).status(), "MALFORMED_MESSAGE",
               "the request is no kantoku.inputs.v1.SpawnRequest");
}

TEST_CASE("A call without request id, or with a long one, is refused") {
  auto request = Request();
  request.message.clear_request_id();
  CheckRefused(Read(request).status(), "BAD_REQUEST_ID", "request_id: 0 bytes are not 1 to 64");
  request.message.set_request_id(std::string(65, 'r'));
  CheckRefused(Read(request).status(), "BAD_REQUEST_ID", "request_id: 65 bytes are not 1 to 64");
  request.message.set_request_id(std::string(64, 'r'));
  CHECK(Read(request).ok());
}

TEST_CASE("A batch of none, of too many or of too many bytes is refused as a whole") {
  CheckRefused(Read(Request(0)).status(), "BAD_BATCH_SIZE", "specs: 0 are not 1 to 100000");
  CheckRefused(Read(Request(100'001)).status(), "BAD_BATCH_SIZE",
               "specs: 100001 are not 1 to 100000");
  CHECK(Read(Request(100'000)).ok());

  auto request = Request(2);
  request.message.mutable_specs(0)->set_payload(std::string(100, 'p'));
  const absl::Status status = Read(request, {.max_batch_bytes = 100}).status();
  CHECK(ReasonOf(status) == "BATCH_TOO_LARGE");
  request.message.mutable_specs()->RemoveLast();
  CHECK(Read(request, {.max_batch_bytes = 100}).ok());  // One task has the limit of its payload.
}

TEST_CASE("A repeat of a call looks the same, also when its time has come meanwhile") {
  auto request = Request(2);
  request.message.mutable_specs(0)->mutable_not_before()->set_seconds(absl::ToUnixSeconds(kNow) +
                                                                      1);
  const auto first = Read(request);
  const auto again = Read(request, {}, kNow + absl::Minutes(5));
  REQUIRE(first.ok());
  REQUIRE(again.ok());
  CHECK(first->batch->request == again->batch->request);
  CHECK(first->batch->content == again->batch->content);
}

TEST_CASE("Calls are told apart by namespace, owner and request id, and batches by their content") {
  const auto base = Read(Request());
  auto request = Request();
  request.message.set_namespace_("other");
  CHECK(Read(request)->batch->request != base->batch->request);
  request = Request();
  request.message.set_request_id("r2");
  CHECK(Read(request)->batch->request != base->batch->request);
  CHECK(ReadSpawn(Request(), platform::Administrator("bob", "laptop"), {}, kNow)->batch->request !=
        base->batch->request);

  request = Request();
  request.message.mutable_specs(0)->set_payload("p");
  CHECK(Read(request)->batch->request == base->batch->request);
  CHECK(Read(request)->batch->content != base->batch->content);
  CHECK(Read(Request(2))->batch->content != base->batch->content);
  request = Request();
  request.message.mutable_specs(0)->set_effect(taskpb::EFFECT_PURE);
  const Digest pure = Read(request)->batch->content;
  request.message.mutable_specs(0)->mutable_reuse_within()->set_seconds(1);
  CHECK(Read(request)->batch->content != pure);
}

TEST_CASE("A repeated reference is compared field by field") {
  const auto hashes = [](const std::function<void(taskpb::TaskSpec&)>& change) {
    auto request = Request();
    request.message.mutable_specs(0)->set_reference("mine");
    change(*request.message.mutable_specs(0));
    return *Read(request)->batch->specs[0].hashes;
  };
  const SpecHashes base = hashes([](auto&) {});
  const std::vector<std::function<void(taskpb::TaskSpec&)>> changes = {
      [](auto& s) { s.set_type("y"); },
      [](auto& s) { s.set_payload("p"); },
      [](auto& s) { s.set_content_type("c"); },
      [](auto& s) { s.set_priority(1); },
      [](auto& s) { s.mutable_not_before()->set_seconds(1); },
      [](auto& s) { s.mutable_timeout()->set_seconds(1); },
      [](auto& s) { s.mutable_retry()->set_max_attempts(1); },
      [](auto& s) { s.mutable_result_retention()->set_seconds(1); },
      [](auto& s) { s.set_effect(taskpb::EFFECT_ONCE); },
      [](auto& s) { s.mutable_placement()->set_executor("lab-3"); },
      [](auto& s) { s.set_parent_id(std::string(TaskId::Make(kNow, 1, 1, 1).bytes())); },
      [](auto& s) { s.set_ordering_key("o"); },
      [](auto& s) { s.mutable_fairness_key()->set_name("f"); },
      [](auto& s) { s.add_concurrency_keys()->set_name("c"); },
      [](auto& s) { s.add_rate_keys()->set_name("r"); },
      [](auto& s) { (*s.mutable_info())["a"] = "b"; },
      [](auto& s) { s.set_context_id("c"); },
      [](auto& s) { s.mutable_expire_at()->set_seconds(1'790'000'090); },
      [](auto& s) { s.mutable_total_timeout()->set_seconds(1); }};
  // What a task depends on is hashed by the engine, which knows its ids.
  constexpr size_t kDependencies = 11;
  REQUIRE(kSpecFieldNames[kDependencies] == "dependencies");
  REQUIRE(changes.size() + 1 == base.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    const size_t field = i < kDependencies ? i : i + 1;
    INFO(kSpecFieldNames[field]);
    const SpecHashes changed = hashes(changes[i]);
    for (size_t j = 0; j < base.size(); ++j) CHECK((changed[j] != base[j]) == (field == j));
  }
  // What is said and what is the default are the same.
  CHECK(hashes([](auto& s) { s.mutable_retry()->set_max_attempts(3); }) == base);
  CHECK(hashes([](auto& s) { s.set_effect(taskpb::EFFECT_IDEMPOTENT); }) == base);
  CHECK(hashes([](auto& s) { s.mutable_placement(); }) == base);
  const auto on = [&](const std::string& selector) {
    return hashes([&](auto& s) { s.mutable_placement()->set_selector(selector); });
  };
  CHECK(on("a == 'x'") == on("( a==\"x\" )"));
  CHECK(on("a == 'x'") != on("a == 'y'"));
}

TEST_CASE("A placement arrives in the record, the selector in its canonical form") {
  auto request = Request();
  auto& placement = *request.message.mutable_specs(0)->mutable_placement();
  placement.set_selector(" gpu=='true'&&( mem_gib>=16.0 ) ");
  placement.set_executor("lab 3");
  placement.set_app("bench");
  placement.set_owner("anna");
  request.message.mutable_specs(0)->set_payload("payload");
  const auto checked = Read(request);
  REQUIRE(checked->statuses[0].ok());
  const SpawnBatch& batch = *checked->batch;
  CHECK(batch.encoded->Part(batch.encoded->slices[0].payload,
                            batch.encoded->slices[0].payload_size) == "payload");
  std::string bytes;
  EncodeSpec(TaskId::Make(kNow, 1, 1, 1), {}, {}, {}, batch.encoded->body(0), bytes);
  const auto record = DecodeSpec(bytes);
  REQUIRE(record.ok());
  REQUIRE(record->spec.placement != nullptr);
  CHECK(record->spec.placement->selector->canonical() == R"(gpu == "true" && mem_gib >= 16)");
  CHECK(record->spec.placement->pins == Pins{"lab 3", "bench", "anna"});
  CHECK(record->payload == "payload");
}

TEST_CASE("Specs of a batch that ask for the same place share it, and one that is empty is none") {
  auto request = Request(4);
  for (int i = 0; i < 3; ++i) {
    request.message.mutable_specs(i)->mutable_placement()->set_selector(i < 2 ? "has(a)"
                                                                              : "has(b)");
  }
  request.message.mutable_specs(3)->mutable_placement();
  const auto checked = Read(request);
  const std::vector<TaskSpec>& specs = checked->batch->specs;
  REQUIRE(specs.size() == 4);
  CHECK(specs[0].placement == specs[1].placement);
  CHECK(specs[2].placement->selector->canonical() == "has(b)");
  CHECK(specs[3].placement == nullptr);
}

TEST_CASE(
    "A placement that is not sound is refused with its field, and a selector with the column") {
  const auto status = [](const std::function<void(taskpb::Placement&)>& change) {
    return StatusOf([&](taskpb::TaskSpec& spec) { change(*spec.mutable_placement()); });
  };
  CheckRefused(status([](auto& p) { p.set_selector("gpu == true"); }), "BAD_SELECTOR",
               "placement.selector: column 8: expected a string in quotes, found true");
  CheckRefused(status([](auto& p) { p.set_selector(std::string(4'097, 'a')); }), "SELECTOR_LIMIT",
               "placement.selector: 4097 bytes exceed the limit of 4096");
  CheckRefused(status([](auto& p) { p.set_executor("a\nb"); }), "BAD_LABEL",
               "placement.executor: label \"executor\": its value \"a\\x0ab\" is no UTF-8 without "
               "control characters");
  CheckRefused(status([](auto& p) { p.set_owner(std::string(257, 'o')); }), "LABEL_LIMIT",
               "placement.owner: label \"owner\": 257 bytes of its value exceed the limit of 256");
  CHECK(status([](auto& p) { p.set_app(std::string(256, 'a')); }).ok());
}

TEST_CASE("A child names its parent, and may name its tree, but not the tree alone") {
  const std::string id(TaskId::Make(kNow, 1, 1, 1).bytes());
  auto request = Request();
  auto& spec = *request.message.mutable_specs(0);
  const auto reason = [&] { return platform::ReasonOf(Read(request)->statuses[0]); };
  spec.set_root_id(id);
  CHECK(reason() == "CONTRADICTION");
  spec.set_parent_id(id);
  CHECK(reason().empty());
  CHECK(Read(request)->batch->specs[0].root.bytes() == id);
  spec.clear_root_id();
  CHECK(reason().empty());
  spec.set_parent_id("no id");
  CHECK(reason() == "INVALID_ID");
}

TEST_CASE("PURE tasks are equal whose owner, type, content type and payload are") {
  const auto equal = [](const std::function<void(v1::SpawnRequest&)>& change,
                        const std::string& owner = "alice") {
    auto request = Request();
    request.message.mutable_specs(0)->set_effect(taskpb::EFFECT_PURE);
    change(request.message);
    return ReadSpawn(request, platform::Administrator(owner, "laptop"), {}, kNow)
        ->batch->specs[0]
        .equal;
  };
  const Digest base = equal([](auto&) {});
  CHECK(base != Digest());
  CHECK(equal([](auto& r) { r.set_request_id("r2"); }) == base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->set_priority(7); }) == base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->set_reference("mine"); }) == base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->mutable_reuse_within()->set_seconds(1); }) == base);
  CHECK(equal([](auto& r) { r.set_namespace_("lab"); }) != base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->set_type("y"); }) != base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->set_content_type("c"); }) != base);
  CHECK(equal([](auto& r) { r.mutable_specs(0)->set_payload("p"); }) != base);
  CHECK(equal([](auto&) {}, "bob") != base);
  // What it comes after has no part in it, but a result that it is given has.
  const auto after = [](bool argument) {
    return [argument](auto& r) {
      auto& dependency = *r.mutable_specs(0)->add_dependencies();
      dependency.set_task_id(std::string(TaskId::Make(kNow, 1, 1, 1).bytes()));
      dependency.set_argument(argument);
    };
  };
  CHECK(equal(after(false)) == base);
  CHECK(equal(after(true)) == Digest());
  // Only they are told apart at all.
  CHECK(Read(Request())->batch->specs[0].equal == Digest());
}

TEST_CASE("How old a result may be that is reused arrives in the spec") {
  auto request = Request();
  request.message.mutable_specs(0)->set_effect(taskpb::EFFECT_PURE);
  request.message.mutable_specs(0)->mutable_reuse_within()->set_seconds(2'592'000);
  CHECK(Read(request)->batch->specs[0].reuse_within_ms == 2'592'000'000);
}

TEST_CASE("A task of effect ONCE has one attempt") {
  auto request = Request();
  request.message.mutable_specs(0)->set_effect(taskpb::EFFECT_ONCE);
  const TaskSpec spec = Read(request)->batch->specs[0];
  CHECK(spec.effect == Effect::kOnce);
  CHECK(spec.retry.max_attempts == 1);
}

TEST_CASE("Reasons that are not retried are kept sorted, each once") {
  auto request = Request();
  auto& retry = *request.message.mutable_specs(0)->mutable_retry();
  for (const char* reason : {"NO_SUCH_FILE", "E_2", "NO_SUCH_FILE"}) {
    retry.add_non_retryable_reasons(reason);
  }
  CHECK(Read(request)->batch->specs[0].retry.non_retryable ==
        std::vector<std::string>{"E_2", "NO_SUCH_FILE"});
}

TEST_CASE("A type that the access token does not allow is refused, and the others are taken") {
  platform::Identity caller;
  caller.subject = "alice";
  caller.client_id = "laptop";
  caller.scopes = platform::Scopes::Parse("inputs:spawn:segment-*");
  platform::Received<v1::SpawnRequest> received;
  received.message.set_request_id("r");
  received.message.add_specs()->set_type("segment-cells");
  received.message.add_specs()->set_type("delete-all");
  const auto checked = ReadSpawn(received, caller, {}, absl::FromUnixSeconds(1'790'000'000));
  REQUIRE(checked.ok());
  REQUIRE(checked->statuses.size() == 2);
  CHECK(checked->statuses[0].ok());
  CHECK(checked->statuses[1].code() == absl::StatusCode::kPermissionDenied);
  CHECK(checked->statuses[1].message() ==
        "the access token does not allow inputs:spawn of the type \"delete-all\"");
  CHECK(checked->batch->specs.size() == 1);
}

// What a handler of `task` may spawn.
platform::Identity Handler(const TaskId& task, uint32_t dispatch = 1) {
  return platform::HandlerOf({.task = task,
                              .dispatch = dispatch,
                              .holder = {"lab", "worker"},
                              .name_space = "default",
                              .owner = "alice",
                              .expires = absl::InfiniteFuture()});
}

TEST_CASE("What a handler spawns is a child of its task, whether it says so or not") {
  const TaskId task = TaskId::Make(kNow, 1, 1, 1);
  auto request = Request(2);
  request.message.mutable_specs(1)->set_parent_id(std::string(task.bytes()));
  for (auto& spec : *request.message.mutable_specs()) spec.set_reference("mine");
  const auto checked = ReadSpawn(request, Handler(task), {}, kNow);
  REQUIRE(checked.ok());
  const SpawnBatch& batch = *checked->batch;
  CHECK(batch.owner == "alice");
  CHECK(batch.app == "worker");
  REQUIRE(batch.handler.has_value());
  CHECK(batch.handler->executor_owner == "lab");
  REQUIRE(batch.specs.size() == 2);
  for (const TaskSpec& spec : batch.specs) CHECK(spec.parent == task);
  CHECK(*batch.specs[0].hashes == *batch.specs[1].hashes);
}

TEST_CASE("What a task token does not allow is refused, and names the field") {
  const TaskId task = TaskId::Make(kNow, 1, 1, 1);
  const auto why = [&](const std::function<void(taskpb::TaskSpec&)>& change) {
    auto request = Request();
    change(*request.message.mutable_specs(0));
    const absl::Status status = ReadSpawn(request, Handler(task), {}, kNow)->statuses[0];
    CHECK((status.ok() || absl::IsPermissionDenied(status)));
    return status.ok() ? "OK" : ReasonOf(status) + " " + std::string(status.message());
  };
  const auto forbids = [](const std::string& field) {
    return "TASK_TOKEN_FORBIDS " + field + ": is not for task tokens";
  };
  CHECK(why([](taskpb::TaskSpec& spec) {
          spec.set_parent_id(std::string(TaskId::Make(kNow, 1, 2, 1).bytes()));
        }) ==
        "TASK_TOKEN_PARENT parent_id: the task token is for children of task " + task.ToString());
  CHECK(why([](taskpb::TaskSpec& spec) {
          spec.set_effect(taskpb::EFFECT_PURE);
          spec.mutable_reuse_within()->set_seconds(1);
        }) == forbids("reuse_within"));
  CHECK(why([](taskpb::TaskSpec& spec) { spec.set_ordering_key("o"); }) == forbids("ordering_key"));
  CHECK(why([](taskpb::TaskSpec& spec) { spec.add_concurrency_keys()->set_name("db"); }) ==
        forbids("concurrency_keys"));
  CHECK(why([](taskpb::TaskSpec& spec) { spec.add_rate_keys()->set_name("api"); }) ==
        forbids("rate_keys"));
  CHECK(why([](taskpb::TaskSpec& spec) { spec.mutable_fairness_key()->set_name("share"); }) ==
        forbids("fairness_key"));
}

TEST_CASE(
    "A task keeps which types its spawner may spawn, and nothing where that is too much to say") {
  const auto scope_of = [](std::string_view scope) {
    platform::Identity caller = platform::Administrator("anna", "laptop");
    caller.scopes = platform::Scopes::Parse(scope);
    auto request = Request();
    const auto checked = ReadSpawn(request, caller, {}, kNow);
    REQUIRE(checked.ok());
    return checked->batch == nullptr ? "none" : checked->batch->spawn_scope;
  };
  CHECK(scope_of("admin").empty());
  CHECK(scope_of("inputs:spawn inputs:spawn:x").empty());
  CHECK(scope_of("inputs:spawn:* outputs:read inputs:spawn:b") == "inputs:spawn:* inputs:spawn:b");
  CHECK(scope_of("inputs:spawn:* inputs:spawn:" + std::string(1'024, 'x')) == "-");
}

TEST_CASE("Results of what a handler spawns are for nobody else, and request ids its dispatch's") {
  const TaskId task = TaskId::Make(kNow, 1, 1, 1);
  auto request = Request();
  request.message.mutable_specs(0)->set_effect(taskpb::EFFECT_PURE);
  CHECK(Read(request)->batch->specs[0].equal != Digest());
  const auto batch_of = [&](const platform::Identity& caller) {
    return ReadSpawn(request, caller, {}, kNow)->batch;
  };
  const auto batch = batch_of(Handler(task));
  CHECK(batch->specs[0].equal == Digest());
  CHECK_FALSE(batch->request == Read(request)->batch->request);
  CHECK_FALSE(batch->request == batch_of(Handler(task, 2))->request);
  CHECK_FALSE(batch->request == batch_of(Handler(TaskId::Make(kNow, 1, 2, 1)))->request);
  CHECK(batch->request == batch_of(Handler(task))->request);
}

}  // namespace
}  // namespace kantoku::inputs
