// The part of the exam of OutputsService that is about futures.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "tests/conformance/outputs_exam/exam_client.h"

namespace kantoku::outputs {
namespace {

TEST_CASE("Futures are resolved by what is there and by what comes") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      for (uint64_t task = 1; task <= 2; ++task) {
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
      }
      exam.Put(exam.Item(1, 1, "before"));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      const auto before = futures.Next();
      CHECK(before.task_id() == Id(1));
      CHECK(before.status().code() == kOk);
      CHECK(before.result().data() == "before");
      exam.Put(exam.Item(2, 1, "after"));
      CHECK(futures.Next().result().data() == "after");
      futures.Add({Id(2)});
      CHECK(futures.Next().result().data() == "after");
    }
  }
}

TEST_CASE("Futures are resolved by how Inputs settles a task", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(1), task::v1::TASK_STATE_RUNNING);
      Futures futures = exam.Await();
      futures.Add({Id(1)});
      exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_CANCELLED));
      CHECK(futures.Next().result().status() == v1::RESULT_STATUS_CANCELLED);
    }
  }
}

TEST_CASE("A task that Inputs knows is waited for, however long it lives", "[keys][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(1), task::v1::TASK_STATE_RUNNING);
      Futures futures = exam.Await();
      futures.Add({Id(1)});
      exam.subject().AwaitQuestions(1);
      exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_CANCELLED));
      CHECK(futures.Next().result().status() == v1::RESULT_STATUS_CANCELLED);
    }
  }
}

TEST_CASE("What nobody knows, what is gone and what is no id is answered as such",
          "[inputs][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_SUCCEEDED);
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2), "no id"});
      std::map<std::string, v1::AwaitResult> answers;
      for (int i = 0; i < 3; ++i) {
        const v1::AwaitResult answer = futures.Next();
        answers[answer.task_id()] = answer;
      }
      CheckStatus(answers[Id(1)].status(), kNotFound, "UNKNOWN_TASK");
      CheckStatus(answers[Id(2)].status(), kNotFound, "RESULT_GONE");
      CheckStatus(answers["no id"].status(), kInvalidArgument, "INVALID_ID");
    }
  }
}

TEST_CASE("A result is gone once its retention is over", "[keys][retention]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease brief = LeaseOf(Task(1), 1);
      brief.retention = absl::ZeroDuration();
      CheckStatus(exam.Put(exam.Item(brief)).status(), kOk, "");
      exam.PassTheShortestRetention();
      Futures futures = exam.Await();
      futures.Add({Id(2)});
      futures.Next();
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "RESULT_GONE");
      futures.Add({Id(1)});
      CheckStatus(futures.Next().status(), kNotFound, "RESULT_GONE");
      CheckStatus(exam.Put(exam.Item(1, 2)).status(), kAlreadyExists, "HAS_RESULT");
    }
  }
}

TEST_CASE("While Inputs is away futures wait", "[inputs][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetInputsThere(false);
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      exam.subject().AwaitQuestions(2);
      exam.Put(exam.Item(2, 1, "came anyway"));
      CHECK(futures.Next().result().data() == "came anyway");
      exam.subject().SetInputsThere(true);
      CheckStatus(futures.Next().status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("A task of which Inputs cannot say anything waits, and the others do not wait with it",
          "[inputs][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().DamageTask(Id(1));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      CHECK(futures.Next().task_id() == Id(2));
      futures.Add({Id(3)});
      CheckStatus(futures.Next().status(), kNotFound, "UNKNOWN_TASK");
      exam.Put(exam.Item(1, 1, "came anyway"));
      CHECK(futures.Next().result().data() == "came anyway");
    }
  }
}

TEST_CASE("What was forgotten is not answered", "[unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      for (uint64_t task = 1; task <= 2; ++task) {
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
      }
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      futures.Add({"ping"}, {Id(1)});
      CHECK(futures.Next().task_id() == "ping");
      exam.Put(exam.Item(3, 1));
      futures.Add({Id(3)});  // When it is answered, what was asked before it has been applied.
      CHECK(futures.Next().task_id() == Id(3));
      exam.Put({exam.Item(1, 1), exam.Item(2, 1)});
      CHECK(futures.Next().task_id() == Id(2));
      futures.HalfClose();
      CHECK(futures.Finish().ok());
    }
  }
}

TEST_CASE("A client that asks for no more gets all its answers, then the end") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_RUNNING);
      exam.Put(exam.Item(1, 1));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      futures.HalfClose();
      CHECK(futures.Next().task_id() == Id(1));
      exam.Put(exam.Item(2, 1));
      CHECK(futures.Next().task_id() == Id(2));
      v1::AwaitResult none;
      CHECK_FALSE(futures.Next(none));
      CHECK(futures.Finish().ok());
    }
  }
}

TEST_CASE("A stream that asks for too much is ended", "[bounds][inputs][limits]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      Futures at_once = exam.Await();
      at_once.Add(std::vector<std::string>(10'001, Id(1)));
      CHECK(at_once.Finish().code() == absl::StatusCode::kResourceExhausted);

      exam.subject().SetInputsThere(false);
      Futures in_all = exam.Await();
      for (uint64_t begin = 0; begin < 30'000; begin += 10'000) {
        std::vector<std::string> ids;
        for (uint64_t i = begin; i < begin + 10'000; ++i) ids.push_back(Id(2 * i + 1));
        in_all.Add(ids);
      }
      CHECK(in_all.Finish().code() == absl::StatusCode::kResourceExhausted);
    }
  }
}

TEST_CASE("A client that reads slowly misses nothing", "[load]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      constexpr uint64_t kResults = 100;
      const std::string data(1 << 20, 'x');
      Futures futures = exam.Await();
      std::vector<std::string> early;
      std::vector<std::string> late;
      for (uint64_t task = 0; task < kResults; ++task) {
        const std::string id = Id(task);
        exam.subject().SetTask(id, task::v1::TASK_STATE_RUNNING);
        (task < kResults / 2 ? early : late).push_back(id);
      }
      futures.Add(early);
      for (uint64_t task = 0; task < kResults; task += 10) {
        std::vector<v1::PutItem> items;
        for (uint64_t i = task; i < task + 10; ++i) items.push_back(exam.Item(i, 1, data));
        for (const auto& result : exam.Put(items)) CHECK(result.status().code() == kOk);
      }
      futures.Add(late);
      futures.HalfClose();
      std::set<std::string> answered;
      v1::AwaitResult answer;
      while (futures.Next(answer)) {
        CHECK(answer.result().data().size() == data.size());
        CHECK(answered.insert(answer.task_id()).second);
      }
      CHECK(answered.size() == kResults);
      CHECK(futures.Finish().ok());
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs
