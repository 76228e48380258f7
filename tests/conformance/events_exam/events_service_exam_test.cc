// The exam of EventsService: what events.proto promises, asked through gRPC of every build of it.
#include "tests/conformance/events_exam/events_service_exam.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <thread>
#include <utility>

#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/caller.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

using Types = std::vector<std::string>;

std::string TaskBytes(uint64_t sequence) {
  const absl::Time wall = absl::FromUnixSeconds(1'700'000'000);
  return std::string(platform::TaskId::Make(wall, 0, sequence, 0).bytes());
}

v1::EventRun Run(const std::string& type, const std::vector<uint64_t>& tasks = {}) {
  v1::EventRun run;
  run.set_type(type);
  run.set_namespace_("default");
  run.mutable_at()->set_seconds(1'700'000'000);
  for (const uint64_t task : tasks) run.mutable_task_ids()->append(TaskBytes(task));
  return run;
}

std::string Encode(const std::vector<v1::EventRun>& runs) {
  v1::EventBatch batch;
  for (const v1::EventRun& run : runs) *batch.add_runs() = run;
  return batch.SerializeAsString();
}

v1::AppendRequest Request(const std::string& source, uint64_t number, const std::string& batch) {
  v1::AppendRequest request;
  request.set_source(source);
  v1::NumberedBatch& numbered = *request.add_batches();
  numbered.set_number(number);
  numbered.set_batch(batch);
  return request;
}

Types TypesOf(const google::protobuf::RepeatedPtrField<v1::Event>& events) {
  Types types;
  for (const v1::Event& event : events) types.push_back(event.type());
  return types;
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.set_wait_for_ready(true);
}

// A subscription that a test reads message by message.
class Subscription {
 public:
  Subscription(v1::EventsService::Stub& stub, const v1::SubscribeRequest& request) {
    SetDeadline(context_);
    reader_ = stub.Subscribe(&context_, request);
  }
  ~Subscription() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  // The next message; false when the stream has ended.
  bool Next(v1::SubscribeResponse& message) { return reader_->Read(&message); }
  v1::SubscribeResponse Next() {
    v1::SubscribeResponse message;
    REQUIRE(Next(message));
    return message;
  }
  // The types of events until there are `count`; remembers the last `next`.
  Types Take(size_t count) {
    Types types;
    while (types.size() < count) {
      const v1::SubscribeResponse message = Next();
      CHECK_FALSE(message.gap());
      for (const v1::Event& event : message.events()) types.push_back(event.type());
      next_ = message.next();
    }
    return types;
  }
  const std::string& next() const { return next_; }
  absl::Status Finish() {
    finished_ = true;
    v1::SubscribeResponse ignored;
    while (reader_->Read(&ignored)) {
    }
    return platform::FromGrpc(reader_->Finish());
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeResponse>> reader_;
  std::string next_;
  bool finished_ = false;
};

class Exam {
 public:
  explicit Exam(const ServiceEntry& entry) : subject_(entry.make()) { Connect(); }

  absl::StatusOr<uint64_t> TryAppend(const v1::AppendRequest& request, bool as_service = true) {
    grpc::ClientContext context;
    SetDeadline(context);
    if (as_service) platform::PresentAsService(context, subject_->keys(), "inputs", absl::Now());
    v1::AppendResponse response;
    const auto status = platform::FromGrpc(stub_->Append(&context, request, &response));
    if (!status.ok()) return status;
    return response.durable_number();
  }
  // One more batch of the source "inputs/0".
  void Append(const std::vector<v1::EventRun>& runs) {
    const auto number = TryAppend(Request("inputs/0", ++number_, Encode(runs)));
    REQUIRE(number.ok());
    CHECK(*number == number_);
  }
  void Append(const std::string& type) { Append({Run(type)}); }

  absl::StatusOr<v1::ReadResponse> TryRead(const v1::ReadRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::ReadResponse response;
    const auto status = platform::FromGrpc(stub_->Read(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  v1::ReadResponse Read(const v1::ReadRequest& request = {}) {
    auto response = TryRead(request);
    REQUIRE(response.ok());
    return *std::move(response);
  }

  Subscription Subscribe(const v1::SubscribeRequest& request = {}) {
    return Subscription(*stub_, request);
  }

  void Restart() {
    subject_->Stop();
    subject_->Start();
    Connect();
  }
  ServiceSubject& subject() { return *subject_; }
  uint64_t number() const { return number_; }

 private:
  void Connect() { stub_ = v1::EventsService::NewStub(subject_->channel()); }

  const std::unique_ptr<ServiceSubject> subject_;
  std::unique_ptr<v1::EventsService::Stub> stub_;
  uint64_t number_ = 0;
};

#define FOR_EVERY_SERVICE(entry)                                                              \
  const ServiceEntry entry = AllServices()[GENERATE(range(size_t{0}, AllServices().size()))]; \
  INFO("service: " << entry.name)

#define CHECK_REFUSED(outcome, expected_code, expected_reason)          \
  do {                                                                  \
    const absl::Status refused = (outcome);                             \
    CHECK(refused.code() == absl::StatusCode::expected_code);           \
    CHECK(platform::ReasonOf(refused) == std::string(expected_reason)); \
  } while (false)

TEST_CASE("Only a service may append") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const auto request = Request("inputs/0", 1, Encode({Run("task.created")}));
  CHECK_REFUSED(exam.TryAppend(request, false).status(), kPermissionDenied, "NOT_A_SERVICE");
  CHECK(exam.Read().events().empty());
}

TEST_CASE("A bad append is refused whole, with the reason") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const std::string good = Encode({Run("task.created", {1})});
  CHECK_REFUSED(exam.TryAppend(Request("", 1, good)).status(), kInvalidArgument, "INVALID_SOURCE");
  CHECK_REFUSED(exam.TryAppend(Request(std::string(64, 's'), 1, good)).status(), kInvalidArgument,
                "INVALID_SOURCE");
  CHECK_REFUSED(exam.TryAppend(Request("inputs/0", 0, good)).status(), kInvalidArgument,
                "INVALID_BATCH_NUMBER");
  CHECK_REFUSED(exam.TryAppend(Request("inputs/0", 1, "no batch")).status(), kInvalidArgument,
                "INVALID_BATCH");
  CHECK_REFUSED(exam.TryAppend(Request("inputs/0", 1, std::string(9 << 20, '\0'))).status(),
                kInvalidArgument, "BATCH_TOO_LARGE");
  v1::EventRun cut = Run("task.created", {1});
  cut.mutable_task_ids()->pop_back();
  v1::AppendRequest second_is_bad = Request("inputs/0", 1, good);
  *second_is_bad.add_batches() = Request("inputs/0", 2, Encode({cut})).batches(0);
  CHECK_REFUSED(exam.TryAppend(second_is_bad).status(), kInvalidArgument, "INVALID_BATCH");
  second_is_bad.mutable_batches(1)->set_number(1);
  CHECK_REFUSED(exam.TryAppend(second_is_bad).status(), kInvalidArgument, "INVALID_BATCH_NUMBER");
  CHECK(exam.Read().events().empty());
}

TEST_CASE("A batch that was appended before is answered and changes nothing") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const auto request = Request("inputs/0", 5, Encode({Run("one")}));
  CHECK(*exam.TryAppend(request) == 5);
  CHECK(*exam.TryAppend(request) == 5);
  CHECK(*exam.TryAppend(Request("inputs/0", 3, Encode({Run("late")}))) == 5);
  CHECK(*exam.TryAppend(Request("inputs/1", 3, Encode({Run("other")}))) == 3);
  v1::AppendRequest ask;
  ask.set_source("inputs/0");
  CHECK(*exam.TryAppend(ask) == 5);
  CHECK(TypesOf(exam.Read().events()) == Types{"one", "other"});
}

TEST_CASE("Runs are unfolded into events, each with a position of its own") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::EventRun started = Run("task.started", {1, 2, 3});
  for (const uint32_t dispatch : {7, 8, 9}) started.add_dispatches(dispatch);
  started.set_owner("ann");
  started.set_task_type("sum");
  started.set_session_id(std::string(16, 's'));
  (*started.mutable_details())["state"] = "RUNNING";
  exam.Append({started, Run("executor.lost")});

  const auto page = exam.Read();
  REQUIRE(page.events_size() == 4);
  for (int i = 0; i < 3; ++i) {
    const v1::Event& event = page.events(i);
    CHECK(event.type() == "task.started");
    CHECK(event.at().seconds() == 1'700'000'000);
    CHECK(event.task_id() == TaskBytes(static_cast<uint64_t>(i) + 1));
    CHECK(event.dispatch() == static_cast<uint32_t>(i) + 7);
    CHECK(event.namespace_() == "default");
    CHECK(event.owner() == "ann");
    CHECK(event.task_type() == "sum");
    CHECK(event.session_id() == std::string(16, 's'));
    CHECK(event.details().at("state") == "RUNNING");
    CHECK(event.position() < page.events(i + 1).position());
  }
  CHECK(page.events(3).task_id().empty());
  CHECK(page.events(3).details().empty());
  CHECK(page.next() >= page.events(3).position());
  CHECK(page.end());
}

TEST_CASE("Reads go on after any position") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  for (int batch = 0; batch < 5; ++batch) {
    exam.Append({Run("a" + std::to_string(batch), {1, 2}), Run("b" + std::to_string(batch))});
  }
  const auto all = exam.Read();
  REQUIRE(all.events_size() == 15);
  v1::ReadRequest request;
  request.set_limit(1);
  for (int i = 0; i < 15; ++i) {
    const auto page = exam.Read(request);
    REQUIRE(page.events_size() == 1);
    CHECK(page.events(0).SerializeAsString() == all.events(i).SerializeAsString());
    CHECK(page.end() == (i == 14));
    request.set_after(i % 2 == 0 ? page.next() : page.events(0).position());
  }
  const auto rest = exam.Read(request);
  CHECK(rest.events().empty());
  CHECK(rest.end());
  exam.Append("later");
  request.set_after(rest.next());
  CHECK(TypesOf(exam.Read(request).events()) == Types{"later"});
}

TEST_CASE("A page holds 100 events unless more are asked for") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append({Run("many", std::vector<uint64_t>(2500, 1))});
  CHECK(exam.Read().events_size() == 100);
  v1::ReadRequest request;
  request.set_limit(10'000);
  CHECK(exam.Read(request).events_size() == 2500);
  request.set_limit(10'001);
  CHECK_REFUSED(exam.TryRead(request).status(), kInvalidArgument, "INVALID_LIMIT");
}

TEST_CASE("Only events that match are read, and the page says how far it looked") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::EventRun elsewhere = Run("task.created", {1});
  elsewhere.set_namespace_("lab");
  exam.Append({Run("task.created", {1, 2}), Run("executor.lost"), elsewhere});
  exam.Append({Run("task.finished", {2, 1})});

  v1::ReadRequest by_type;
  by_type.mutable_filter()->add_types("task.f*");
  by_type.mutable_filter()->add_types("executor.lost");
  CHECK(TypesOf(exam.Read(by_type).events()) ==
        Types{"executor.lost", "task.finished", "task.finished"});

  v1::ReadRequest by_task;
  by_task.mutable_filter()->add_task_ids(TaskBytes(1));
  CHECK(TypesOf(exam.Read(by_task).events()) == Types{"task.created", "task.finished"});

  v1::ReadRequest by_namespace;
  by_namespace.mutable_filter()->set_namespace_("lab");
  CHECK(exam.Read(by_namespace).events_size() == 1);

  v1::ReadRequest nothing;
  nothing.mutable_filter()->add_types("never");
  const auto page = exam.Read(nothing);
  CHECK(page.events().empty());
  CHECK(page.end());
  CHECK(page.next() == exam.Read().next());
}

TEST_CASE("What is not a position, or none of this log, is refused") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  const std::string next = exam.Read().next();
  v1::ReadRequest read;
  v1::SubscribeRequest subscribe;
  for (const std::string& bad : {std::string("1"), std::string(21, 'z'), next + "0"}) {
    read.set_after(bad);
    CHECK_REFUSED(exam.TryRead(read).status(), kInvalidArgument, "INVALID_POSITION");
    subscribe.set_after(bad);
    CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_POSITION");
  }
  std::string beyond = next;
  beyond.replace(6, 4, "1111");
  std::string foreign = next;
  foreign[0] = foreign[0] == '0' ? '1' : '0';
  for (const std::string& unknown : {beyond, foreign}) {
    read.set_after(unknown);
    CHECK_REFUSED(exam.TryRead(read).status(), kOutOfRange, "UNKNOWN_POSITION");
    subscribe.set_after(unknown);
    CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kOutOfRange, "UNKNOWN_POSITION");
  }
}

TEST_CASE("A bad filter or start is refused") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::ReadRequest read;
  read.mutable_filter()->add_task_ids("short");
  CHECK_REFUSED(exam.TryRead(read).status(), kInvalidArgument, "INVALID_ID");
  v1::SubscribeRequest subscribe;
  *subscribe.mutable_filter() = read.filter();
  CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_ID");
  subscribe.clear_filter();
  subscribe.set_start(static_cast<v1::StartAt>(99));
  CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_START");
}

TEST_CASE("A subscriber gets what is kept, then what comes") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  exam.Append("two");
  auto subscription = exam.Subscribe();
  CHECK(subscription.Take(2) == Types{"one", "two"});
  exam.Append("three");
  CHECK(subscription.Take(1) == Types{"three"});
}

TEST_CASE("A subscriber can begin now, and knows where that is") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("before");
  v1::SubscribeRequest request;
  request.set_start(v1::START_AT_NOW);
  auto subscription = exam.Subscribe(request);
  const auto greeting = subscription.Next();
  CHECK(greeting.events().empty());
  exam.Append("after");
  CHECK(subscription.Take(1) == Types{"after"});

  v1::ReadRequest read;
  read.set_after(greeting.next());
  CHECK(TypesOf(exam.Read(read).events()) == Types{"after"});
}

TEST_CASE("A subscriber whose stream broke goes on where it was") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::SubscribeRequest request;
  Types seen;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) exam.Append("event" + std::to_string(3 * round + i));
    auto subscription = exam.Subscribe(request);
    for (const std::string& type : subscription.Take(3)) seen.push_back(type);
    request.set_after(subscription.next());
    subscription.Cancel();
    CHECK(subscription.Finish().code() == absl::StatusCode::kCancelled);
  }
  Types expected;
  for (int i = 0; i < 15; ++i) expected.push_back("event" + std::to_string(i));
  CHECK(seen == expected);
}

TEST_CASE("Subscribers get only what matches") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::SubscribeRequest request;
  request.mutable_filter()->add_types("wanted");
  auto subscription = exam.Subscribe(request);
  for (int i = 0; i < 20; ++i) exam.Append(i % 5 == 4 ? "wanted" : "other");
  CHECK(subscription.Take(4) == Types{"wanted", "wanted", "wanted", "wanted"});
}

TEST_CASE("A reader that does not read loses nothing and holds up nobody") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  auto slow = exam.Subscribe();
  auto quick = exam.Subscribe();
  v1::EventRun large = Run("large", std::vector<uint64_t>(1000, 1));
  (*large.mutable_details())["message"] = std::string(1000, 'x');
  constexpr size_t kBatches = 20;
  for (size_t i = 0; i < kBatches; ++i) {
    exam.Append({large});
    CHECK(quick.Take(1000).size() == 1000);
  }
  CHECK(slow.Take(kBatches * 1000).size() == kBatches * 1000);
}

TEST_CASE("Many subscribers follow many sources, each in order") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  constexpr int kSources = 4;
  constexpr uint64_t kBatches = 25;
  constexpr size_t kSubscribers = 20;
  std::deque<Subscription> subscriptions;
  auto stub = v1::EventsService::NewStub(exam.subject().channel());
  for (size_t i = 0; i < kSubscribers; ++i)
    subscriptions.emplace_back(*stub, v1::SubscribeRequest());
  std::vector<std::thread> sources;
  for (int source = 0; source < kSources; ++source) {
    sources.emplace_back([&exam, source] {
      const std::string name = "source" + std::to_string(source);
      for (uint64_t i = 1; i <= kBatches; ++i) {
        const auto number =
            exam.TryAppend(Request(name, i, Encode({Run(name + " " + std::to_string(100 + i))})));
        if (!number.ok() || *number != i) std::abort();
      }
    });
  }
  Types first;
  for (Subscription& subscription : subscriptions) {
    const Types types = subscription.Take(kSources * kBatches);
    if (first.empty()) first = types;
    CHECK(types == first);
  }
  for (std::thread& source : sources) source.join();
  for (int source = 0; source < kSources; ++source) {
    Types own;
    std::copy_if(first.begin(), first.end(), std::back_inserter(own), [&](const std::string& type) {
      return type.starts_with("source" + std::to_string(source));
    });
    CHECK(own.size() == kBatches);
    CHECK(std::is_sorted(own.begin(), own.end()));
  }
}

TEST_CASE("Readers that come after retention are told of the gap") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("first");
  v1::ReadRequest read;
  read.set_after(exam.Read().events(0).position());
  exam.Append("second");
  CHECK_FALSE(exam.Read(read).gap());
  v1::EventRun large = Run("large");
  (*large.mutable_details())["message"] = std::string(100'000, 'x');
  for (int i = 0; i < 60; ++i) exam.Append({large});

  const auto page = exam.Read(read);
  CHECK(page.gap());
  CHECK(page.events(0).type() == "large");
  v1::SubscribeRequest request;
  request.set_after(read.after());
  auto late = exam.Subscribe(request);
  const auto message = late.Next();
  CHECK(message.gap());
  CHECK(message.events(0).type() == "large");
  read.clear_after();
  CHECK_FALSE(exam.Read(read).gap());
}

TEST_CASE("A service that stops ends its streams, and says what to do") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  auto subscription = exam.Subscribe();
  subscription.Take(1);
  std::thread stop([&] { exam.subject().Stop(); });
  const absl::Status ended = subscription.Finish();
  stop.join();
  CHECK_REFUSED(ended, kUnavailable, "DRAINING");
}

TEST_CASE("After a restart a durable service goes on, and any other knows no old position") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  for (int i = 0; i < 10; ++i) exam.Append("event" + std::to_string(i));
  const auto before = exam.Read();
  exam.Restart();
  v1::SubscribeRequest request;
  request.set_after(before.events(4).position());
  if (!entry.durable) {
    CHECK(exam.Read().events().empty());
    CHECK_REFUSED(exam.Subscribe(request).Finish(), kOutOfRange, "UNKNOWN_POSITION");
    return;
  }
  CHECK(exam.Read().SerializeAsString() == before.SerializeAsString());
  CHECK(*exam.TryAppend(Request("inputs/0", 10, Encode({Run("repeat")}))) == 10);
  exam.Append("after");
  auto subscription = exam.Subscribe(request);
  CHECK(subscription.Take(6) == Types{"event5", "event6", "event7", "event8", "event9", "after"});
}

}  // namespace
}  // namespace kantoku::events
