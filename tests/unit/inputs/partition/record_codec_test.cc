#include "services/inputs/partition/record_codec.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "services/inputs/store.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'790'000'000'123);

TaskId Id(uint64_t sequence) { return TaskId::Make(kTime, 7, sequence, sequence * 3); }

SessionId Session(uint8_t first) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = first;
  return SessionId(platform::Uuid(bytes));
}

template <typename Record>
std::string Bytes(const Record& record) {
  std::string bytes;
  Encode(record, bytes);
  return bytes;
}

const Info kInfo{"run 7 / ü", *MakeInfo({{"customer", "acme"}, {"empty", ""}}), 300};

TaskSpec FullSpec() {
  TaskSpec spec;
  spec.type = "text.wordcount";
  spec.reference = "invoice 7 / ü";
  spec.priority = -1'000;
  spec.not_before = kTime;
  spec.timeout_ms = 4'294'967'295;
  spec.expire_at = kTime + absl::Seconds(1);
  spec.total_timeout_ms = uint64_t{1} << 40;
  spec.retention_s = 1;
  spec.retry = {.max_attempts = 1'000,
                .initial_backoff_ms = 0,
                .max_backoff_ms = 86'400'000,
                .multiplier = 1.5F,
                .jitter = 0,
                .non_retryable = {"A", "NO_SUCH_FILE"}};
  spec.effect = Effect::kOnce;
  spec.parent = Id(3);
  spec.root = Id(2);
  spec.restarted_from = Id(4);
  spec.provenance = {"laptop", "lab", "notebook ü",
                     std::make_shared<const Ancestors>(Ancestors{Id(3), Id(7), Id(2)}),
                     "inputs:spawn:a"};
  spec.info = std::make_shared<const Info>(kInfo);
  spec.placement = std::make_shared<const Placement>(
      Placement{.selector = *Selector::Parse("mem_gib >= 16 && gpu == 'ü'"),
                .pins = {.executor = "lab 3", .app = "bench", .owner = "anna"}});
  spec.dependencies = {{.task = Id(1)},
                       {.task = Id(4), .on_failure = OnFailure::kSkip, .argument = true},
                       {.task = Id(2), .on_failure = OnFailure::kRun}};
  spec.keys = std::make_shared<const TaskKeys>(TaskKeys{
      .ordering = "lab",
      .fairness = "anna",
      .weight = 1'000,
      .concurrency = {{"db", KeyScope::kType, 0}, {"gpu ü", KeyScope::kNamespace, 1'000'000}},
      .rates = {{"api", KeyScope::kOwner, 7, {.tokens = 1, .period_ms = 86'400'000, .burst = 9}},
                {"web", KeyScope::kNamespace, 1, {}}}});
  return spec;
}

void CheckEqual(const Provenance& a, const Provenance& b) {
  CHECK(a.app == b.app);
  CHECK(a.executor_owner == b.executor_owner);
  CHECK(a.root_app == b.root_app);
  CHECK(a.spawn_scope == b.spawn_scope);
  REQUIRE((a.ancestors == nullptr) == (b.ancestors == nullptr));
  if (a.ancestors != nullptr) CHECK(*a.ancestors == *b.ancestors);
}

std::string SpecBytes(const TaskSpec& spec, std::string_view payload) {
  std::string body;
  EncodeSpecBody("default", "alice", spec, "text/plain", payload, body);
  std::string bytes;
  EncodeSpec(Id(5), spec.parent, spec.root, spec.provenance, body, bytes);
  return bytes;
}

std::vector<TaskView> EndedTasks() {
  std::vector<TaskView> tasks;
  for (uint64_t i = 0; i < 3; ++i) {
    TaskView task;
    task.id = Id(100 + i);
    task.name_space = "default";
    task.owner = i == 1 ? "bob" : "alice";
    task.type = "x";
    task.reference = i == 2 ? "mine" : "";
    task.priority = static_cast<int32_t>(i) - 1;
    task.state = i == 0 ? TaskState::kSucceeded : TaskState::kFailed;
    task.failed_attempts = static_cast<uint32_t>(i);
    task.dispatch = 300;
    task.ended_at = kTime + absl::Milliseconds(i);
    if (i > 0) task.last_failure = {"HANDLER_FAILED", "no such file"};
    if (i > 1) {
      task.attempts = std::make_shared<const FailedAttempts>(
          FailedAttempts{{1, kTime, {"TIMEOUT", ""}}, {300, kTime, {"HANDLER_FAILED", "ü"}}});
    }
    if (i > 1) task.parent = Id(3);
    if (i > 0) task.provenance = {"laptop", i > 1 ? "lab" : "", "", nullptr};
    if (i > 1) {
      task.provenance.ancestors = std::make_shared<const Ancestors>(Ancestors{Id(3), Id(2)});
    }
    if (i > 0) task.root = Id(2);
    if (i > 1) task.restarted_from = Id(4);
    if (i > 0) task.info = std::make_shared<const Info>(kInfo);
    tasks.push_back(task);
  }
  return tasks;
}

const StateRecord kState{.closed_dispatch = 300,
                         .failed_attempts = 2,
                         .cancel_requested = true,
                         .once_begun = true,
                         .interrupt_requested = true,
                         .pause_requested = true,
                         .stepping = true,
                         .intended_end = TaskState::kFailed,
                         .not_before = kTime,
                         .stop_by = kTime + absl::Seconds(1),
                         .waited = {0, 0, 300'000, 0, 0, 7},
                         .waited_until = kTime,
                         .last_failure = {"TIMEOUT", "ran longer than 5 ms"},
                         .attempts = {{299, kTime, {"HANDLER_FAILED", "no such file"}},
                                      {300, kTime, {"TIMEOUT", "ran longer than 5 ms"}}}};
const DispatchGroupRecord kGroup{
    {{Id(9).key(), 1, 4}, {Id(2).key(), 77, 4}, {Id(10).key(), 1, 1'000'000}}, kTime};
const SessionRecord kSession{Session(9), {"alice", "laptop"}, "default"};
const ReferenceRecord kReference{
    Id(3), "default", "alice", "ref", {1, 2, 3, 4, 5, 6, 7, ~0ULL, 9, 10, 11, 12, 13}};
const LimitRecord kLimit{"default",
                         {KeyKind::kConcurrency, KeyScope::kType, "text.wordcount", "db"},
                         {.number = 5},
                         true};
const LimitRecord kRateLimit{"default",
                             {KeyKind::kRate, KeyScope::kNamespace, "", "api"},
                             {.rate = {.tokens = 3, .period_ms = 250, .burst = 6}},
                             false};
const PauseRecord kPause{"default", "text.wordcount", "maintenance"};
const platform::Block kBlock{.names = {"ada", "", "rig"},
                             .reason = "lost laptop",
                             .set_by = "root",
                             .set = absl::FromUnixMillis(1'700'000'000'123)};
const platform::Block kOldTokens{.names = {"", "notebook", ""},
                                 .tokens_until = absl::FromUnixMillis(1'700'000'000'001),
                                 .set = absl::FromUnixMillis(1'700'000'000'123)};
const RouteRecord kRoute{"default", "text.wordcount", *Selector::Parse("version in ('1', '2')")};
const ReuseRecord kReuse{Id(3), {1, ~0ULL}, kTime, kTime + absl::Hours(1)};
const TreeRecord kTree{
    .root = Id(3), .verb = ControlVerb::kPause, .swept = true, .escalation_ms = 0};
const EndedDependencyRecord kEndedDependency{Id(4), TaskState::kCancelled};
const RequestRecord kRequest{
    .request = {1, ~0ULL},
    .content = {3, 4},
    .created = kTime,
    .slot = 255,
    .first_sequence = (uint64_t{1} << 44) - 1,
    .count = 100'000,
    .random = ~0ULL,
    .exceptions = {
        {0, Id(1), ""}, {7, TaskId(), "NAMESPACE_LIMIT", 90'000}, {99'999, Id(2), "payload"}}};

// As a program of that format wrote it, which knew of so many fields.
std::string ReferenceBytes(const ReferenceRecord& record, uint64_t format, size_t hashes) {
  std::string bytes;
  platform::ByteWriter writer(bytes);
  writer.Unsigned(format);
  writer.Id(record.task);
  writer.Text(record.name_space);
  writer.Text(record.owner);
  writer.Text(record.reference);
  if (format >= 3) writer.Unsigned(hashes);
  for (size_t i = 0; i < hashes; ++i) {
    writer.Fixed64(i < record.hashes.size() ? record.hashes[i] : 0);
  }
  return bytes;
}

struct Kind {
  std::string name;
  std::string bytes;
  std::function<absl::Status(std::string_view)> decode;
};

std::vector<Kind> EveryKind() {
  const auto status = [](auto decode) {
    return [decode](std::string_view bytes) { return decode(bytes).status(); };
  };
  return {{"spec", SpecBytes(FullSpec(), "payload"), status(DecodeSpec)},
          {"state", Bytes(kState), status(DecodeState)},
          {"group", Bytes(kGroup), status(DecodeGroup)},
          {"session", Bytes(kSession), status(DecodeSession)},
          {"reference", Bytes(kReference), status(DecodeReference)},
          {"request", Bytes(kRequest), status(DecodeRequest)},
          {"tree", Bytes(kTree), status(DecodeTree)},
          {"ended dependency", Bytes(kEndedDependency), status(DecodeEndedDependency)},
          {"object", Bytes(kRoute), status(DecodeObject)},
          {"object", Bytes(kBlock), status(DecodeObject)},
          {"limit", Bytes(kLimit), status(DecodeAdmission)},
          {"rate", Bytes(kRateLimit), status(DecodeAdmission)},
          {"pause", Bytes(kPause), status(DecodeAdmission)},
          {"info", Bytes(kInfo), status(DecodeInfo)},
          {"restart", Bytes(RestartRecord{Id(6)}), status(DecodeRestart)},
          {"reuse", Bytes(kReuse), status(DecodeReuse)},
          {"checkpoint", Bytes(StoredCheckpoint{Id(3), 3, "data"}), status(DecodeCheckpoint)},
          {"number", Bytes(uint64_t{0x0123456789ABCDEF}), status(DecodeNumber)},
          {"ended", Bytes(EndedTasks()), status(DecodeEnded)}};
}

void CheckDataLoss(const absl::Status& status) {
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(platform::ReasonOf(status) == "DAMAGED_RECORD");
}

TEST_CASE("Times of causes that there are not, and negative ones, are damage") {
  StateRecord state = kState;
  state.waited = {0, 0, -1};
  CheckDataLoss(DecodeState(Bytes(state)).status());
  state.waited = {0, 0, 1};
  std::string bytes = Bytes(state);
  const size_t at = bytes.find(std::string("\1\2\2", 3));  // One cause: delay, a millisecond.
  REQUIRE(at != std::string::npos);
  bytes[at + 1] = static_cast<char>(kWaitCauses);
  CheckDataLoss(DecodeState(bytes).status());
}

TEST_CASE("A cause of which times are told twice is damage, however long they are") {
  StateRecord state = kState;
  state.waited = {0, INT64_MAX, 1};
  state.attempts = {};
  std::string bytes = Bytes(state);
  REQUIRE(DecodeState(bytes).ok());
  REQUIRE(bytes.ends_with(std::string("\2\2\0", 3)));  // Backoff, a millisecond; no attempts.
  bytes[bytes.size() - 3] = 1;
  CheckDataLoss(DecodeState(bytes).status());
}

TEST_CASE("A member of no tree, and a policy that is no number, are damage") {
  TaskSpec spec;
  spec.type = "t";
  std::string body;
  EncodeSpecBody("default", "alice", spec, "", "", body);
  std::string bytes;
  EncodeSpec(Id(5), Id(3), Id(2), {}, body, bytes);
  REQUIRE(DecodeSpec(bytes).ok());
  bytes.replace(SpecHeaderBytes(spec) + TaskId::kSize, TaskId::kSize, TaskId::kSize, '\0');
  CheckDataLoss(DecodeSpec(bytes).status());
  const float none = std::numeric_limits<float>::quiet_NaN();
  spec.retry.multiplier = none;
  CheckDataLoss(DecodeSpec(SpecBytes(spec, "")).status());
  spec.retry = {.jitter = none};
  CheckDataLoss(DecodeSpec(SpecBytes(spec, "")).status());
}

TEST_CASE("A spec record gives back what was asked for") {
  const TaskSpec spec = FullSpec();
  const std::string payload("a\0b\xFF", 4);
  const std::string bytes = SpecBytes(spec, payload);
  const auto record = DecodeSpec(bytes);
  REQUIRE(record.ok());
  CHECK(record->id == Id(5));
  CHECK(record->name_space == "default");
  CHECK(record->owner == "alice");
  CHECK(record->spec.type == spec.type);
  CHECK(record->spec.reference == spec.reference);
  CHECK(record->spec.priority == spec.priority);
  CHECK(record->spec.not_before == spec.not_before);
  CHECK(record->spec.timeout_ms == spec.timeout_ms);
  CHECK(record->spec.expire_at == spec.expire_at);
  CHECK(record->spec.total_timeout_ms == spec.total_timeout_ms);
  CHECK(record->spec.retention_s == spec.retention_s);
  CHECK(record->spec.retry == spec.retry);
  CHECK(record->spec.effect == spec.effect);
  CHECK(record->spec.parent == spec.parent);
  CHECK(record->spec.root == spec.root);
  CHECK(record->spec.restarted_from == spec.restarted_from);
  REQUIRE(record->spec.info != nullptr);
  CHECK(*record->spec.info == *spec.info);
  REQUIRE(record->spec.placement != nullptr);
  CHECK(*record->spec.placement == *spec.placement);
  CHECK(record->spec.dependencies == spec.dependencies);
  REQUIRE(record->spec.keys != nullptr);
  CHECK(*record->spec.keys == *spec.keys);
  CheckEqual(record->spec.provenance, spec.provenance);
  CHECK(record->content_type == "text/plain");
  CHECK(record->payload == payload);
}

TEST_CASE("A spec of effect PURE without arguments remembers what equal ones share") {
  TaskSpec spec = FullSpec();
  spec.effect = Effect::kPure;
  spec.equal = {1, ~0ULL};
  for (Dependency& dependency : spec.dependencies) dependency.argument = false;
  const std::string bytes = SpecBytes(spec, "payload");
  const auto record = DecodeSpec(bytes);
  REQUIRE(record.ok());
  CHECK(record->spec.equal == spec.equal);
  CHECK(*record->spec.placement == *spec.placement);
  CHECK(record->payload == "payload");
  spec.effect = Effect::kIdempotent;
  CHECK_FALSE(DecodeSpec(SpecBytes(spec, "payload")).ok());
  // Nor does one with arguments.
  spec.effect = Effect::kPure;
  spec.dependencies[0].argument = true;
  CHECK_FALSE(DecodeSpec(SpecBytes(spec, "payload")).ok());
}

TEST_CASE("A spec record's bytes are counted without its provenance, which may be missing") {
  TaskSpec spec = FullSpec();
  const std::string with = SpecBytes(spec, "payload");
  std::string body;
  EncodeSpecBody("default", "alice", spec, "text/plain", "payload", body);
  const uint32_t counted = SpecHeaderBytes(spec) + static_cast<uint32_t>(body.size());
  CHECK(DecodeSpec(with)->spec.stored_bytes == counted);
  spec.provenance = {};
  const std::string without = SpecBytes(spec, "payload");
  CHECK(without.size() == counted);
  CHECK(DecodeSpec(without)->spec.stored_bytes == counted);
  CHECK(DecodeSpec(without)->spec.provenance.empty());
}

TEST_CASE("A spec record of before there were deadlines has its provenance in their place") {
  TaskSpec spec = FullSpec();
  spec.expire_at.reset();
  spec.total_timeout_ms = 0;
  const Provenance provenance = std::exchange(spec.provenance, {});
  const size_t place = SpecBytes(spec, "payload").size() - 1;  // Of the first part behind the body.
  spec.provenance = provenance;
  std::string old = SpecBytes(spec, "payload");
  REQUIRE(old[0] == 4);
  REQUIRE(old[place] == 8);
  old[0] = 3;
  CheckDataLoss(DecodeSpec(old).status());
  old[place] = 7;
  const auto record = DecodeSpec(old);
  REQUIRE(record.ok());
  CheckEqual(record->spec.provenance, provenance);
  CHECK_FALSE(record->spec.expire_at.has_value());
}

TEST_CASE("More ancestors than are kept, or some without a parent, are damage") {
  TaskSpec spec = FullSpec();
  spec.provenance.ancestors = std::make_shared<const Ancestors>(kMostAncestors, Id(3));
  CHECK(DecodeSpec(SpecBytes(spec, "")).ok());
  spec.provenance.ancestors = std::make_shared<const Ancestors>(kMostAncestors + 1, Id(3));
  CheckDataLoss(DecodeSpec(SpecBytes(spec, "")).status());
  spec.provenance.ancestors = std::make_shared<const Ancestors>(2, Id(3));
  spec.parent = TaskId();
  CheckDataLoss(DecodeSpec(SpecBytes(spec, "")).status());
}

TEST_CASE("A plain spec record holds little beside its texts") {
  TaskSpec spec;
  spec.type = "t";
  const std::string bytes = SpecBytes(spec, "");
  CHECK(DecodeSpec(bytes).ok());
  CHECK(DecodeSpec(bytes)->spec.not_before == std::nullopt);
  CHECK(bytes.size() - std::string("defaultalicettext/plain").size() < 60);
}

TEST_CASE("Records of every kind give back what was written") {
  CHECK(*DecodeState(Bytes(kState)) == kState);
  CHECK(*DecodeState(Bytes(StateRecord())) == StateRecord());
  CHECK(*DecodeGroup(Bytes(kGroup)) == kGroup);
  CHECK(*DecodeSession(Bytes(kSession)) == kSession);
  CHECK(*DecodeReference(Bytes(kReference)) == kReference);
  ReferenceRecord of_handler = kReference;
  of_handler.parent = Id(8);
  CHECK(*DecodeReference(Bytes(of_handler)) == of_handler);
  CHECK(*DecodeRequest(Bytes(kRequest)) == kRequest);
  CHECK(*DecodeTree(Bytes(kTree)) == kTree);
  CHECK(*DecodeEndedDependency(Bytes(kEndedDependency)) == kEndedDependency);
  CHECK(std::get<RouteRecord>(*DecodeObject(Bytes(kRoute))) == kRoute);
  CHECK(std::get<platform::Block>(*DecodeObject(Bytes(kBlock))) == kBlock);
  CHECK(std::get<platform::Block>(*DecodeObject(Bytes(kOldTokens))) == kOldTokens);
  CHECK(std::get<LimitRecord>(*DecodeAdmission(Bytes(kLimit))) == kLimit);
  CHECK(std::get<LimitRecord>(*DecodeAdmission(Bytes(kRateLimit))) == kRateLimit);
  CHECK(std::get<PauseRecord>(*DecodeAdmission(Bytes(kPause))) == kPause);
  CHECK(*DecodeInfo(Bytes(kInfo)) == kInfo);
  CHECK(*DecodeRestart(Bytes(RestartRecord{Id(6)})) == RestartRecord{Id(6)});
  CHECK(*DecodeReuse(Bytes(kReuse)) == kReuse);
  CHECK(*DecodeNumber(Bytes(uint64_t{1} << 63)) == uint64_t{1} << 63);

  const auto ended = DecodeEnded(Bytes(EndedTasks()));
  REQUIRE(ended.ok());
  REQUIRE(ended->size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const TaskView expected = EndedTasks()[i];
    REQUIRE((ended->at(i).attempts == nullptr) == (expected.attempts == nullptr));
    if (expected.attempts != nullptr) CHECK(*ended->at(i).attempts == *expected.attempts);
    const TaskView& task = (*ended)[i];
    CHECK(task.id == expected.id);
    CHECK(task.name_space == expected.name_space);
    CHECK(task.owner == expected.owner);
    CHECK(task.type == expected.type);
    CHECK(task.reference == expected.reference);
    CHECK(task.priority == expected.priority);
    CHECK(task.state == expected.state);
    CHECK(task.failed_attempts == expected.failed_attempts);
    CHECK(task.dispatch == expected.dispatch);
    CHECK(task.ended_at == expected.ended_at);
    CHECK(task.last_failure == expected.last_failure);
    CHECK(task.parent == expected.parent);
    CHECK(task.root == expected.root);
    CHECK(task.restarted_from == expected.restarted_from);
    CheckEqual(task.provenance, expected.provenance);
    REQUIRE((task.info == nullptr) == (expected.info == nullptr));
    if (task.info != nullptr) CHECK(*task.info == *expected.info);
  }
}

TEST_CASE("Encoders append, so that callers may write before them") {
  std::string bytes = "x";
  Encode(kState, bytes);
  CHECK(*DecodeState(std::string_view(bytes).substr(1)) == kState);
}

TEST_CASE("A record that was cut off is damaged, wherever it was cut") {
  for (const Kind& kind : EveryKind()) {
    INFO(kind.name);
    REQUIRE(kind.decode(kind.bytes).ok());
    for (size_t size = 0; size < kind.bytes.size(); ++size) {
      INFO(size);
      CheckDataLoss(kind.decode(std::string_view(kind.bytes).substr(0, size)));
    }
  }
}

TEST_CASE("A record with a byte too many, or of another format, is damaged") {
  for (const Kind& kind : EveryKind()) {
    INFO(kind.name);
    CheckDataLoss(kind.decode(kind.bytes + '\0'));
    std::string newer = kind.bytes;
    newer[0] = 6;
    CheckDataLoss(kind.decode(newer));
    newer[0] = 0;
    CheckDataLoss(kind.decode(newer));
  }
}

TEST_CASE("Records from before there were effects are read") {
  const auto text = [](std::string_view text) {
    return std::string(1, static_cast<char>(text.size())).append(text);
  };
  SECTION("a spec") {
    // As it is written now, less effect and reasons in front of content type and payload.
    TaskSpec spec;
    spec.type = "t";
    std::string bytes = SpecBytes(spec, "payload");
    bytes.erase(17, 1);  // No kin.
    const std::string end = text("text/plain") + text("payload");
    REQUIRE(bytes.ends_with(std::string("\x02\x00", 2) + end + '\0'));
    bytes[0] = 1;
    bytes.pop_back();
    bytes.erase(bytes.size() - end.size() - 2, 2);
    const auto record = DecodeSpec(bytes);
    REQUIRE(record.ok());
    CHECK(record->spec.effect == Effect::kIdempotent);
    CHECK(record->spec.retry == spec.retry);
    CHECK(record->payload == "payload");
  }
  SECTION("a state") {
    StateRecord state = kState;
    state.once_begun = false;
    state.interrupt_requested = state.pause_requested = state.stepping = false;
    state.stop_by.reset();
    state.waited = {};
    state.waited_until.reset();
    state.attempts = {};
    std::string bytes = Bytes(state);
    bytes[0] = 1;
    bytes.resize(bytes.size() - 8);
    CHECK(DecodeState(bytes).value() == state);
  }
  SECTION("a reference") {
    ReferenceRecord reference = kReference;
    std::fill(reference.hashes.begin() + 8, reference.hashes.end(), 0);
    CHECK(DecodeReference(ReferenceBytes(reference, 1, 8)).value() == reference);
  }
}

TEST_CASE("Records from before there were placements, trees and pauses are read") {
  SECTION("a spec") {
    TaskSpec spec = FullSpec();
    spec.parent = spec.root = spec.restarted_from = TaskId();
    spec.placement = nullptr;
    spec.dependencies = {};
    spec.info = nullptr;
    spec.keys = nullptr;
    spec.provenance = {};
    spec.expire_at.reset();
    spec.total_timeout_ms = 0;
    std::string bytes = SpecBytes(spec, "payload");
    bytes[0] = 2;
    bytes.erase(17, 1);  // No kin.
    bytes.pop_back();    // The end of the optional parts.
    const auto record = DecodeSpec(bytes);
    REQUIRE(record.ok());
    CHECK(record->spec.root.empty());
    CHECK(record->spec.placement == nullptr);
    CHECK(record->spec.effect == Effect::kOnce);
    CHECK(record->payload == "payload");
  }
  SECTION("a state") {
    StateRecord state = kState;
    state.interrupt_requested = state.pause_requested = state.stepping = false;
    state.stop_by.reset();
    state.waited = {};
    state.waited_until.reset();
    state.attempts = {};
    std::string bytes = Bytes(state);
    bytes[0] = 2;
    bytes.resize(bytes.size() - 7);
    CHECK(DecodeState(bytes).value() == state);
  }
  SECTION("a reference") {
    ReferenceRecord reference = kReference;
    std::fill(reference.hashes.begin() + 9, reference.hashes.end(), 0);
    CHECK(DecodeReference(ReferenceBytes(reference, 2, 9)).value() == reference);
  }
  SECTION("a request") {
    RequestRecord request = kRequest;
    request.exceptions.resize(1);
    std::string bytes = Bytes(request);
    bytes[0] = 1;
    bytes.pop_back();  // How many are in a row.
    CHECK(DecodeRequest(bytes).value() == request);
  }
  SECTION("ended tasks") {
    std::vector<TaskView> tasks = EndedTasks();
    tasks.resize(1);
    std::string bytes = Bytes(tasks);
    bytes.pop_back();  // The end of the optional parts.
    bytes[0] = 2;
    CHECK(DecodeEnded(bytes).value()[0].last_failure == tasks[0].last_failure);
    bytes.pop_back();
    bytes[0] = 1;
    CHECK(DecodeEnded(bytes).value()[0].last_failure == tasks[0].last_failure);
  }
}

TEST_CASE("A dependency without an id has a place for it") {
  TaskSpec spec;
  spec.type = "x";
  spec.dependencies = {{.task = Id(1)}, {.place = 0x01020304, .argument = true}};
  std::string body = "before";
  const SpecPlaces places = EncodeSpecBody("default", "alice", spec, "", "", body);
  CHECK(body.substr(places.dependencies, TaskId::kSize) == Id(1).bytes());
  const size_t second = places.dependencies + kDependencyBytes;
  CHECK(body.substr(second, TaskId::kSize) == std::string(12, '\0') + "\x01\x02\x03\x04");
  body.replace(second, TaskId::kSize, Id(2).bytes());
  std::string bytes;
  EncodeSpec(Id(5), {}, {}, {}, std::string_view(body).substr(6), bytes);
  const auto record = DecodeSpec(bytes);
  REQUIRE(record.ok());
  CHECK(record->spec.dependencies ==
        std::vector<Dependency>{{.task = Id(1)}, {.task = Id(2), .argument = true}});
}

TEST_CASE("A tree that was asked for what no tree can be asked for is damage") {
  for (const int verb : {0, 5, 200}) {
    TreeRecord tree = kTree;
    tree.verb = static_cast<ControlVerb>(verb);
    CheckDataLoss(DecodeTree(Bytes(tree)).status());
  }
}

TEST_CASE("A reference may have hashes of fewer fields, or of others that are not set") {
  ReferenceRecord reference = kReference;
  std::fill(reference.hashes.begin() + 9, reference.hashes.end(), 0);
  CHECK(DecodeReference(ReferenceBytes(reference, 3, 9)).value() == reference);
  const size_t more = reference.hashes.size() + 1;
  CHECK(DecodeReference(ReferenceBytes(reference, 3, more)).value() == reference);
  std::string newer = ReferenceBytes(reference, 3, more);
  newer.back() = 1;
  CheckDataLoss(DecodeReference(newer).status());
}

TEST_CASE("A spec with a part that is not known, out of order or twice is damage") {
  TaskSpec spec = FullSpec();
  spec.restarted_from = TaskId();
  spec.provenance = {};
  spec.info = nullptr;
  spec.expire_at.reset();
  spec.total_timeout_ms = 0;
  const std::string whole = SpecBytes(spec, "payload");
  spec.placement = nullptr;
  spec.dependencies = {};
  spec.keys = nullptr;
  std::string plain = SpecBytes(spec, "payload");
  plain.pop_back();
  REQUIRE(whole.starts_with(plain));
  const std::string part = whole.substr(plain.size(), whole.size() - plain.size() - 1);
  REQUIRE(part[0] == 1);
  const std::string end(1, '\0');
  REQUIRE(DecodeSpec(plain + part + end).ok());
  CheckDataLoss(DecodeSpec(plain + part + part + end).status());
  CheckDataLoss(DecodeSpec(plain + "\x7F\x01x" + end).status());
  CheckDataLoss(DecodeSpec(plain + "\x7F\x01x" + part + end).status());
}

TEST_CASE("Dependencies that are cut, or of which nothing is known to become, are damage") {
  TaskSpec spec;
  spec.type = "t";
  std::string plain = SpecBytes(spec, "payload");
  plain.pop_back();
  const auto with_dependencies = [&](const std::string& value) {
    return plain + '\2' + static_cast<char>(value.size()) + value + '\0';
  };
  const std::string id(Id(1).bytes());
  CHECK(DecodeSpec(with_dependencies(id + '\1')).ok());
  CHECK(DecodeSpec(with_dependencies(id + '\7'))->spec.dependencies[0].argument);
  CheckDataLoss(DecodeSpec(with_dependencies("")).status());
  CheckDataLoss(DecodeSpec(with_dependencies(id)).status());
  for (const char flags : {'\0', '\4', '\x8'}) {
    CheckDataLoss(DecodeSpec(with_dependencies(id + flags)).status());
  }
}

TEST_CASE("A dependency that ended well, or not at all, is no record") {
  for (const TaskState state : {TaskState::kSucceeded, TaskState::kRunning, TaskState{}}) {
    CheckDataLoss(DecodeEndedDependency(Bytes(EndedDependencyRecord{Id(1), state})).status());
  }
}

TEST_CASE("Records from before it was known what tasks wait for are read") {
  StateRecord state = kState;
  state.attempts = {};
  std::string bytes = Bytes(state);
  bytes[0] = 4;  // Nor which attempts have failed.
  bytes.pop_back();
  CHECK(DecodeState(bytes).value() == state);
  state.waited = {};
  state.waited_until.reset();
  bytes = Bytes(state);
  bytes[0] = 3;
  bytes.resize(bytes.size() - 3);
  CHECK(DecodeState(bytes).value() == state);
  DispatchGroupRecord group = kGroup;
  group.at.reset();
  bytes = Bytes(group);
  bytes[0] = 1;
  bytes.pop_back();
  CHECK(DecodeGroup(bytes).value() == group);
}

TEST_CASE("A placement that does not parse, or asks for nothing, is damage") {
  TaskSpec spec;
  spec.type = "t";
  std::string plain = SpecBytes(spec, "payload");
  plain.pop_back();
  const auto with_placement = [&](const std::string& value) {
    return plain + '\1' + static_cast<char>(value.size()) + value + '\0';
  };
  CHECK(DecodeSpec(with_placement(std::string("\1a\0\0\0", 5).replace(0, 2, "\6has(a)"))).ok());
  CheckDataLoss(DecodeSpec(with_placement(std::string("\1a\0\0\0", 5))).status());
  CheckDataLoss(DecodeSpec(with_placement(std::string(4, '\0'))).status());
  CheckDataLoss(DecodeSpec(with_placement(std::string("\0\1x\0\0\0", 6))).status());
}

TEST_CASE("An object that is no route, or a route without a selector, is damage") {
  std::string bytes = Bytes(kRoute);
  bytes[1] = 2;
  CheckDataLoss(DecodeObject(bytes).status());
  CheckDataLoss(DecodeObject(Bytes(platform::Block{})).status());
  CheckDataLoss(DecodeObject(Bytes(RouteRecord{"default", "t", std::nullopt})).status());
}

TEST_CASE("A run of refused items beyond the call is damage") {
  RequestRecord request = kRequest;
  request.exceptions = {{.index = 1, .holder = {}, .conflict = "X", .count = 100'000}};
  CheckDataLoss(DecodeRequest(Bytes(request)).status());
  request.exceptions[0].count = 0;
  CheckDataLoss(DecodeRequest(Bytes(request)).status());
}

TEST_CASE("An effect that is none is damage") {
  for (const int effect : {0, 4, 200}) {
    TaskSpec spec = FullSpec();
    spec.effect = static_cast<Effect>(effect);
    CheckDataLoss(DecodeSpec(SpecBytes(spec, "payload")).status());
  }
}

TEST_CASE("A record with any bit turned over is read or refused, and nothing else happens") {
  for (const Kind& kind : EveryKind()) {
    for (size_t bit = 0; bit < kind.bytes.size() * 8; ++bit) {
      std::string damaged = kind.bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      const absl::Status status = kind.decode(damaged);
      if (!status.ok()) CheckDataLoss(status);
    }
  }
}

TEST_CASE("A count that no record of this size can hold is damage, not memory") {
  // Format, then a count of 2^63.
  std::string bytes("\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
  CheckDataLoss(DecodeGroup(bytes).status());
  CheckDataLoss(DecodeEnded(bytes).status());
  bytes[0] = 2;
  CheckDataLoss(DecodeEnded(bytes).status());
}

TEST_CASE("A state that no ended task can be in is damage") {
  for (const int state : {0, 2, 4, 10, 13, 14, 200}) {
    INFO(state);
    std::vector<TaskView> tasks = EndedTasks();
    tasks[1].state = static_cast<TaskState>(state);
    CheckDataLoss(DecodeEnded(Bytes(tasks)).status());
    if (state == 0) continue;
    StateRecord record = kState;
    record.intended_end = static_cast<TaskState>(state);
    CheckDataLoss(DecodeState(Bytes(record)).status());
  }
}

TEST_CASE("Every kind of record has a table of its own") {
  const platform::StoreSchema schema = InputsSchema();
  for (size_t i = 0; i < schema.kinds.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      CHECK(schema.kinds[i].kind != schema.kinds[j].kind);
      CHECK(schema.kinds[i].name != schema.kinds[j].name);
    }
  }
}

TEST_CASE("What was spawned by SQL comes back as it was written, with sizes as SQL writes them") {
  const StoredInbox record{.id = Id(3),
                           .role = "shop",
                           .name_space = "default",
                           .owner = "alice",
                           .type = "mail.send",
                           .options = R"({"priority": 5})",
                           .payload = "any"};
  std::string bytes;
  Encode(record, bytes);
  const std::string from_sql =
      "\x01" + std::string(Id(3).bytes()) +
      std::string(
          "\x84\x80\x80\0shop\x87\x80\x80\0default\x85\x80\x80\0alice"
          "\x89\x80\x80\0mail.send\x8F\x80\x80\0{\"priority\": 5}\x83\x80\x80\0any",
          67);
  for (const std::string& each : {bytes, from_sql}) {
    const auto read = DecodeInbox(each);
    REQUIRE(read.ok());
    CHECK(read->id == record.id);
    CHECK(read->role == record.role);
    CHECK(read->name_space == record.name_space);
    CHECK(read->owner == record.owner);
    CHECK(read->type == record.type);
    CHECK(read->options == record.options);
    CHECK(read->payload == record.payload);
    CheckDataLoss(DecodeInbox(each + "x").status());
    CheckDataLoss(DecodeInbox(each.substr(0, each.size() - 1)).status());
  }
}

TEST_CASE("What was spawned by SQL and refused comes back with what it is to end of") {
  const StoredInbox record{.id = Id(3),
                           .role = "shop",
                           .name_space = "default",
                           .owner = "alice",
                           .type = "mail.send",
                           .options = {},
                           .payload = {},
                           .refusal = {"BAD_OPTIONS", "options: none"}};
  std::string bytes;
  Encode(record, bytes);
  const auto read = DecodeInbox(bytes);
  REQUIRE(read.ok());
  CHECK(read->type == record.type);
  CHECK(read->refusal == record.refusal);
  CheckDataLoss(DecodeInbox(bytes.substr(0, bytes.size() - 1)).status());
}

TEST_CASE("A spec that was spawned out of the order of its key says where it comes") {
  TaskSpec spec;
  spec.type = "x";
  spec.provenance.app = "sql:shop";
  std::string body, bytes, plain;
  EncodeSpecBody("default", "alice", spec, "", "p", body);
  EncodeSpec(Id(5), {}, {}, spec.provenance, body, bytes, 12'345);
  EncodeSpec(Id(5), {}, {}, {}, body, plain);
  const auto read = DecodeSpec(bytes);
  REQUIRE(read.ok());
  CHECK(read->spec.order == 12'345);
  CHECK(read->spec.provenance.app == "sql:shop");
  CHECK(DecodeSpec(plain)->spec.order == 0);
  CHECK(read->spec.stored_bytes == DecodeSpec(plain)->spec.stored_bytes);
}

TEST_CASE("A checkpoint comes back as it was written") {
  std::string bytes;
  const std::string data("any\0bytes", 9);
  const TaskId id = Id(3);
  Encode(StoredCheckpoint{id, 3, data}, bytes);
  const auto checkpoint = DecodeCheckpoint(bytes);
  REQUIRE(checkpoint.ok());
  CHECK(checkpoint->id == id);
  CHECK(checkpoint->dispatch == 3);
  CHECK(checkpoint->data == data);
}

}  // namespace
}  // namespace kantoku::inputs
