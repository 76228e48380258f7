// The exam of OutputsService: what outputs.proto promises, asked through gRPC of every build of it.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "tests/conformance/outputs_exam/exam_client.h"

namespace kantoku::outputs {
namespace {

TEST_CASE("A result is there as it was put, with a receipt that proves it") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const std::string data("\0\xff any bytes", 12);
      const uint32_t dispatch = exam.subject().HasKeys() ? 2 : 1;
      const auto put = exam.Put(exam.Item(1, dispatch, data));
      CheckStatus(put.status(), kOk, "");
      exam.CheckReceipt(put.receipt(), 1, dispatch);

      const auto got = exam.Get(Id(1));
      CheckStatus(got.status(), kOk, "");
      CHECK(got.result().task_id() == Id(1));
      CHECK(got.result().status() == v1::RESULT_STATUS_SUCCEEDED);
      CHECK(got.result().data() == data);
      CHECK(got.result().content_type() == "text/plain");
      CHECK(got.result().dispatch() == dispatch);
      CHECK_FALSE(got.result().has_error());
      CHECK(got.result().ended_at().seconds() > 1'700'000'000);
    }
  }
}

TEST_CASE("The first result of a task wins for good") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const bool has_keys = exam.subject().HasKeys();
      const uint32_t winner = has_keys ? 2 : 1;
      const auto first = exam.Put(exam.Item(1, winner, "first"));
      const auto repeated = exam.Put(exam.Item(1, winner, "again"));
      CheckStatus(repeated.status(), kOk, "");
      CHECK(repeated.receipt() == first.receipt());
      CHECK(exam.Get(Id(1)).result().data() == "first");
      if (!has_keys) return;
      for (const uint32_t dispatch : {1, 3}) {
        const auto other = exam.Put(exam.Item(1, dispatch, "other"));
        CheckStatus(other.status(), kAlreadyExists, "HAS_RESULT");
        CHECK(other.receipt().empty());
        CHECK(other.winner() == v1::RESULT_STATUS_SUCCEEDED);
      }
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_SUCCEEDED);
      CHECK(exam.Get(Id(1)).result().data() == "first");

      // Within one request as well.
      const auto both = exam.Put({exam.Item(2, 1, "first"), exam.Item(2, 2, "second")});
      CheckStatus(both[0].status(), kOk, "");
      CheckStatus(both[1].status(), kAlreadyExists, "HAS_RESULT");
    }
  }
}

TEST_CASE("A result needs a genuine lease, and bad items stop no good ones") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      v1::PutItem forged = exam.Item(3, 1);
      forged.mutable_lease_token()->back() ^= 1;
      v1::PutItem empty = exam.Item(4, 1);
      empty.clear_lease_token();
      const auto results = exam.Put({empty, exam.Item(5, 1), forged, exam.Item(6, 1)});
      for (const size_t bad : {0, 2}) {
        INFO("item " << bad);
        CheckStatus(results[bad].status(), kPermissionDenied, "INVALID_LEASE");
        CHECK(results[bad].receipt().empty());
      }
      CheckStatus(results[1].status(), kOk, "");
      CheckStatus(results[3].status(), kOk, "");
      for (const uint64_t task : {3, 4}) {
        CheckStatus(exam.Get(Id(task)).status(), kNotFound, "UNKNOWN_TASK");
      }
      CheckStatus(exam.Get(Id(6)).status(), kOk, "");
    }
  }
}

TEST_CASE("A lease is good until it ends", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease ended = LeaseOf(Task(1), 1);
      ended.expires = absl::Now() - absl::Seconds(1);
      const auto put = exam.Put(exam.Item(ended));
      CheckStatus(put.status(), kPermissionDenied, "INVALID_LEASE");
      CHECK(put.receipt().empty());
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("A lease is its caller's own", "[keys][owners]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease of_another = LeaseOf(Task(1), 1);
      of_another.holder.client_id = "another";
      const auto results = exam.Put({exam.Item(of_another), exam.Item(2, 1)});
      CheckStatus(results[0].status(), kPermissionDenied, "INVALID_LEASE");
      CHECK(results[0].receipt().empty());
      CheckStatus(results[1].status(), kOk, "");
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("A lease is good in its own session only, which every Put names") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      v1::PutRequest of_another;
      of_another.set_session_id("fedcba9876543210");
      *of_another.add_items() = exam.Item(1, 1, "stolen");
      const auto stolen = exam.TryPut(of_another);
      REQUIRE(stolen.ok());
      REQUIRE(stolen->results_size() == 1);
      CheckStatus(stolen->results(0).status(), kPermissionDenied, "INVALID_LEASE");
      CHECK(stolen->results(0).receipt().empty());
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "UNKNOWN_TASK");
      // The door stays open for the session that holds the dispatch.
      CheckStatus(exam.Put(exam.Item(1, 1, "genuine")).status(), kOk, "");
      CHECK(exam.Get(Id(1)).result().data() == "genuine");

      v1::PutRequest request;
      *request.add_items() = exam.Item(3, 1);
      for (const char* const bad : {"", "short"}) {
        request.set_session_id(bad);
        const absl::Status refused = exam.TryPut(request).status();
        CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
        CHECK(platform::ReasonOf(refused) == "INVALID_ID");
        CHECK(std::string(refused.message()).starts_with("session_id: "));
      }
    }
  }
}

TEST_CASE("What is too large or too many is refused with value and limit",
          "[bounds][keys][limits]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto large = exam.Put({exam.Item(1, 1, std::string((4 << 20) + 1, 'x')),
                                   exam.Item(2, 1, std::string(4 << 20, 'x'))});
      CheckStatus(large[0].status(), kInvalidArgument, "RESULT_TOO_LARGE");
      CHECK(large[0].status().message() == "data has 4194305 bytes; at most 4194304 are taken");
      CheckStatus(large[1].status(), kOk, "");
      CHECK(exam.Get(Id(2)).result().data().size() == 4 << 20);

      v1::PutItem long_type = exam.Item(3, 1);
      long_type.set_content_type(std::string(256, 'x'));
      CheckStatus(exam.Put(long_type).status(), kInvalidArgument, "TEXT_TOO_LONG");

      v1::PutRequest request;
      request.set_session_id(std::string(Session().bytes()));
      CHECK(exam.TryPut(request).status().code() == absl::StatusCode::kInvalidArgument);
      for (int i = 0; i < 10'001; ++i) request.add_items();
      CHECK(exam.TryPut(request).status().code() == absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryGet({}).status().code() == absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryGet(std::vector<std::string>(10'001, Id(1))).status().code() ==
            absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryFence({}).status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("Get answers item by item, and says what it has no room for", "[bounds][load]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      std::vector<std::string> ids;
      for (uint64_t task = 1; task <= 6; ++task) {
        exam.Put(exam.Item(task, 1, std::string(3 << 20, 'x')));
        ids.push_back(Id(task));
      }
      const auto response = exam.TryGet(ids);
      REQUIRE(response.ok());
      int there = 0;
      for (int i = 0; i < 6; ++i) {
        const v1::GetResult& result = response->results(i);
        if (result.status().code() == kOk) {
          ++there;
          CHECK(result.result().task_id() == ids[i]);
        } else {
          CheckStatus(result.status(), kResourceExhausted, "ANSWER_TOO_LARGE");
        }
      }
      CHECK(there == 5);

      const auto mixed = exam.TryGet({Id(1), "no id", Guess(1), Id(1), Id(99)});
      REQUIRE(mixed.ok());
      CHECK(mixed->results(0).status().code() == kOk);
      CheckStatus(mixed->results(1).status(), kInvalidArgument, "INVALID_ID");
      CheckStatus(mixed->results(2).status(), kNotFound, "UNKNOWN_TASK");  // A guessed id.
      CHECK(mixed->results(3).status().code() == kOk);
      CheckStatus(mixed->results(4).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("Only Inputs may fence") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto nobody = exam.TryFence({Exam::Closing(1, 1)}, 1, "");
      CHECK(nobody.status().code() == absl::StatusCode::kPermissionDenied);
      CHECK(platform::ReasonOf(nobody.status()) == "NOT_A_SERVICE");
      if (exam.subject().HasKeys()) {
        const auto events = exam.TryFence({Exam::Closing(1, 1)}, 1, "events");
        CHECK(events.status().code() == absl::StatusCode::kPermissionDenied);
      }
      CheckStatus(exam.Put(exam.Item(1, 1)).status(), kOk, "");
    }
  }
}

TEST_CASE("A fence keeps out its dispatch and earlier ones", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto closed = exam.Fence(Exam::Closing(1, 2));
      CheckStatus(closed.status(), kOk, "");
      CHECK(closed.terminal() == v1::RESULT_STATUS_UNSPECIFIED);
      if (exam.durable()) exam.Restart();
      for (const uint32_t dispatch : {1, 2}) {
        const auto refused = exam.Put(exam.Item(1, dispatch));
        CheckStatus(refused.status(), kFailedPrecondition, "FENCED");
        CHECK(refused.receipt().empty());
      }
      CheckStatus(exam.Put(exam.Item(1, 3)).status(), kOk, "");
      CHECK(exam.Fence(Exam::Closing(1, 3)).terminal() == v1::RESULT_STATUS_SUCCEEDED);
    }
  }
}

TEST_CASE("A settlement becomes the result of a task that has none", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_CANCELLED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      const auto put = exam.Put(exam.Item(1, 1));
      CheckStatus(put.status(), kAlreadyExists, "HAS_RESULT");
      CHECK(put.winner() == v1::RESULT_STATUS_FAILED);
      const v1::Result result = exam.Get(Id(1)).result();
      CHECK(result.status() == v1::RESULT_STATUS_FAILED);
      CHECK(result.error().reason() == "TIMEOUT");
      CHECK(result.error().message() == "took too long");
      CHECK(result.data().empty());

      v1::FenceItem lie = Exam::Settling(2, v1::RESULT_STATUS_SUCCEEDED);
      CheckStatus(exam.Fence(lie).status(), kInvalidArgument, "INVALID_STATUS");
      v1::FenceItem chatty = Exam::Settling(3, v1::RESULT_STATUS_FAILED);
      chatty.mutable_settlement()->mutable_error()->set_message(std::string(5000, 'x'));
      CheckStatus(exam.Fence(chatty).status(), kOk, "");
      CHECK(exam.Get(Id(3)).result().error().message().size() == 4096);
    }
  }
}

TEST_CASE(
    "Without room Put is refused with a hint, and fences and settlements go on, nothing leaves",
    "[keys][limits][restart]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetMaxBytes(2'000'000);
      exam.Restart();
      const std::string data(1'000'000, 'x');
      const auto puts = exam.Put({exam.Item(1, 1, data), exam.Item(3, 1, data), exam.Item(5, 1)});
      CheckStatus(puts[0].status(), kOk, "");
      CheckStatus(puts[1].status(), kOk, "");
      CheckStatus(puts[2].status(), kResourceExhausted, "OUTPUTS_FULL");
      CHECK(puts[2].receipt().empty());
      CHECK(puts[2].status().retry_after().seconds() >= 1);
      CHECK(exam.Put(exam.Item(1, 1, data)).receipt() == puts[0].receipt());

      CheckStatus(exam.Fence(Exam::Closing(5, 1)).status(), kOk, "");
      CHECK(exam.Fence(Exam::Settling(7, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      if (entry.durable) {
        exam.Restart();
        CheckStatus(exam.Put(exam.Item(9, 1)).status(), kResourceExhausted, "OUTPUTS_FULL");
        CHECK(exam.Get(Id(1)).result().data() == data);
        exam.subject().SetMaxBytes(4'000'000);
        exam.Restart();
      } else {
        exam.Restart();
      }
      CheckStatus(exam.Put(exam.Item(9, 1)).status(), kOk, "");
    }
  }
}

TEST_CASE("An epoch that is over cannot fence", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Fence(Exam::Closing(1, 1), 5);
      if (exam.durable()) exam.Restart();
      const auto stale = exam.TryFence({Exam::Closing(3, 1)}, 4);
      CHECK(stale.status().code() == absl::StatusCode::kAborted);
      CheckStatus(exam.Put(exam.Item(3, 1)).status(), kOk, "");
      CHECK(exam.TryFence({Exam::Closing(5, 1)}, 6).ok());
    }
  }
}

TEST_CASE("A restart ends futures, and keeps what is durable", "[restart]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto put = exam.Put(exam.Item(1, 1, "kept"));
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_RUNNING);
      {
        Futures futures = exam.Await();
        futures.Add({Id(1), Id(2)});
        CHECK(futures.Next().task_id() == Id(1));
        exam.subject().Stop();
        CHECK(futures.Finish().code() == absl::StatusCode::kUnavailable);
      }
      exam.Restart();
      const auto got = exam.Get(Id(1));
      CHECK(got.status().code() == (entry.durable ? kOk : kNotFound));
      if (entry.durable) {
        CHECK(got.result().data() == "kept");
        CHECK(exam.Put(exam.Item(1, 1)).receipt() == put.receipt());
        CheckStatus(exam.Put(exam.Item(1, 2)).status(), kAlreadyExists, "HAS_RESULT");
      }
    }
  }
}

// Several executors claim the same tasks under different dispatches, while several users wait.
TEST_CASE("Of many who put at once one wins each task, and every waiter hears of that one",
          "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      constexpr uint64_t kTasks = 1000;
      constexpr uint32_t kExecutors = 4;
      std::vector<std::string> ids;
      for (uint64_t task = 0; task < kTasks; ++task) {
        const std::string id = Id(task);
        ids.push_back(id);
        exam.subject().SetTask(id, task::v1::TASK_STATE_RUNNING);
      }
      std::vector<std::map<std::string, std::string>> heard(2);
      std::vector<std::map<uint64_t, int>> won(kExecutors);
      std::vector<std::thread> threads;
      threads.reserve(heard.size() + kExecutors);
      // Catch2 checks on one thread only.
      std::atomic<int> odd = 0;
      for (auto& mine : heard) {
        threads.emplace_back([&] {
          Futures futures = exam.Await();
          for (size_t begin = 0; begin < ids.size(); begin += 100) {
            futures.Add({ids.begin() + begin, ids.begin() + begin + 100});
          }
          futures.HalfClose();
          v1::AwaitResult answer;
          while (futures.Next(answer)) {
            const bool fresh = mine.emplace(answer.task_id(), answer.result().data()).second;
            if (!fresh || answer.status().code() != kOk) ++odd;
          }
          if (!futures.Finish().ok()) ++odd;
        });
      }
      for (uint32_t executor = 0; executor < kExecutors; ++executor) {
        threads.emplace_back([&, executor] {
          for (uint64_t begin = 0; begin < kTasks; begin += 50) {
            v1::PutRequest request;
            request.set_session_id(std::string(Session().bytes()));
            for (uint64_t i = begin; i < begin + 50; ++i) {
              const uint64_t task = executor % 2 == 0 ? i : kTasks - 1 - i;
              *request.add_items() = exam.Item(task, executor + 1, std::to_string(executor));
            }
            const auto response = exam.TryPut(request);
            if (!response.ok() || response->results_size() != request.items_size()) {
              ++odd;
              continue;
            }
            for (uint64_t i = begin; i < begin + 50; ++i) {
              const uint64_t task = executor % 2 == 0 ? i : kTasks - 1 - i;
              const int code = response->results(static_cast<int>(i - begin)).status().code();
              if (code == kOk) ++won[executor][task];
              if (code != kOk && code != kAlreadyExists) ++odd;
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(odd == 0);
      for (uint64_t task = 0; task < kTasks; ++task) {
        int winners = 0;
        std::string winner;
        for (uint32_t executor = 0; executor < kExecutors; ++executor) {
          if (won[executor].contains(task)) {
            ++winners;
            winner = std::to_string(executor);
          }
        }
        REQUIRE(winners == 1);
        for (const auto& mine : heard) REQUIRE(mine.at(Id(task)) == winner);
      }
    }
  }
}

TEST_CASE("In a random walk the service does what a model does", "[keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      std::mt19937 random(20'240'229);
      const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
      struct Model {
        v1::ResultStatus end = v1::RESULT_STATUS_UNSPECIFIED;
        uint32_t winner = 0;
        uint32_t fence = 0;
      };
      std::map<uint64_t, Model> models;
      for (int step = 0; step < 500; ++step) {
        INFO("step " << step);
        const uint64_t number = pick(60);
        const uint32_t dispatch = 1 + pick(4);
        Model& model = models[number];
        const bool ended = model.end != v1::RESULT_STATUS_UNSPECIFIED;
        switch (pick(exam.durable() && step % 50 == 0 ? 5 : 4)) {
          case 0: {
            const bool wins = model.end == v1::RESULT_STATUS_SUCCEEDED && model.winner == dispatch;
            const bool stored = !ended && dispatch > model.fence;
            const int expected = wins || stored ? kOk
                                 : ended        ? kAlreadyExists
                                                : kFailedPrecondition;
            REQUIRE(exam.Put(exam.Item(number, dispatch)).status().code() == expected);
            if (stored) model = {v1::RESULT_STATUS_SUCCEEDED, dispatch, 0};
            break;
          }
          case 1: {
            REQUIRE(exam.Fence(Exam::Closing(number, dispatch)).terminal() == model.end);
            if (!ended) model.fence = std::max(model.fence, dispatch);
            break;
          }
          case 2: {
            if (!ended && pick(3) == 0) model.end = v1::RESULT_STATUS_CANCELLED;
            if (model.end == v1::RESULT_STATUS_UNSPECIFIED) break;
            REQUIRE(exam.Fence(Exam::Settling(number, v1::RESULT_STATUS_CANCELLED)).terminal() ==
                    model.end);
            break;
          }
          case 3: {
            const auto got = exam.Get(Id(number));
            REQUIRE(got.status().code() == (ended ? kOk : kNotFound));
            REQUIRE(got.result().status() == model.end);
            break;
          }
          case 4:
            exam.Restart();
            break;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs
