#include "services/inputs/frame_reader.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

namespace outputspb = ::kantoku::outputs::v1;
using platform::ReasonOf;
using platform::Received;

const platform::Identity kCaller = platform::Administrator("alice", "laptop");
const TaskId kTask = TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, 1, 1);
const TaskId kOther = TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, 2, 1);

const platform::MacKeys& Keys() {
  static const auto& keys = *platform::MacKeys::Make({{1, std::string(32, 'k')}})->release();
  return keys;
}

std::string Receipt(const TaskId& task, uint32_t dispatch,
                    uint8_t status = outputspb::RESULT_STATUS_SUCCEEDED) {
  return platform::SealReceipt(Keys(), {.task = task, .dispatch = dispatch, .status = status});
}

std::string Bytes(const TaskId& task) { return std::string(task.bytes()); }

v1::PullRequest Hello() {
  v1::PullRequest request;
  auto& hello = *request.mutable_hello();
  hello.set_session_id(std::string(16, 's'));
  hello.add_types("x");
  hello.mutable_credit()->set_max_held(5);
  return request;
}

absl::StatusOr<SessionFrame> Read(v1::PullRequest request, bool first) {
  Received<v1::PullRequest> received;
  received.message = std::move(request);
  return ReadFrame(received, kCaller, first, Keys());
}

absl::StatusOr<SessionFrame> ReadOverTheWire(const v1::PullRequest& request, bool first) {
  const std::string bytes = request.SerializeAsString();
  grpc::Slice slice(bytes);
  grpc::ByteBuffer buffer(&slice, 1);
  Received<v1::PullRequest> received;
  REQUIRE(
      grpc::SerializationTraits<Received<v1::PullRequest>>::Deserialize(&buffer, &received).ok());
  return ReadFrame(received, kCaller, first, Keys());
}

void CheckBadHello(const v1::PullRequest& request, const std::string& message) {
  const absl::Status status = Read(request, true).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(status.message()) == message);
}

TEST_CASE("A hello brings session, caller, types and credit") {
  v1::PullRequest request = Hello();
  request.mutable_hello()->set_name("bench 3");
  request.mutable_hello()->add_types("y");
  const auto frame = Read(request, true);
  REQUIRE(frame.ok());
  REQUIRE(frame->hello.has_value());
  CHECK(frame->hello->session.bytes() == std::string(16, 's'));
  CHECK(frame->hello->caller == kCaller);
  CHECK(frame->hello->name_space == "default");
  CHECK(frame->hello->name == "bench 3");
  CHECK(frame->hello->types == std::vector<std::string>{"x", "y"});
  CHECK(frame->hello->max_held == 5);
}

TEST_CASE("A hello brings labels, and the server adds its own") {
  v1::PullRequest request = Hello();
  auto& hello = *request.mutable_hello();
  hello.set_name("bench 3");
  hello.set_version("2.1");
  (*hello.mutable_labels())["gpu"] = "true";
  (*hello.mutable_labels())["empty"] = "";
  const auto frame = Read(request, true);
  REQUIRE(frame.ok());
  CHECK(frame->hello->version == "2.1");
  CHECK(frame->hello->labels == *Labels::Make({{"gpu", "true"},
                                               {"empty", ""},
                                               {"executor", "bench 3"},
                                               {"app", "laptop"},
                                               {"owner", "alice"},
                                               {"version", "2.1"}}));
  SECTION("but none that would be empty") {
    hello.clear_name();
    hello.clear_version();
    const auto nameless = Read(request, true);
    REQUIRE(nameless.ok());
    CHECK(nameless->hello->labels.Find("executor") == nullptr);
    CHECK(nameless->hello->labels.Find("version") == nullptr);
    CHECK(nameless->hello->labels.size() == 4);
  }
}

TEST_CASE("A label that only the server sets is refused with its value") {
  for (const std::string name : {"executor", "app", "owner", "version"}) {
    v1::PullRequest request = Hello();
    (*request.mutable_hello()->mutable_labels())[name] = "mallory";
    CHECK(ReasonOf(Read(request, true).status()) == "RESERVED_LABEL");
    CheckBadHello(request,
                  "hello.labels: label \"" + name + "\" = \"mallory\": the server sets it itself");
  }
}

TEST_CASE("Labels that are not sound are refused with name, value and limit") {
  v1::PullRequest request = Hello();
  auto& labels = *request.mutable_hello()->mutable_labels();
  for (int i = 0; i < 60; ++i) labels["label-" + std::to_string(i)] = "x";
  request.mutable_hello()->set_name("n");
  request.mutable_hello()->set_version("v");
  CHECK(Read(request, true).ok());
  labels["one-more"] = "x";
  CheckBadHello(request, "hello.labels: 61 labels exceed the limit of 60");
  labels.clear();
  labels["9lives"] = "x";
  CheckBadHello(request,
                "hello.labels: label \"9lives\": a name begins with a letter or _ and holds "
                "letters, digits and _ . - / only");
  labels.clear();
  labels["a"] = "b\tc";
  CHECK(ReasonOf(Read(request, true).status()) == "BAD_LABEL");
  labels.clear();
  request.mutable_hello()->set_name("two\nlines");
  CheckBadHello(request,
                "hello.name: label \"executor\": its value \"two\\x0alines\" is no UTF-8 without "
                "control characters");
  request.mutable_hello()->set_name("n");
  request.mutable_hello()->set_version(std::string(65, 'v'));
  CheckBadHello(request, "hello.version: 65 bytes exceed the limit of 64");
}

TEST_CASE("10,000 labels are refused with their field, their number and the limit") {
  v1::PullRequest request = Hello();
  for (int i = 0; i < 10'000; ++i) {
    (*request.mutable_hello()->mutable_labels())["label-" + std::to_string(i)] = "x";
  }
  CHECK(ReasonOf(Read(request, true).status()) == "LABEL_LIMIT");
  CheckBadHello(request, "hello.labels: 10000 labels exceed the limit of 60");
}

TEST_CASE("The first frame has a hello, and no other") {
  CHECK(ReasonOf(Read({}, true).status()) == "BAD_HELLO");
  CHECK(ReasonOf(Read(Hello(), false).status()) == "BAD_HELLO");
  CHECK(Read({}, false).ok());
}

TEST_CASE("A hello that is not sound is refused with field, value and limit") {
  v1::PullRequest request = Hello();
  request.mutable_hello()->set_session_id("short");
  CheckBadHello(request, "hello.session_id: 5 bytes are no UUID of 16 bytes");
  request.mutable_hello()->set_session_id(std::string(16, '\0'));
  CHECK(ReasonOf(Read(request, true).status()) == "BAD_HELLO");

  request = Hello();
  request.mutable_hello()->clear_types();
  CheckBadHello(request, "hello.types: 0 are not 1 to 1000");
  for (int i = 0; i < 1'001; ++i) request.mutable_hello()->add_types("x");
  CheckBadHello(request, "hello.types: 1001 are not 1 to 1000");

  request = Hello();
  request.mutable_hello()->set_types(0, "");
  CheckBadHello(request, "hello.types: is empty");
  request = Hello();
  request.mutable_hello()->set_name(std::string(256, 'n'));
  CheckBadHello(request, "hello.name: 256 bytes exceed the limit of 255");
  request = Hello();
  request.mutable_hello()->add_held()->set_task_id("no id");
  CHECK(ReasonOf(Read(request, true).status()) == "BAD_HELLO");
}

TEST_CASE("A hello with a field that this server does not know is refused") {
  const auto check = [](const auto& inner, const std::string& message) {
    v1::PullRequest request = Hello();
    google::protobuf::Message& place = inner(*request.mutable_hello());
    place.GetReflection()->MutableUnknownFields(&place)->AddVarint(30, 1);
    const absl::Status status = ReadOverTheWire(request, true).status();
    CHECK(ReasonOf(status) == "UNKNOWN_FIELD");
    CHECK(std::string(status.message()) == message);
  };
  using Inner = google::protobuf::Message&;
  check([](v1::Hello& hello) -> Inner { return hello; },
        "Hello: field 30 is none that this server knows");
  check([](v1::Hello& hello) -> Inner { return *hello.mutable_credit(); },
        "Credit: field 30 is none that this server knows");
  check([](v1::Hello& hello) -> Inner { return *hello.add_held(); },
        "Held: field 30 is none that this server knows");
}

TEST_CASE("A frame that says too much at once ends the stream") {
  v1::PullRequest request = Hello();
  for (int i = 0; i <= 100'000; ++i) request.mutable_hello()->add_held()->set_task_id(Bytes(kTask));
  CheckBadHello(request, "hello.held: 100001 exceed the limit of 100000");
  request.mutable_hello()->mutable_held()->RemoveLast();
  CHECK(Read(request, true).ok());

  request.Clear();
  for (int i = 0; i < 25'000; ++i) request.add_started()->set_task_id(Bytes(kTask));
  for (int i = 0; i < 25'000; ++i) request.add_progress()->set_task_id(Bytes(kTask));
  CHECK(Read(request, false).ok());
  request.add_nacks();
  const absl::Status status = Read(request, false).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "FRAME_TOO_LARGE");
}

TEST_CASE("A hello whose text is no UTF-8 is refused, and the field is named") {
  v1::PullRequest request = Hello();
  request.mutable_hello()->set_name("caf\xE9");
  const absl::Status status = ReadOverTheWire(request, true).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_UTF8");
  CHECK(std::string(status.message()) == "hello.name: \"caf\\xe9\" is no UTF-8");
}

TEST_CASE("A failure whose message is no UTF-8 is still a failure") {
  v1::PullRequest request;
  v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(Bytes(kTask));
  nack.set_dispatch(1);
  nack.set_kind(v1::NACK_KIND_FAILED);
  nack.mutable_error()->set_message("caf\xE9");
  const auto frame = ReadOverTheWire(request, false);
  REQUIRE(frame.ok());
  REQUIRE(frame->nacks.size() == 1);
  CHECK(frame->nacks[0].task == kTask);
  CHECK(frame->nacks[0].failure == Failure{"HANDLER_FAILED", "caf?"});
}

TEST_CASE("A frame that is none ends the stream with the reason") {
  Received<v1::PullRequest> received;
  received.malformed = true;
  CHECK(ReasonOf(ReadFrame(received, kCaller, false, Keys()).status()) == "MALFORMED_MESSAGE");
}

TEST_CASE("An ack counts only with a receipt for this very dispatch") {
  const std::string genuine = Receipt(kTask, 2);
  std::string damaged = genuine;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  const auto other_keys = platform::MacKeys::Make({{1, std::string(32, 'x')}});
  const std::vector<std::string> false_ones = {
      "",
      "receipt",
      damaged,
      genuine + "x",
      Receipt(kOther, 2),
      Receipt(kTask, 1),
      Receipt(kTask, 3),
      Receipt(kTask, 2, outputspb::RESULT_STATUS_FAILED),
      platform::SealReceipt(
          **other_keys,
          {.task = kTask, .dispatch = 2, .status = outputspb::RESULT_STATUS_SUCCEEDED}),
      platform::SealLease(Keys(), {.task = kTask, .dispatch = 2, .expires = absl::UnixEpoch()})};
  v1::PullRequest request;
  for (const std::string& receipt : false_ones) {
    v1::Ack& ack = *request.add_acks();
    ack.set_task_id(Bytes(kTask));
    ack.set_dispatch(2);
    ack.set_receipt(receipt);
  }
  *request.add_acks() = request.acks(0);
  request.mutable_acks()->rbegin()->set_receipt(genuine);
  const auto frame = Read(request, false);
  REQUIRE(frame.ok());
  REQUIRE(frame->finished.size() == 1);
  CHECK(frame->finished[0].task == kTask);
  CHECK(frame->finished[0].dispatch == 2);
  REQUIRE(frame->refused.size() == false_ones.size());
  for (const auto& refusal : frame->refused) {
    CHECK(refusal.task == kTask.bytes());
    CHECK(refusal.dispatch == 2);
    CHECK(refusal.status.code() == absl::StatusCode::kPermissionDenied);
    CHECK(ReasonOf(refusal.status) == "INVALID_RECEIPT");
  }
}

TEST_CASE("A held dispatch is finished only with a genuine receipt") {
  v1::PullRequest request = Hello();
  for (const std::string& receipt : {std::string(), Receipt(kTask, 9), Receipt(kTask, 1)}) {
    v1::Held& held = *request.mutable_hello()->add_held();
    held.set_task_id(Bytes(kTask));
    held.set_dispatch(1);
    held.set_started(true);
    held.set_receipt(receipt);
  }
  const auto frame = Read(request, true);
  REQUIRE(frame.ok());
  REQUIRE(frame->hello->held.size() == 3);
  CHECK_FALSE(frame->hello->held[0].finished);
  CHECK_FALSE(frame->hello->held[1].finished);
  CHECK(frame->hello->held[2].finished);
  CHECK(frame->hello->held[0].started);
}

TEST_CASE("Reports about malformed ids are refused alone") {
  v1::PullRequest request;
  request.add_started()->set_task_id("no id");
  request.add_started()->set_task_id(Bytes(kTask));
  request.add_acks()->set_task_id("");
  request.add_nacks()->set_task_id(std::string(16, '\xFF'));
  request.add_progress()->set_task_id("x");
  const auto frame = Read(request, false);
  REQUIRE(frame.ok());
  CHECK(frame->started.size() == 1);
  REQUIRE(frame->refused.size() == 4);
  CHECK(frame->refused[0].task == "no id");
  for (const auto& refusal : frame->refused) {
    CHECK(refusal.status.code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("A nack needs a kind that there is") {
  v1::PullRequest request;
  for (const int kind : {0, 1, 4, 5, -1}) {
    v1::Nack& nack = *request.add_nacks();
    nack.set_task_id(Bytes(kTask));
    nack.set_kind(static_cast<v1::NackKind>(kind));
  }
  const auto frame = Read(request, false);
  REQUIRE(frame.ok());
  CHECK(frame->nacks.size() == 2);
  REQUIRE(frame->refused.size() == 3);
  for (const auto& refusal : frame->refused) CHECK(ReasonOf(refusal.status) == "BAD_NACK");
}

TEST_CASE("What a failure says is cut to its limits, between two characters") {
  v1::PullRequest request;
  v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(Bytes(kTask));
  nack.set_kind(v1::NACK_KIND_FAILED);
  nack.mutable_error()->set_reason(std::string(100, 'R'));
  std::string message = "a";
  while (message.size() < 5'000) message += "ü";
  nack.mutable_error()->set_message(message);
  v1::Progress& progress = *request.add_progress();
  progress.set_task_id(Bytes(kTask));
  progress.set_message(message);
  const auto frame = Read(request, false);
  REQUIRE(frame.ok());
  CHECK(frame->nacks[0].failure.reason == std::string(63, 'R'));
  CHECK(frame->nacks[0].failure.message == message.substr(0, 4'095));
  CHECK(frame->progress[0].message == message.substr(0, 4'095));
}

TEST_CASE("A checkpoint is read as it is, up to 1 MiB, and nobody waits for it") {
  v1::PullRequest request;
  v1::Checkpoint& checkpoint = *request.add_checkpoints();
  checkpoint.set_task_id(Bytes(kTask));
  checkpoint.set_dispatch(3);
  checkpoint.set_number(5);
  checkpoint.set_data(std::string(size_t{1} << 20, 'x'));
  *request.add_checkpoints() = checkpoint;
  request.mutable_checkpoints(1)->mutable_data()->push_back('x');
  request.add_checkpoints()->set_task_id("no id");
  const auto frame = Read(request, false);
  REQUIRE(frame.ok());
  REQUIRE(frame->checkpoints.size() == 2);
  CHECK(frame->checkpoints[0].about.task == kTask);
  CHECK(frame->checkpoints[0].about.dispatch == 3);
  CHECK(frame->checkpoints[0].number == 5);
  CHECK(frame->checkpoints[0].data == checkpoint.data());
  CHECK(frame->checkpoints[0].refusal.ok());
  CHECK(ReasonOf(frame->checkpoints[1].refusal) == "CHECKPOINT_TOO_LARGE");
  CHECK(frame->checkpoints[1].number == 5);
  CHECK(frame->refused.size() == 1);
}

TEST_CASE("Checkpoints count among the reports of a frame") {
  v1::PullRequest request;
  for (int i = 0; i < 50'001; ++i) request.add_checkpoints();
  CHECK(ReasonOf(Read(request, false).status()) == "FRAME_TOO_LARGE");
}

// One whose token allows to pull types that begin with "segment-".
platform::Identity Segmenter() {
  platform::Identity caller;
  caller.subject = "alice";
  caller.client_id = "laptop";
  caller.scopes = platform::Scopes::Parse("inputs:pull:segment-*");
  caller.labels = {{"trusted/site", "vienna"}};
  return caller;
}

absl::StatusOr<SessionFrame> ReadAs(const platform::Identity& caller, v1::PullRequest request) {
  Received<v1::PullRequest> received;
  received.message = std::move(request);
  return ReadFrame(received, caller, true, Keys());
}

TEST_CASE("An executor gets only types that its access token allows") {
  v1::PullRequest request = Hello();
  request.mutable_hello()->set_types(0, "segment-cells");
  CHECK(ReadAs(Segmenter(), request).ok());
  request.mutable_hello()->add_types("delete-all");
  const absl::Status status = ReadAs(Segmenter(), request).status();
  CHECK(status.code() == absl::StatusCode::kPermissionDenied);
  CHECK(status.message() ==
        "hello.types: the access token does not allow inputs:pull of the type \"delete-all\"");
}

TEST_CASE("Labels that carry trust come from the access token alone") {
  v1::PullRequest request = Hello();
  request.mutable_hello()->set_types(0, "segment-cells");
  (*request.mutable_hello()->mutable_labels())["site"] = "here";
  const auto frame = ReadAs(Segmenter(), request);
  REQUIRE(frame.ok());
  CHECK(*frame->hello->labels.Find("trusted/site") == "vienna");
  CHECK(*frame->hello->labels.Find("site") == "here");
  (*request.mutable_hello()->mutable_labels())["trusted/gpu"] = "true";
  CHECK(platform::ReasonOf(ReadAs(Segmenter(), request).status()) == "TRUSTED_LABEL");
  request.mutable_hello()->mutable_labels()->erase("trusted/gpu");
  (*request.mutable_hello()->mutable_labels())["trusted/site"] = "graz";
  CHECK(platform::ReasonOf(ReadAs(Segmenter(), request).status()) == "TRUSTED_LABEL");
}

}  // namespace
}  // namespace kantoku::inputs
