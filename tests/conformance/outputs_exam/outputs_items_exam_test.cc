// The part of the exam of OutputsService that is about items.
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <utility>

#include "tests/conformance/outputs_exam/exam_client.h"

namespace kantoku::outputs {
namespace {

using Texts = std::vector<std::string>;

void SetRunning(Exam& exam, uint64_t task) {
  exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
}

TEST_CASE("Items come as they were put, in order, and then the result", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      ItemsRead early = exam.Read(1);
      exam.Yield(1, 1, 1, {"a", "b"});
      CHECK(early.NextTexts(2) == Texts{"1:1:a", "1:2:b"});
      exam.Yield(1, 1, 3, {"c"});
      CHECK(early.NextText() == "1:3:c");
      CheckStatus(exam.PutEnd(1, 1, 3).status(), kOk, "");
      CHECK(early.NextText() == "end:done");
      CHECK(early.Finish().ok());
      ItemsRead late = exam.Read(1);
      CHECK(late.NextTexts(5) == Texts{"1:1:a", "1:2:b", "1:3:c", "end:done", ""});
      CHECK(late.Finish().ok());
    }
  }
}

TEST_CASE("An item has the content type that it was put with", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const std::string data("\0\xff any bytes", 12);
      v1::ItemBatch batch = exam.Batch(1, 1, 1, {data, "x"});
      batch.mutable_items(1)->set_content_type("image/png");
      CheckStatus(exam.PutItems(batch).status(), kOk, "");
      ItemsRead items = exam.Read(1);
      v1::StreamResponse message;
      REQUIRE(items.Next(message));
      REQUIRE(message.items_size() == 2);
      CHECK(message.items(0).data() == data);
      CHECK(message.items(0).content_type() == "text/plain");
      CHECK(message.items(1).content_type() == "image/png");
    }
  }
}

TEST_CASE("A message of a stream is small, however many items there are and whatever their types",
          "[items][load]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      constexpr uint64_t kItems = 20'000;
      Exam exam(entry);
      v1::ItemBatch batch = exam.Batch(1, 1, 1, Texts(kItems, ""));
      for (auto& item : *batch.mutable_items()) item.set_content_type(std::string(255, 't'));
      CheckStatus(exam.PutItems(batch).status(), kOk, "");
      ItemsRead items = exam.Read(1);
      uint64_t read = 0;
      v1::StreamResponse message;
      while (read < kItems && items.Next(message)) {
        CHECK(message.ByteSizeLong() <= (256 << 10));
        CHECK(message.first_sequence() == read + 1);
        read += message.items_size();
      }
      CHECK(read == kItems);
    }
  }
}

TEST_CASE("A stream without items says at once that it is heard", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      ItemsRead items = exam.Read(1);
      v1::StreamResponse message;
      REQUIRE(items.Next(message));
      CHECK(message.ByteSizeLong() == 0);
      exam.Yield(1, 1, 1, {"a"});
      CHECK(items.NextText() == "1:1:a");
    }
  }
}

TEST_CASE("A reader begins at any item", "[items][keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      exam.Yield(1, 2, 1, {"a", "b", "c"});
      CHECK(exam.Read(1, 2, 2).NextText() == "2:2:b");
      CHECK(exam.Read(1, 0, 3).NextText() == "2:3:c");
      ItemsRead ahead = exam.Read(1, 2, 5);
      exam.Yield(1, 2, 4, {"d", "e"});
      CHECK(ahead.NextText() == "2:5:e");
      // Of a dispatch that is over, or never yielded.
      CHECK(exam.Read(1, 1, 7).NextText() == "!2:1:a");
      // Of the first dispatch, whose items are all before it.
      exam.Yield(2, 1, 1, {"a", "b"});
      CheckStatus(exam.Fence(Exam::Closing(2, 1)).status(), kOk, "");
      exam.Yield(2, 2, 1, {"x"});
      CHECK(exam.Read(2, 0, 2).NextTexts(2) == Texts{"1:2:b", "!2:1:x"});
      CHECK(exam.Read(2, 0, 3).NextText() == "!2:1:x");
      exam.PutEnd(1, 2, 5);
      CHECK(exam.Read(1, 2, 6).NextText() == "end:done");
    }
  }
}

TEST_CASE("A new dispatch is marked to the reader, and begins with its first item",
          "[items][keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      exam.Yield(1, 1, 1, {"a", "b"});
      ItemsRead items = exam.Read(1);
      CHECK(items.NextTexts(2) == Texts{"1:1:a", "1:2:b"});
      exam.Fence(Exam::Closing(1, 1));
      exam.Yield(1, 2, 1, {"x"});
      CHECK(items.NextText() == "!2:1:x");
      exam.PutEnd(1, 2, 1);
      CHECK(items.NextText() == "end:done");
      CHECK(exam.Read(1).NextTexts(4) == Texts{"1:1:a", "1:2:b", "!2:1:x", "end:done"});
    }
  }
}

TEST_CASE("An end says when the last dispatch has yielded nothing", "[items][keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a"});
      CheckStatus(exam.Fence(Exam::Closing(1, 1)).status(), kOk, "");
      CheckStatus(exam.PutEnd(1, 2, 0).status(), kOk, "");
      const auto end = [&](uint32_t dispatch, uint64_t sequence) {
        ItemsRead items = exam.Read(1, dispatch, sequence);
        v1::StreamResponse message;
        while (items.Next(message) && !message.has_result()) {
        }
        REQUIRE(message.has_result());
        return message;
      };
      for (const uint64_t sequence : {1, 2}) {
        CHECK(end(1, sequence).restarted());
        CHECK(end(0, sequence).dispatch() == 2);
      }
      CHECK_FALSE(end(2, 1).restarted());
    }
  }
}

TEST_CASE("A repeat is OK and stores nothing twice", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a", "b"});
      const auto repeat = exam.PutItems(exam.Batch(1, 1, 1, {"a", "b"}));
      CheckStatus(repeat.status(), kOk, "");
      CHECK(repeat.durable_sequence() == 2);
      // Within a request, and one that goes further.
      const auto both =
          exam.TryPutItems({exam.Batch(1, 1, 3, {"c"}), exam.Batch(1, 1, 2, {"b", "c", "d"})});
      REQUIRE(both.ok());
      CHECK(both->results(0).durable_sequence() == 3);
      CHECK(both->results(1).durable_sequence() == 4);
      exam.PutEnd(1, 1, 4);
      CHECK(exam.Read(1).NextTexts(5) == Texts{"1:1:a", "1:2:b", "1:3:c", "1:4:d", "end:done"});
    }
  }
}

TEST_CASE("A gap is refused, and says which item is wanted", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a"});
      const auto gap = exam.PutItems(exam.Batch(1, 1, 3, {"c"}));
      CheckStatus(gap.status(), kFailedPrecondition, "ITEM_GAP");
      CHECK(gap.durable_sequence() == 1);
      CheckStatus(exam.PutItems(exam.Batch(2, 1, 2, {"b"})).status(), kFailedPrecondition,
                  "ITEM_GAP");
    }
  }
}

TEST_CASE("A result needs all of its dispatch's items, and its receipt counts them", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a", "b"});
      const auto missing = exam.PutEnd(1, 1, 3);
      CheckStatus(missing.status(), kFailedPrecondition, "ITEMS_MISSING");
      CHECK(missing.receipt().empty());
      CheckStatus(exam.PutEnd(1, 1, 1).status(), kInvalidArgument, "ITEM_COUNT");
      const auto put = exam.PutEnd(1, 1, 2);
      CheckStatus(put.status(), kOk, "");
      exam.CheckReceipt(put.receipt(), 1, 1, 2);
      CHECK(exam.PutEnd(1, 1, 2).receipt() == put.receipt());
    }
  }
}

TEST_CASE("After a fence or an end items are refused as results are", "[items][keys]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a"});
      exam.Fence(Exam::Closing(1, 1));
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 2, {"b"})).status(), kFailedPrecondition,
                  "FENCED");
      exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_CANCELLED));
      CheckStatus(exam.PutItems(exam.Batch(1, 2, 1, {"x"})).status(), kAlreadyExists, "HAS_RESULT");
      ItemsRead items = exam.Read(1);
      CHECK(items.NextText() == "1:1:a");
      v1::StreamResponse end;
      REQUIRE(items.Next(end));
      CHECK(end.result().status() == v1::RESULT_STATUS_CANCELLED);
    }
  }
}

TEST_CASE("Items need a lease of their own, and sizes that are allowed", "[items][keys][limits]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease foreign = LeaseOf(Task(1), 1);
      foreign.holder.subject = "somebody else";
      CheckStatus(exam.PutItems(exam.Batch(foreign, 1, {"a"})).status(), kPermissionDenied,
                  "INVALID_LEASE");
      v1::ItemBatch forged = exam.Batch(1, 1, 1, {"a"});
      forged.mutable_lease_token()->back() ^= 1;
      CheckStatus(exam.PutItems(forged).status(), kPermissionDenied, "INVALID_LEASE");
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 1, {})).status(), kInvalidArgument,
                  "BAD_BATCH_SIZE");
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 0, {"a"})).status(), kInvalidArgument,
                  "INVALID_SEQUENCE");
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 1, {std::string((4 << 20) + 1, 'x')})).status(),
                  kInvalidArgument, "ITEM_TOO_LARGE");
      v1::ItemBatch wordy = exam.Batch(1, 1, 1, {"a"});
      wordy.mutable_items(0)->set_content_type(std::string(256, 'x'));
      CheckStatus(exam.PutItems(wordy).status(), kInvalidArgument, "TEXT_TOO_LONG");
      CHECK(exam.TryPutItems({}).status().code() == absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryPutItems({exam.Batch(1, 1, 1, Texts(100'001, ""))}).status().code() ==
            absl::StatusCode::kInvalidArgument);
      v1::ItemBatch typed = exam.Batch(1, 1, 1, Texts(70'000, ""));
      for (auto& item : *typed.mutable_items()) item.set_content_type(std::string(255, 't'));
      CHECK(exam.TryPutItems({typed}).status().code() == absl::StatusCode::kInvalidArgument);
      // None of this left anything behind, and the largest that is allowed is taken.
      exam.Yield(1, 1, 1, {std::string(4 << 20, 'x')});
    }
  }
}

TEST_CASE("Ids that Outputs does not hold are answered as an Await is",
          "[items][inputs][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_SUCCEEDED);
      const absl::Status unknown = exam.Read(1).Finish();
      CHECK(unknown.code() == absl::StatusCode::kNotFound);
      CHECK(platform::ReasonOf(unknown) == "UNKNOWN_TASK");
      CHECK(platform::ReasonOf(exam.Read(2).Finish()) == "RESULT_GONE");
      CHECK(exam.Read("no id").Finish().code() == absl::StatusCode::kInvalidArgument);
      exam.subject().SetInputsThere(false);
      ItemsRead waits = exam.Read(3);
      exam.subject().AwaitQuestions(3);
      exam.Yield(3, 1, 1, {"came anyway"});
      CHECK(waits.NextText() == "1:1:came anyway");
    }
  }
}

TEST_CASE("Nobody but the owner of a task is told of its items",
          "[items][inputs][keys][owners][unknown]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease lease = LeaseOf(Task(1), 1);
      lease.owner = "somebody else";
      CheckStatus(exam.PutItems(exam.Batch(lease, 1, {"secret"})).status(), kOk, "");
      CHECK(platform::ReasonOf(exam.Read(1).Finish()) == "UNKNOWN_TASK");
      v1::PutItem end = exam.Item(lease);
      end.set_item_count(1);
      CheckStatus(exam.Put(end).status(), kOk, "");
      CHECK(platform::ReasonOf(exam.Read(1).Finish()) == "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("Items are gone with their task's result", "[items][keys][retention]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Yield(1, 1, 1, {"a"});
      platform::Lease brief = LeaseOf(Task(1), 1);
      brief.retention = absl::ZeroDuration();
      v1::PutItem end = exam.Item(brief);
      end.set_item_count(1);
      CheckStatus(exam.Put(end).status(), kOk, "");
      exam.PassTheShortestRetention();
      CHECK(platform::ReasonOf(exam.Read(1).Finish()) == "RESULT_GONE");
    }
  }
}

TEST_CASE("A slow reader misses nothing and holds up nobody", "[items][load]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      ItemsRead slow = exam.Read(1);
      ItemsRead quick = exam.Read(1);
      // More than streams and connections take on the way.
      constexpr uint64_t kItems = 300;
      for (uint64_t i = 1; i <= kItems; ++i) {
        const std::string data = std::to_string(i) + std::string(100'000, 'x');
        exam.Yield(1, 1, i, {data});
        CHECK(quick.NextText() == "1:" + std::to_string(i) + ":" + data);
      }
      exam.PutEnd(1, 1, kItems);
      CHECK(quick.NextText() == "end:done");
      for (uint64_t i = 1; i <= kItems; ++i) {
        const std::string text = slow.NextText();
        CHECK(text.substr(0, 20) ==
              ("1:" + std::to_string(i) + ":" + std::to_string(i) + std::string(20, 'x'))
                  .substr(0, 20));
      }
      CHECK(slow.NextText() == "end:done");
    }
  }
}

TEST_CASE("Any number of readers get all that one task yields, also while some do not read",
          "[items][load]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      constexpr size_t kReaders = 100;
      constexpr uint64_t kItems = 40;
      const std::string data(20'000, 'x');
      std::vector<std::unique_ptr<ItemsRead>> readers;
      for (size_t i = 0; i < kReaders; ++i) readers.emplace_back(new ItemsRead(exam.Read(1)));
      const auto is_slow = [](size_t reader) { return reader % 4 == 0; };
      const auto expect = [&](size_t reader, uint64_t item) {
        CAPTURE(reader, item);
        CHECK(readers[reader]->NextText() == "1:" + std::to_string(item) + ":" + data);
      };
      for (uint64_t item = 1; item <= kItems; ++item) {
        exam.Yield(1, 1, item, {data});
        for (size_t i = 0; i < kReaders; ++i) {
          if (!is_slow(i)) expect(i, item);
        }
      }
      exam.PutEnd(1, 1, kItems);
      for (size_t i = 0; i < kReaders; ++i) {
        for (uint64_t item = 1; is_slow(i) && item <= kItems; ++item) expect(i, item);
        CHECK(readers[i]->NextText() == "end:done");
      }
    }
  }
}

TEST_CASE("Readers of many tasks at the same time get what is theirs", "[items]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      constexpr uint64_t kTasks = 8;
      constexpr uint64_t kItems = 50;
      for (uint64_t task = 1; task <= kTasks; ++task) SetRunning(exam, task);
      std::vector<std::vector<std::string>> read(kTasks + 1);
      std::vector<std::thread> readers;
      for (uint64_t task = 1; task <= kTasks; ++task) {
        readers.emplace_back([&exam, &texts = read[task], task] {
          ItemsRead items = exam.Read(task);
          texts = items.NextTexts(kItems + 1);
        });
      }
      for (uint64_t i = 1; i <= kItems; ++i) {
        std::vector<v1::ItemBatch> batches;
        for (uint64_t task = 1; task <= kTasks; ++task) {
          batches.push_back(exam.Batch(task, 1, i, {std::to_string(task)}));
        }
        REQUIRE(exam.TryPutItems(batches).ok());
      }
      for (uint64_t task = 1; task <= kTasks; ++task) exam.PutEnd(task, 1, kItems);
      for (std::thread& reader : readers) reader.join();
      for (uint64_t task = 1; task <= kTasks; ++task) {
        for (uint64_t i = 1; i <= kItems; ++i) {
          CHECK(read[task][i - 1] == "1:" + std::to_string(i) + ":" + std::to_string(task));
        }
        CHECK(read[task][kItems] == "end:done");
      }
    }
  }
}

TEST_CASE("After a restart streams go on where they were",
          "[items][not-memory][not-memory-halves][restart]") {
  for (const ServiceEntry& entry : AllServices()) {
    if (!entry.durable) continue;
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      SetRunning(exam, 1);
      exam.Yield(1, 1, 1, {"a", "b"});
      {
        ItemsRead items = exam.Read(1);
        CHECK(items.NextTexts(2) == Texts{"1:1:a", "1:2:b"});
        exam.Restart();
        CHECK(items.Finish().code() == absl::StatusCode::kUnavailable);
      }
      ItemsRead items = exam.Read(1, 1, 3);
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 2, {"b", "c"})).status(), kOk, "");
      CHECK(items.NextText() == "1:3:c");
      CheckStatus(exam.PutEnd(1, 1, 2).status(), kInvalidArgument, "ITEM_COUNT");
      exam.PutEnd(1, 1, 3);
      CHECK(items.NextText() == "end:done");
      exam.Restart();
      CHECK(exam.Read(1).NextTexts(4) == Texts{"1:1:a", "1:2:b", "1:3:c", "end:done"});
    }
  }
}

TEST_CASE("A full Outputs refuses items and says when to try again, while fences have room",
          "[items][keys][limits][restart]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetMaxBytes(1 << 20);
      exam.Restart();
      const std::string most((1 << 20) - 160, 'x');
      exam.Yield(1, 1, 1, {most});
      const auto full = exam.PutItems(exam.Batch(1, 1, 2, {"y"}));
      CheckStatus(full.status(), kResourceExhausted, "OUTPUTS_FULL");
      CHECK(full.status().retry_after().seconds() >= 1);
      CheckStatus(exam.PutItems(exam.Batch(1, 1, 1, {most})).status(), kOk, "");
      // A result takes what is left; that of a dispatch that has yielded is taken all the same, as
      // its items go with it in the end.
      CheckStatus(exam.PutEnd(3, 1, 0).status(), kOk, "");
      CheckStatus(exam.PutEnd(5, 1, 0).status(), kResourceExhausted, "OUTPUTS_FULL");
      CheckStatus(exam.PutEnd(1, 1, 1).status(), kOk, "");
      CheckStatus(exam.Fence(Exam::Settling(5, v1::RESULT_STATUS_FAILED)).status(), kOk, "");
      CHECK(exam.Read(1).NextText().size() > most.size());
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs
