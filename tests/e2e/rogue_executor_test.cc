// An executor that lies, steals and floods, in raw gRPC against a real `kantoku up`, beside an
// honest one: it is refused with the reason, and every task ends with the honest result.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/chaos/work.h"
#include "tests/e2e/rogue.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using Code = absl::StatusCode;
using inputs::v1::Dispatch;
using inputs::v1::PullRequest;
using inputs::v1::Refused;
using outputs::v1::PutResult;

constexpr int kTasks = 40;
constexpr uint32_t kMaxCredit = 10;

// A server that gives no session more than kMaxCredit, and does not wait long for one that is lost.
std::vector<std::string> Settings() {
  return {"server.metrics_listen=none", "inputs.max_session_credit=10", "inputs.grace=1s",
          "inputs.namespaces=default,other"};
}

// The tasks that a rogue is given come to the honest executor when the rogue has gone.
class Scene {
 public:
  explicit Scene(int tasks = kTasks) : up_({.settings = Settings()}), tasks_(up_.Spawn(tasks)) {}

  const Up& up() const { return up_; }
  const std::string& address() const { return up_.address(); }
  const std::vector<TaskId>& tasks() const { return tasks_; }
  // Keys of the installation, with which the test makes tokens that a rogue may have found.
  std::unique_ptr<platform::MacKeys> Keys() const {
    auto keys = platform::MacKeys::Load(up_.data() + "/mac.keys");
    REQUIRE(keys.ok());
    return *std::move(keys);
  }
  void StartHonest() {
    if (honest_ == nullptr) honest_ = up_.StartHonestExecutor();
  }
  // Ends every test.
  void CheckNothingIsLost() {
    StartHonest();
    up_.CheckHonestResults(tasks_);
    CHECK(honest_->running());
  }

 private:
  Up up_;
  const std::vector<TaskId> tasks_;
  std::unique_ptr<ChildProcess> honest_;
};

template <typename ItemStatus>
void CheckItem(const ItemStatus& status, Code code, const std::string& reason) {
  INFO(status.reason() << ": " << status.message());
  CHECK(status.code() == static_cast<int>(code));
  CHECK(status.reason() == reason);
  CHECK_FALSE(status.message().empty());
}

void CheckRefused(const Refused& refused, const std::string& task, uint32_t dispatch, Code code,
                  const std::string& reason) {
  CHECK(refused.task_id() == task);
  CHECK(refused.dispatch() == dispatch);
  CheckItem(refused.status(), code, reason);
}

void CheckStatus(const absl::Status& status, Code code, const std::string& reason) {
  INFO(status.ToString());
  CHECK(status.code() == code);
  CHECK(platform::ReasonOf(status) == reason);
}

// A rogue that holds as many tasks as it gets.
std::unique_ptr<Rogue> Welcomed(const Scene& scene, char session = 'r',
                                uint32_t credit = kMaxCredit) {
  auto rogue = std::make_unique<Rogue>(scene.up().Channel());
  rogue->Say(Rogue::Hello(Rogue::Session(session), credit));
  return rogue;
}

// The honest result of a task, put under its lease: a genuine receipt.
std::string ReceiptOf(Rogue& rogue, const Dispatch& task) {
  const auto put = rogue.Put(task.lease_token(), ResultOf(task.payload()));
  REQUIRE(put.ok());
  REQUIRE(put->status().code() == 0);
  return put->receipt();
}

std::string Spoilt(std::string token, size_t at) {
  token[at] = static_cast<char>(token[at] ^ 1);
  return token;
}

TEST_CASE("An ack counts only with the receipt of this very dispatch") {
  Scene scene(5);  // Fewer than it may hold: it gets back what is taken from it.
  auto rogue = Welcomed(scene);
  const Dispatch mine = rogue->Task(1);
  const Dispatch other = rogue->Task(2);
  const std::string receipt = ReceiptOf(*rogue, mine);
  std::vector<std::string> forged = {"",
                                     "receipt",
                                     other.lease_token(),
                                     receipt,
                                     receipt + "x",
                                     receipt.substr(1),
                                     receipt.substr(0, 1),
                                     std::string(1 << 20, 'x')};
  for (size_t at = 0; at < receipt.size(); at += 7) forged.push_back(Spoilt(receipt, at));
  for (const std::string& one : forged) rogue->Ack(other.task_id(), other.dispatch(), one);
  rogue->Ack(mine.task_id(), mine.dispatch() + 1, receipt);
  rogue->Ack(mine.task_id(), mine.dispatch(), Spoilt(receipt, receipt.size() - 1));

  const std::vector<Refused> refusals = rogue->Refusals();
  REQUIRE(refusals.size() == forged.size() + 2);
  for (size_t i = 0; i < forged.size(); ++i) {
    CheckRefused(refusals[i], other.task_id(), other.dispatch(), Code::kPermissionDenied,
                 "INVALID_RECEIPT");
  }
  CheckRefused(refusals[forged.size()], mine.task_id(), mine.dispatch() + 1,
               Code::kPermissionDenied, "INVALID_RECEIPT");
  CHECK(rogue->heard().confirmed_size() == 0);
  // What it could not prove was taken from it. Without a result it goes out again.
  rogue->Hear([&](const auto& heard) {
    return std::any_of(heard.tasks().begin(), heard.tasks().end(), [&](const Dispatch& task) {
      return task.task_id() == other.task_id() && task.dispatch() > other.dispatch();
    });
  });
  rogue = nullptr;  // What it holds goes to others now.
  scene.CheckNothingIsLost();
}

TEST_CASE("A result counts only with a genuine lease that goes on") {
  Scene scene;
  auto rogue = Welcomed(scene);
  const Dispatch task = rogue->Task(1);
  const std::string& token = task.lease_token();
  const auto keys = scene.Keys();
  auto lease = platform::OpenLease(*keys, token, absl::Now());
  REQUIRE(lease.ok());
  platform::Lease of_another = *lease;
  of_another.holder = {.subject = "somebody", .client_id = "else"};
  platform::Lease of_another_session = *lease;
  of_another_session.session = platform::SessionId(*platform::Uuid::FromBytes(Rogue::Session('o')));
  platform::Lease over = *lease;
  over.expires = absl::Now() - absl::Seconds(1);
  std::vector<std::string> wrong = {"",
                                    "token",
                                    token + "x",
                                    token.substr(1),
                                    ReceiptOf(*rogue, rogue->Task(2)),
                                    platform::SealServiceIdentity(*keys, "inputs", lease->expires),
                                    platform::SealLease(*keys, of_another),
                                    platform::SealLease(*keys, of_another_session),
                                    platform::SealLease(*keys, over)};
  for (size_t at = 0; at < token.size(); at += 11) wrong.push_back(Spoilt(token, at));
  for (const std::string& one : wrong) {
    const auto put = rogue->Put(one, "a lie");
    REQUIRE(put.ok());
    CheckItem(put->status(), Code::kPermissionDenied, "INVALID_LEASE");
    CHECK(put->receipt().empty());
  }
  const auto large = rogue->Put(token, std::string((size_t{4} << 20) + 1, 'x'));
  REQUIRE(large.ok());
  CheckItem(large->status(), Code::kInvalidArgument, "RESULT_TOO_LARGE");
  rogue = nullptr;  // What it holds goes to others now.
  scene.CheckNothingIsLost();
}

TEST_CASE("A dispatch that is over can put nothing any more") {
  Scene scene(5);  // Fewer than it may hold: it gets back what it returns.
  auto rogue = Welcomed(scene);
  const Dispatch first = rogue->Task(1);
  rogue->Nack(first.task_id(), first.dispatch(), inputs::v1::NACK_KIND_RETURNED);
  rogue->Hear([&](const auto& heard) {
    return std::any_of(heard.tasks().begin(), heard.tasks().end(), [&](const Dispatch& task) {
      return task.task_id() == first.task_id() && task.dispatch() > first.dispatch();
    });
  });
  const auto stale = rogue->Put(first.lease_token(), "a lie");
  REQUIRE(stale.ok());
  CheckItem(stale->status(), Code::kFailedPrecondition, "FENCED");
  rogue->Nack(first.task_id(), first.dispatch(), inputs::v1::NACK_KIND_FAILED_FINALLY);
  const auto refusals = rogue->Refusals();
  REQUIRE(refusals.size() == 1);
  CheckRefused(refusals[0], first.task_id(), first.dispatch(), Code::kFailedPrecondition,
               "STALE_DISPATCH");

  // A session that vanishes with its tokens, until its grace is over and others have done the work.
  std::vector<Dispatch> held(rogue->heard().tasks().begin(), rogue->heard().tasks().end());
  const std::string session = rogue->session();
  rogue = nullptr;
  scene.CheckNothingIsLost();
  Rogue returned(scene.up().Channel());
  returned.Claim(session);
  for (const Dispatch& task : held) {
    const auto late = returned.Put(task.lease_token(), "a lie");
    REQUIRE(late.ok());
    CheckItem(late->status(), Code::kAlreadyExists, "HAS_RESULT");
    CHECK(late->winner() == outputs::v1::RESULT_STATUS_SUCCEEDED);
    CHECK(late->receipt().empty());
  }
  scene.CheckNothingIsLost();
}

TEST_CASE("Nobody gets more than the server's credit, whatever is claimed") {
  Scene scene;
  auto rogue = Welcomed(scene, 'r', UINT32_MAX);
  const Dispatch last = rogue->Task(kMaxCredit);
  CHECK(rogue->heard().welcome().max_credit() == kMaxCredit);
  PullRequest more;
  more.mutable_credit()->set_max_held(UINT32_MAX);
  for (int i = 0; i < 100; ++i) rogue->Say(more);
  // Makes no room.
  rogue->Nack(last.task_id(), last.dispatch() + 1, inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(rogue->Refusals().size() == 1);
  CHECK(rogue->heard().tasks_size() == static_cast<int>(kMaxCredit));
  const auto executors = scene.up().Connect().ListExecutors();
  REQUIRE(executors.ok());
  REQUIRE(executors->size() == 1);
  CHECK(executors->front().max_held == kMaxCredit);
  CHECK(executors->front().held == kMaxCredit);
  // It holds what it holds; nobody else waits for it.
  scene.StartHonest();
  std::vector<TaskId> rest;
  for (const TaskId& task : scene.tasks()) {
    if (std::none_of(rogue->heard().tasks().begin(), rogue->heard().tasks().end(),
                     [&](const Dispatch& held) { return held.task_id() == task.bytes(); })) {
      rest.push_back(task);
    }
  }
  CHECK(rest.size() == kTasks - kMaxCredit);
  for (const auto& output : scene.up().Connect().AwaitAll(rest, {.timeout = kPatience})) {
    CHECK(output.ok());
  }
  rogue->Say(PullRequest());  // Still welcome.
  CHECK(rogue->Refusals().empty());
}

TEST_CASE("A hello that is not sound ends the stream with the reason") {
  Scene scene;
  const auto end_of = [&](const std::vector<PullRequest>& requests) {
    Rogue rogue(scene.up().Channel());
    for (const PullRequest& request : requests) rogue.Say(request);
    return rogue.AwaitEnd();
  };
  const auto spoilt = [&](const auto& spoil) {
    PullRequest request = Rogue::Hello(Rogue::Session('r'), 1);
    spoil(*request.mutable_hello());
    return end_of({request});
  };
  const PullRequest good = Rogue::Hello(Rogue::Session('r'), 1);
  CheckStatus(end_of({PullRequest()}), Code::kInvalidArgument, "BAD_HELLO");
  CheckStatus(end_of({good, good}), Code::kInvalidArgument, "BAD_HELLO");
  for (const std::string& session : {std::string(), std::string(15, 's'), std::string(17, 's'),
                                     std::string(16, '\0'), std::string(1 << 20, 's')}) {
    CheckStatus(spoilt([&](auto& hello) { hello.set_session_id(session); }), Code::kInvalidArgument,
                "BAD_HELLO");
  }
  CheckStatus(spoilt([](auto& hello) { hello.clear_types(); }), Code::kInvalidArgument,
              "BAD_HELLO");
  CheckStatus(spoilt([](auto& hello) {
                hello.mutable_types()->Reserve(1001);
                for (int i = 0; i < 1000; ++i) hello.add_types("t");
              }),
              Code::kInvalidArgument, "BAD_HELLO");
  CheckStatus(spoilt([](auto& hello) { hello.set_types(0, "white space"); }),
              Code::kInvalidArgument, "BAD_TYPE");
  CheckStatus(spoilt([](auto& hello) { hello.set_name(std::string(256, 'n')); }),
              Code::kInvalidArgument, "BAD_HELLO");
  CheckStatus(spoilt([](auto& hello) { hello.add_held()->set_task_id("no id"); }),
              Code::kInvalidArgument, "BAD_HELLO");
  CheckStatus(spoilt([](auto& hello) { hello.set_namespace_("nowhere"); }), Code::kNotFound,
              "NO_SUCH_NAMESPACE");
  scene.CheckNothingIsLost();
}

TEST_CASE("A hello that claims what it does not hold gets none of it") {
  Scene scene;
  auto victim = Welcomed(scene, 'v', 4);
  const Dispatch theirs = victim->Task(1);
  (void)victim->Task(4);
  const std::string receipt = ReceiptOf(*victim, victim->Task(2));

  Rogue rogue(scene.up().Channel());
  PullRequest request = Rogue::Hello(Rogue::Session('r'), 0);
  inputs::v1::Hello& hello = *request.mutable_hello();
  *hello.add_held() = Rogue::HeldOf(theirs.task_id(), theirs.dispatch());
  *hello.add_held() = Rogue::HeldOf(theirs.task_id(), theirs.dispatch() + 1);
  *hello.add_held() = Rogue::HeldOf(Rogue::NoTask(), 1);
  *hello.add_held() = Rogue::HeldOf(theirs.task_id(), theirs.dispatch());
  hello.mutable_held(3)->set_receipt(receipt);  // Of another task.
  *hello.add_held() = Rogue::HeldOf(std::string(scene.tasks().back().bytes()), 0);
  rogue.Say(request);
  rogue.Hear([](const auto& heard) { return heard.has_welcome(); });
  const auto& held = rogue.heard().welcome().held();
  REQUIRE(held.size() == hello.held_size());
  for (const inputs::v1::HeldStatus& status : held) {
    CheckItem(status.status(), Code::kFailedPrecondition, "NOT_HELD");
    CHECK(status.lease_token().empty());
    CHECK_FALSE(status.confirmed());
  }
  // Nor can it report on them, or answer them under what it makes up.
  rogue.Nack(theirs.task_id(), theirs.dispatch(), inputs::v1::NACK_KIND_FAILED_FINALLY);
  rogue.Ack(theirs.task_id(), theirs.dispatch(), "forged");
  const auto refusals = rogue.Refusals();
  REQUIRE(refusals.size() == 2);
  for (const Refused& refused : refusals) {
    INFO(refused.status().reason());
    CHECK((refused.status().reason() == "NOT_HELD" ||
           refused.status().reason() == "INVALID_RECEIPT"));
  }
  // The victim goes on with all that it has.
  CHECK(victim->Refusals().empty());
  for (int i = 1; i <= 4; ++i) {
    const Dispatch task = victim->Task(i);
    victim->Ack(task.task_id(), task.dispatch(), ReceiptOf(*victim, task));
  }
  victim->Hear([](const auto& heard) { return heard.confirmed_size() >= 4; });
  victim = nullptr;
  scene.CheckNothingIsLost();
}

TEST_CASE("Who takes over a session finds nothing to steal, and the honest one comes back") {
  Scene scene(400);  // The honest one is at work all the time.
  scene.StartHonest();
  std::string session;
  while (session.empty()) {
    const auto executors = scene.up().Connect().ListExecutors();
    REQUIRE(executors.ok());
    if (!executors->empty()) session = executors->front().session_id;
  }
  const auto id = platform::Uuid::Parse(session);
  REQUIRE(id.ok());
  PullRequest elsewhere = Rogue::Hello(std::string(id->bytes()), kMaxCredit);
  elsewhere.mutable_hello()->set_namespace_("other");
  Rogue foreign(scene.up().Channel());
  foreign.Say(elsewhere);
  CheckStatus(foreign.AwaitEnd(), Code::kPermissionDenied, "FOREIGN_SESSION");

  for (int i = 0; i < 5; ++i) {
    Rogue thief(scene.up().Channel());
    thief.Say(Rogue::Hello(std::string(id->bytes()), kMaxCredit));
    // The one it robs may be back before it hears anything.
    const bool welcome = thief.HearsOrEnds([](const auto& heard) { return heard.has_welcome(); });
    if (welcome) CHECK(thief.heard().welcome().held_size() == 0);
    if (welcome && i % 2 == 0) continue;  // It leaves at once, or is thrown out.
    CheckStatus(thief.AwaitEnd(), Code::kAborted, "SUPERSEDED");
  }
  scene.CheckNothingIsLost();
}

TEST_CASE("Malformed reports are refused one by one, a frame that is none ends the stream") {
  Scene scene;
  auto rogue = Welcomed(scene);
  const Dispatch task = rogue->Task(1);
  const std::vector<std::string> ids = {"", "short", std::string(16, '\xFF'), std::string(17, 'x'),
                                        std::string(1 << 16, 'x')};
  for (const std::string& id : ids) {
    PullRequest request;
    request.add_started()->set_task_id(id);
    request.add_acks()->set_task_id(id);
    request.add_nacks()->set_task_id(id);
    request.add_progress()->set_task_id(id);
    rogue->Say(request);
  }
  auto refusals = rogue->Refusals();
  REQUIRE(refusals.size() == 4 * ids.size());
  for (const Refused& refused : refusals) {
    CheckItem(refused.status(), Code::kInvalidArgument, "INVALID_ID");
  }
  PullRequest request;
  inputs::v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(task.task_id());
  nack.set_dispatch(task.dispatch());
  for (const double fraction : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity()}) {
    inputs::v1::Progress& progress = *request.add_progress();
    progress.set_task_id(task.task_id());
    progress.set_dispatch(task.dispatch());
    progress.set_fraction(fraction);
  }
  rogue->Say(request);
  refusals = rogue->Refusals();
  REQUIRE(refusals.size() == 5);
  for (const Refused& refused : refusals) {
    CheckItem(refused.status(), Code::kInvalidArgument,
              refused.status().message().starts_with("nacks") ? "BAD_NACK" : "BAD_PROGRESS");
  }
  rogue = nullptr;  // What it holds goes to others now.
  scene.CheckNothingIsLost();
}

TEST_CASE("What is for services only is refused to everybody else") {
  Scene scene;
  auto rogue = Welcomed(scene);
  const Dispatch task = rogue->Task(1);
  outputs::v1::FenceRequest fence;
  fence.set_epoch(UINT64_MAX);
  outputs::v1::FenceItem& item = *fence.add_items();
  item.set_task_id(task.task_id());
  item.set_dispatch(UINT32_MAX);
  item.mutable_settlement()->set_status(outputs::v1::RESULT_STATUS_FAILED);
  outputs::v1::FenceResponse fenced;
  grpc::ClientContext fence_context;
  CheckStatus(platform::FromGrpc(rogue->outputs().Fence(&fence_context, fence, &fenced)),
              Code::kPermissionDenied, "NOT_A_SERVICE");

  // Nor does a lease pass for a service, or a service for Inputs.
  for (const std::string& identity :
       {std::string("inputs"), task.lease_token(),
        platform::SealServiceIdentity(*scene.Keys(), "inputs", absl::Now() - absl::Seconds(1))}) {
    grpc::ClientContext context;
    context.AddMetadata(platform::kServiceMetadataKey, identity);
    CheckStatus(platform::FromGrpc(rogue->outputs().Fence(&context, fence, &fenced)),
                Code::kPermissionDenied, "NOT_A_SERVICE");
  }
  grpc::ClientContext of_events;
  of_events.AddMetadata(
      platform::kServiceMetadataKey,
      platform::SealServiceIdentity(*scene.Keys(), "events", absl::Now() + absl::Minutes(1)));
  CheckStatus(platform::FromGrpc(rogue->outputs().Fence(&of_events, fence, &fenced)),
              Code::kPermissionDenied, "NOT_INPUTS");

  const auto events = events::v1::EventsService::NewStub(scene.up().Channel());
  events::v1::AppendRequest append;
  append.set_source("inputs/0/forged");
  events::v1::AppendResponse appended;
  grpc::ClientContext append_context;
  CheckStatus(platform::FromGrpc(events->Append(&append_context, append, &appended)),
              Code::kPermissionDenied, "NOT_A_SERVICE");
  rogue = nullptr;  // What it holds goes to others now.
  scene.CheckNothingIsLost();
}

TEST_CASE("Floods hold nobody up") {
  Scene scene;
  auto rogue = Welcomed(scene, 'r', 1);
  const Dispatch task = rogue->Task(1);
  scene.StartHonest();
  constexpr int kFrames = 100;
  constexpr int kReports = 500;
  PullRequest forged;
  for (int i = 0; i < kReports; ++i) {
    inputs::v1::Ack& ack = *forged.add_acks();
    ack.set_task_id(task.task_id());
    ack.set_dispatch(task.dispatch());
    ack.set_receipt("forged");
  }
  for (int i = 0; i < kFrames; ++i) {
    forged.mutable_ping()->set_number(static_cast<uint64_t>(i));
    rogue->Say(forged);
  }
  // Sessions by the hundred, and results by the thousand.
  for (int i = 0; i < 200; ++i) {
    Rogue guest(scene.up().Channel());
    std::string session = Rogue::Session('g');
    session[0] = static_cast<char>(i);
    guest.Say(Rogue::Hello(session, 0));
  }
  grpc::ClientContext context;
  outputs::v1::PutRequest put;
  put.set_session_id(Rogue::Session('f'));
  for (int i = 0; i < 10'000; ++i) put.add_items()->set_lease_token("forged");
  outputs::v1::PutResponse answers;
  REQUIRE(rogue->outputs().Put(&context, put, &answers).ok());
  REQUIRE(answers.results_size() == 10'000);
  for (const PutResult& answer : answers.results()) {
    REQUIRE(answer.status().reason() == "INVALID_LEASE");
  }
  put.add_items();
  grpc::ClientContext too_many;
  CHECK(rogue->outputs().Put(&too_many, put, &answers).error_code() ==
        grpc::StatusCode::INVALID_ARGUMENT);

  CHECK(rogue->Refusals().size() == kFrames * kReports);
  rogue->Nack(task.task_id(), task.dispatch(), inputs::v1::NACK_KIND_RETURNED);
  rogue = nullptr;  // What it holds goes to others now.
  scene.CheckNothingIsLost();
  // Nothing stays of guests that hold nothing.
  CHECK(Becomes([&] {
    const auto executors = scene.up().Connect().ListExecutors();
    return executors.ok() && executors->size() == 1;
  }));
}

}  // namespace
}  // namespace kantoku::test
