// The exam of executors: what inputs.proto and outputs.proto ask of whoever runs tasks.
#include "tests/conformance/executor_exam/executor_exam.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/platform/ids.h"
#include "services/platform/mutex.h"
#include "services/platform/random.h"

namespace kantoku::executor_exam {
namespace {

using inputs::v1::Dispatch;
using testing::FakeConnection;
using Said = FakeConnection::Said;

// Of all cases, as an executor that goes on may remember earlier ones.
Dispatch NewTask(const std::string& type) {
  static uint64_t sequence = platform::SystemRandom() >> 24;
  Dispatch task;
  task.set_task_id(std::string(platform::TaskId::Make(absl::Now(), 1, ++sequence, 7).bytes()));
  task.set_dispatch(1);
  task.set_attempt(1);
  task.set_type(type);
  task.set_payload(absl::StrCat("payload ", sequence));
  task.set_lease_token(absl::StrCat("lease ", sequence));
  return task;
}

template <typename Report>
const Report* Find(const std::vector<Report>& reports, const Dispatch& task) {
  for (const Report& report : reports) {
    if (report.task_id() == task.task_id() && report.dispatch() == task.dispatch()) return &report;
  }
  return nullptr;
}

bool IsOurs(const outputs::v1::PutRequest& request) {
  return std::ranges::all_of(
      request.items(), [](const auto& item) { return item.lease_token().starts_with("lease "); });
}

// What Outputs does with what it is given, and what that was.
class Puts {
 public:
  using Script = std::function<std::optional<grpc::Status>(const outputs::v1::PutRequest&,
                                                           outputs::v1::PutResponse&)>;

  // The script answers; where it returns nothing, all is taken.
  explicit Puts(testing::FakeServices& services, Script script = nullptr) : services_(services) {
    services.OnPut([state = state_, script = std::move(script), &services](const auto& request,
                                                                           auto& response) {
      if (!IsOurs(request)) return TakeOurs(services)(request, response);
      {
        const platform::MutexLock lock(state->mutex);
        state->sessions.push_back(request.session_id());
        ++state->puts;
      }
      if (script) {
        if (const auto status = script(request, response)) return *status;
      }
      return services.TakeAll(request, response);
    });
  }
  ~Puts() { services_.OnPut(TakeOurs(services_)); }
  Puts(const Puts&) = delete;
  Puts& operator=(const Puts&) = delete;

  std::vector<std::string> sessions() const {
    const platform::MutexLock lock(state_->mutex);
    return state_->sessions;
  }
  int count() const {
    const platform::MutexLock lock(state_->mutex);
    return state_->puts;
  }

 private:
  struct State {
    platform::Mutex mutex;
    std::vector<std::string> sessions ABSL_GUARDED_BY(mutex);
    int puts ABSL_GUARDED_BY(mutex) = 0;
  };

  testing::FakeServices& services_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// An executor that is spoken with, over one connection after another.
class Exam {
 public:
  explicit Exam(const ExecutorEntry& entry) : subject_(entry.make()) {
    services().OnPut(TakeOurs(services()));
    Next();
  }
  ~Exam() { HangUp(); }

  testing::FakeServices& services() { return subject_->services(); }
  FakeConnection& inputs() { return *connection_; }
  Said said() { return connection_->said(); }

  // Ends the connection, as an Inputs that goes away, and waits for the next one.
  void Reconnect() {
    HangUp();
    Next();
  }
  // Takes what the executor says to hold of these, and refuses all else, which is of earlier cases.
  void Welcome(const std::vector<Dispatch>& held = {}) {
    inputs::v1::PullResponse frame;
    auto& welcome = *frame.mutable_welcome();
    welcome.set_max_credit(1000);
    welcome.mutable_ping_interval()->set_seconds(10);
    welcome.mutable_grace()->set_seconds(120);
    const inputs::v1::Hello hello = said().hello;
    for (const auto& each : hello.held()) {
      auto& answer = *welcome.add_held();
      const auto mine = std::ranges::find(held, each.task_id(), &Dispatch::task_id);
      if (mine == held.end()) {
        answer.mutable_status()->set_code(grpc::StatusCode::FAILED_PRECONDITION);
        answer.mutable_status()->set_reason("NOT_HELD");
        answer.mutable_status()->set_message("of an earlier case");
      } else if (each.receipt().empty()) {
        answer.set_lease_token(mine->lease_token());
      } else {
        answer.set_confirmed(true);
      }
    }
    connection_->Send(frame);
  }

  // Whether the executor has said so in its hello.
  bool Holds(const Dispatch& task) {
    const inputs::v1::Hello hello = said().hello;
    return std::ranges::any_of(hello.held(),
                               [&](const auto& held) { return held.task_id() == task.task_id(); });
  }

  void Send(const std::vector<Dispatch>& tasks) { connection_->SendTasks(tasks); }
  void Control(const Dispatch& task, inputs::v1::HandlerAction action) {
    connection_->SendControl(task.task_id(), task.dispatch(), action);
  }
  void AwaitStarted(const Dispatch& task) {
    INFO("the task is said to have started");
    REQUIRE(connection_->Await([&](const Said& said) { return Find(said.started, task); }));
  }
  inputs::v1::Ack AwaitAck(const Dispatch& task) {
    INFO("the task is acknowledged");
    REQUIRE(connection_->Await([&](const Said& said) { return Find(said.acks, task); }));
    return *Find(said().acks, task);
  }
  inputs::v1::Nack AwaitNack(const Dispatch& task) {
    INFO("the task is handed back");
    REQUIRE(connection_->Await([&](const Said& said) { return Find(said.nacks, task); }));
    return *Find(said().nacks, task);
  }
  std::string AwaitResult(const Dispatch& task) {
    std::string data;
    INFO("the result is in Outputs");
    REQUIRE(services().AwaitResult(task.lease_token(), &data));
    return data;
  }
  // Returns once the executor has read everything that was sent before.
  void AwaitReading() {
    inputs::v1::PullResponse frame;
    frame.mutable_ping()->set_number(++pings_);
    connection_->Send(frame);
    INFO("a ping is answered");
    REQUIRE(connection_->Await([&](const Said& said) {
      return std::ranges::find(said.pongs, frame.ping().number()) != said.pongs.end();
    }));
  }

 private:
  void HangUp() {
    if (connection_ == nullptr) return;
    connection_->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));
    connection_ = nullptr;
  }
  void Next() {
    do {
      connection_ = services().NextConnection();
      INFO("the executor connects");
      REQUIRE(connection_ != nullptr);
    } while (connection_->said().hung_up);
  }

  const std::unique_ptr<ExecutorSubject> subject_;
  std::shared_ptr<FakeConnection> connection_;
  uint64_t pings_ = 1'000'000;
};

// Runs `body(exam)` for every entry.
template <typename Body>
void ForEveryExecutor(Body body) {
  for (const ExecutorEntry& entry : AllExecutors()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      body(exam);
    }
  }
}

TEST_CASE("An executor says its session, what it runs and how much it takes, and then waits") {
  ForEveryExecutor([](Exam& exam) {
    const auto hello = exam.said().hello;
    CHECK(hello.session_id().size() == 16);
    for (const char* const type : {kEcho, kFail, kWait}) {
      INFO(type);
      CHECK(std::ranges::find(hello.types(), type) != hello.types().end());
    }
    CHECK(hello.credit().max_held() >= 1);
    CHECK(hello.credit().max_held() <= kMostCredit);
    CHECK(exam.said().frames == 1);  // Nothing but that before it is welcome.
    exam.Welcome();
    exam.AwaitReading();
  });
}

TEST_CASE("A task is run, its result put, and acknowledged with the receipt of Outputs") {
  ForEveryExecutor([](Exam& exam) {
    const Puts puts(exam.services());
    exam.Welcome();
    const Dispatch task = NewTask(kEcho);
    exam.Send({task});
    const auto ack = exam.AwaitAck(task);
    CHECK(ack.receipt() == "receipt of " + task.lease_token());
    CHECK(exam.AwaitResult(task) == task.payload());
    REQUIRE_FALSE(puts.sessions().empty());
    CHECK(puts.sessions().back() == exam.said().hello.session_id());
  });
}

TEST_CASE("All tasks that are sent together are run") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    for (uint32_t round = 0; round < 3; ++round) {
      std::vector<Dispatch> tasks;
      const uint32_t credit = std::min(exam.said().hello.credit().max_held(), kMostCredit);
      for (uint32_t i = 0; i < credit; ++i) tasks.push_back(NewTask(kEcho));
      exam.Send(tasks);
      for (const Dispatch& task : tasks) exam.AwaitAck(task);
      exam.inputs().Confirm(exam.said().acks);
    }
  });
}

TEST_CASE("A handler that fails has begun and failed, says why, and nothing is put") {
  ForEveryExecutor([](Exam& exam) {
    const Puts puts(exam.services());
    exam.Welcome();
    const Dispatch task = NewTask(kFail);
    exam.Send({task});
    const auto nack = exam.AwaitNack(task);
    const bool failed = nack.kind() == inputs::v1::NACK_KIND_FAILED ||
                        nack.kind() == inputs::v1::NACK_KIND_FAILED_FINALLY;
    CHECK(failed);
    CHECK_FALSE(nack.error().reason().empty());
    const Said said = exam.said();
    CHECK(Find(said.started, task) != nullptr);
    CHECK(Find(said.acks, task) == nullptr);
    CHECK(puts.count() == 0);
  });
}

TEST_CASE("A result is put again until Outputs takes it, and acknowledged only then") {
  ForEveryExecutor([](Exam& exam) {
    auto refusals = std::make_shared<std::atomic<int>>(0);
    const Puts puts(exam.services(), [refusals](const auto&, auto&) -> std::optional<grpc::Status> {
      if (++*refusals > 2) return std::nullopt;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
    });
    exam.Welcome();
    const Dispatch task = NewTask(kEcho);
    exam.Send({task});
    CHECK(exam.AwaitAck(task).receipt() == "receipt of " + task.lease_token());
    CHECK(puts.count() == 3);
  });
}

TEST_CASE("A fenced result is handed back, and costs no attempt") {
  ForEveryExecutor([](Exam& exam) {
    const Puts puts(exam.services(),
                    [](const auto& request, auto& response) -> std::optional<grpc::Status> {
                      for (int i = 0; i < request.items_size(); ++i) {
                        auto& status = *response.add_results()->mutable_status();
                        status.set_code(grpc::StatusCode::FAILED_PRECONDITION);
                        status.set_reason("FENCED");
                        status.set_message("the dispatch was closed");
                      }
                      return grpc::Status::OK;
                    });
    exam.Welcome();
    const Dispatch task = NewTask(kEcho);
    exam.Send({task});
    CHECK(exam.AwaitNack(task).kind() == inputs::v1::NACK_KIND_RETURNED);
    CHECK(Find(exam.said().acks, task) == nullptr);
  });
}

TEST_CASE("A renewed lease is what a result comes with") {
  ForEveryExecutor([](Exam& exam) {
    const Dispatch task = NewTask(kEcho);
    const std::string renewed = task.lease_token() + " renewed";
    const Puts puts(exam.services(),
                    [renewed](const auto& request, auto&) -> std::optional<grpc::Status> {
                      for (const auto& item : request.items()) {
                        if (item.lease_token() == renewed) return std::nullopt;
                      }
                      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
                    });
    exam.Welcome();
    exam.Send({task});
    inputs::v1::PullResponse frame;
    auto& renewal = *frame.add_renewals();
    renewal.set_task_id(task.task_id());
    renewal.set_dispatch(task.dispatch());
    renewal.set_lease_token(renewed);
    exam.inputs().Send(frame);
    CHECK(exam.AwaitAck(task).receipt() == "receipt of " + renewed);
  });
}

TEST_CASE("What is sent beyond the credit comes back without a run") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    const uint32_t credit = exam.said().hello.credit().max_held();
    REQUIRE(credit <= kMostCredit);
    std::vector<Dispatch> tasks;
    for (uint32_t i = 0; i <= credit; ++i) tasks.push_back(NewTask(kWait));
    exam.Send(tasks);
    const Dispatch last = tasks.back();
    CHECK(exam.AwaitNack(last).kind() == inputs::v1::NACK_KIND_RETURNED);
    CHECK(Find(exam.said().started, last) == nullptr);
    tasks.pop_back();
    for (const Dispatch& task : tasks) exam.Control(task, inputs::v1::HANDLER_ACTION_CANCEL);
    for (const Dispatch& task : tasks) exam.AwaitNack(task);
  });
}

TEST_CASE("A handler that is to be cancelled says so when it has stopped") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    const Dispatch task = NewTask(kWait);
    exam.Send({task});
    exam.AwaitStarted(task);
    exam.Control(task, inputs::v1::HANDLER_ACTION_CANCEL);
    CHECK(exam.AwaitNack(task).kind() == inputs::v1::NACK_KIND_CANCELLED);
  });
}

TEST_CASE("A dispatch that is taken back is stopped, and not spoken of again") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    std::vector<Dispatch> tasks;
    // Of all that it can hold, so that a handler which went on would be in the way.
    const uint32_t credit = exam.said().hello.credit().max_held();
    REQUIRE(credit <= kMostCredit);
    for (uint32_t i = 0; i < credit; ++i) tasks.push_back(NewTask(kWait));
    exam.Send(tasks);
    exam.AwaitStarted(tasks.front());
    for (const Dispatch& task : tasks) exam.Control(task, inputs::v1::HANDLER_ACTION_REVOKE);
    exam.AwaitReading();
    const Dispatch next = NewTask(kEcho);
    exam.Send({next});
    exam.AwaitAck(next);
    const Said said = exam.said();
    for (const Dispatch& task : tasks) {
      CHECK(Find(said.nacks, task) == nullptr);
      CHECK(Find(said.acks, task) == nullptr);
    }
  });
}

TEST_CASE("A handler is stopped at the end of its time, and has failed") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    Dispatch task = NewTask(kWait);
    task.mutable_timeout()->set_nanos(50'000'000);
    exam.Send({task});
    const auto nack = exam.AwaitNack(task);
    CHECK(nack.kind() == inputs::v1::NACK_KIND_FAILED);
    CHECK(nack.error().reason() == "TIMEOUT");
  });
}

TEST_CASE("The session survives its connection, says what it holds, and goes on with it") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    const std::string session = exam.said().hello.session_id();
    const Dispatch task = NewTask(kWait);
    exam.Send({task});
    exam.AwaitStarted(task);
    exam.Reconnect();
    const auto hello = exam.said().hello;
    CHECK(hello.session_id() == session);
    const auto held = std::ranges::find(hello.held(), task.task_id(), &inputs::v1::Held::task_id);
    REQUIRE(held != hello.held().end());
    CHECK(held->dispatch() == task.dispatch());
    CHECK(held->started());
    CHECK(held->receipt().empty());
    exam.Welcome({task});
    exam.Control(task, inputs::v1::HANDLER_ACTION_CANCEL);
    CHECK(exam.AwaitNack(task).kind() == inputs::v1::NACK_KIND_CANCELLED);
  });
}

TEST_CASE("A receipt is shown on the next connection unless it was confirmed") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    const Dispatch confirmed = NewTask(kEcho);
    const Dispatch open = NewTask(kEcho);
    exam.Send({confirmed});
    exam.inputs().Confirm({exam.AwaitAck(confirmed)});
    exam.AwaitReading();
    exam.Send({open});
    exam.AwaitAck(open);
    exam.Reconnect();
    const auto hello = exam.said().hello;
    const auto find = [&](const Dispatch& task) {
      return std::ranges::find(hello.held(), task.task_id(), &inputs::v1::Held::task_id);
    };
    CHECK(find(confirmed) == hello.held().end());
    REQUIRE(find(open) != hello.held().end());
    CHECK(find(open)->receipt() == "receipt of " + open.lease_token());
    exam.Welcome({open});
    exam.AwaitReading();
    exam.Reconnect();
    CHECK_FALSE(exam.Holds(open));
  });
}

TEST_CASE("What Inputs refuses in its welcome is dropped") {
  ForEveryExecutor([](Exam& exam) {
    exam.Welcome();
    const Dispatch task = NewTask(kWait);
    exam.Send({task});
    exam.AwaitStarted(task);
    exam.Reconnect();
    exam.Welcome();  // Refuses it.
    exam.AwaitReading();
    exam.Reconnect();
    CHECK_FALSE(exam.Holds(task));
    exam.Welcome();
    const Dispatch next = NewTask(kEcho);
    exam.Send({next});
    exam.AwaitAck(next);
    CHECK(Find(exam.said().nacks, task) == nullptr);
  });
}

}  // namespace

testing::FakeServices::PutScript TakeOurs(testing::FakeServices& services) {
  return [&services](const auto& request, auto& response) {
    if (IsOurs(request)) return services.TakeAll(request, response);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "this is no Outputs of that task");
  };
}

}  // namespace kantoku::executor_exam
