// The exam of EventLog: what log.h promises, asked of every implementation.
#include "tests/conformance/events_exam/event_log_exam.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/notification.h"

namespace kantoku::events {
namespace {

constexpr uint32_t kId = 77;

struct Held {
  uint64_t number;
  std::string bytes;
  uint64_t previous = 0;
  bool operator==(const Held&) const = default;
};

// A log under test, and the blocking calls that tests like.
class Exam {
 public:
  explicit Exam(const LogEntry& entry, Retention retention = {})
      : retention_(retention), subject_(entry.make()), log_(subject_->Open(retention, kId)) {}

  void Reopen() {
    log_.reset();
    log_ = subject_->Open(retention_, kId + 1);
  }
  void Reopen(const Retention& retention) {
    retention_ = retention;
    Reopen();
  }

  absl::StatusOr<AppendResult> TryAppend(const std::string& source,
                                         const std::vector<Held>& batches) {
    AppendCommand command = {.source = source, .batches = {}};
    for (const Held& held : batches) {
      command.batches.push_back({held.number, held.bytes, held.previous});
    }
    test::Notification done;
    absl::StatusOr<AppendResult> result;
    log_->Append(std::move(command), [&](absl::StatusOr<AppendResult> answer) {
      result = std::move(answer);
      done.Notify();
    });
    done.Wait();
    return result;
  }
  uint64_t Append(const std::string& source, const std::vector<Held>& batches) {
    const auto result = TryAppend(source, batches);
    REQUIRE(result.ok());
    return result->durable_number;
  }
  // Whatever earlier appends set off has happened: a log may take several steps to drop rows, but
  // each append lets it take one.
  void Settle() {
    RowNumber before = 0;
    do {
      before = log_->bounds().first;
      Append("settle", {});
      Append("settle", {});
    } while (log_->bounds().first != before);
  }

  LogPage Read(const LogRange& range) {
    auto page = log_->Read(range);
    REQUIRE(page.ok());
    return *std::move(page);
  }
  // All rows from `from` on, in pages of at most `max_rows`.
  std::vector<LogRowPtr> ReadAll(RowNumber from = 1, size_t max_rows = 3) {
    std::vector<LogRowPtr> rows;
    while (true) {
      LogPage page = Read({.from = from, .max_rows = max_rows});
      if (page.rows.empty()) return rows;
      CHECK(page.rows.size() <= max_rows);
      CHECK(page.next > page.rows.back()->row);
      from = page.next;
      for (LogRowPtr& row : page.rows) rows.push_back(std::move(row));
    }
  }
  std::vector<std::string> Texts(RowNumber from = 1) {
    std::vector<std::string> texts;
    for (const LogRowPtr& row : ReadAll(from)) texts.push_back(row->batch);
    return texts;
  }

  EventLog* operator->() { return log_.get(); }
  platform::FakeClock& clock() { return subject_->clock(); }

 private:
  Retention retention_;
  const std::unique_ptr<LogSubject> subject_;
  std::unique_ptr<EventLog> log_;
};

using Texts = std::vector<std::string>;

// Runs a test case once for every entry.
#define FOR_EVERY_LOG(entry)                                                      \
  const LogEntry entry = AllLogs()[GENERATE(range(size_t{0}, AllLogs().size()))]; \
  INFO("log: " << entry.name)

TEST_CASE("A new log is empty") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  CHECK(log->id() == kId);
  CHECK(log->bounds().first == log->bounds().end);
  CHECK(log->bounds().first >= 1);
  CHECK(log.ReadAll().empty());
  CHECK(log->health().ok());
  CHECK_FALSE(log->traits().name.empty());
}

TEST_CASE("Batches are read in the order in which they were appended, byte for byte") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  const std::string odd("\0\xff\n", 3);
  CHECK(log.Append("a", {{1, "one"}, {2, ""}}) == 2);
  CHECK(log.Append("a", {{3, odd}}) == 3);
  CHECK(log.Texts() == Texts{"one", "", odd});

  const auto rows = log.ReadAll();
  CHECK(rows[0]->row == log->bounds().first);
  CHECK(rows[0]->row < rows[1]->row);
  CHECK(rows[1]->row < rows[2]->row);
  CHECK(rows[2]->row < log->bounds().end);
  CHECK(rows[0]->time == log.clock().Read().wall);
}

TEST_CASE("A page ends at its bounds, and the next goes on") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  for (uint64_t i = 1; i <= 40; ++i) log.Append("a", {{i, std::string(100, 'x')}});
  CHECK(log.Read({.from = 1, .max_rows = 7}).rows.size() == 7);
  CHECK_FALSE(log.Read({.from = 1, .max_bytes = 1}).rows.empty());
  const size_t rows = log.Read({.from = 1, .max_bytes = 1000}).rows.size();
  CHECK(rows >= 10);
  CHECK(rows < 20);
  for (const size_t page : {1, 2, 39, 40, 41}) CHECK(log.ReadAll(1, page).size() == 40);
}

TEST_CASE("Reading at the end, or past it, answers an empty page at the end") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  log.Append("a", {{1, "one"}});
  const RowNumber end = log->bounds().end;
  for (const RowNumber from : {end, end + 1000}) {
    const LogPage page = log.Read({.from = from});
    CHECK(page.rows.empty());
    CHECK(page.next == end);
    CHECK_FALSE(page.gap);
  }
}

TEST_CASE("A number that the log holds already changes nothing") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  log.Append("a", {{1, "one"}, {2, "two"}});
  const LogBounds before = log->bounds();
  CHECK(log.Append("a", {{1, "one"}, {2, "two"}}) == 2);
  CHECK(log->bounds().end == before.end);
  CHECK(log.Append("a", {{2, "two"}, {3, "three"}}) == 3);
  CHECK(log.Append("a", {{1, "one"}}) == 3);
  CHECK(log.Texts() == Texts{"one", "two", "three"});
}

TEST_CASE("Numbers may be left out") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  CHECK(log.Append("a", {{5, "five"}, {9, "nine"}}) == 9);
  CHECK(log.Append("a", {{7, "seven"}}) == 9);
  CHECK(log.Texts() == Texts{"five", "nine"});
}

TEST_CASE("A batch whose predecessor was lost tells of it, for as long as it is there") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  log.Append("a", {{1, "first"}, {2, "next", 1}, {5, "after a gap", 4}, {6, "next", 5}});
  log.Append("a", {{5, "after a gap", 4}, {9, "numbers left out", 6}});
  log.Append("b", {{7, "the log was lost", 6}, {8, "next", 7}});
  const auto gaps = [&] {
    std::vector<bool> gaps;
    for (const LogRowPtr& row : log.ReadAll()) gaps.push_back(row->gap);
    return gaps;
  };
  const std::vector<bool> expected = {false, false, true, false, false, true, false};
  CHECK(gaps() == expected);
  if (!log->traits().durable) return;
  log.Reopen();
  CHECK(gaps() == expected);
  log.Append("a", {{10, "next", 9}, {12, "another gap", 11}});
  CHECK(gaps() == std::vector<bool>{false, false, true, false, false, true, false, false, true});
}

TEST_CASE("Every source has numbers of its own") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  CHECK(log.Append("a", {{1, "a1"}}) == 1);
  CHECK(log.Append("b", {{1, "b1"}}) == 1);
  CHECK(log.Append("a", {{2, "a2"}}) == 2);
  CHECK(log.Append("b", {}) == 1);
  CHECK(log.Texts() == Texts{"a1", "b1", "a2"});
}

TEST_CASE("An append without batches asks for the number") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  CHECK(log.Append("a", {}) == 0);
  log.Append("a", {{4, "four"}});
  CHECK(log.Append("a", {}) == 4);
  log.Reopen();
  CHECK(log.Append("a", {}) == 4);
  CHECK(log.Append("unknown", {}) == 0);
}

TEST_CASE("What was answered is there after the log was opened again") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  for (uint64_t i = 1; i <= 20; ++i) log.Append("a", {{i, absl::StrCat("a", i)}});
  log.Append("b", {{3, "b3"}});
  const LogBounds before = log->bounds();
  const auto rows = log.ReadAll();

  log.Reopen();
  CHECK(log->id() == kId);
  CHECK(log->bounds().first == before.first);
  CHECK(log->bounds().end == before.end);
  const auto again = log.ReadAll();
  REQUIRE(again.size() == rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(again[i]->row == rows[i]->row);
    CHECK(again[i]->time == rows[i]->time);
    CHECK(again[i]->batch == rows[i]->batch);
  }
  CHECK(log.Append("a", {{20, "a20"}, {21, "a21"}}) == 21);
  CHECK(log.Append("b", {{3, "b3"}}) == 3);
  CHECK(log.Texts(before.end) == Texts{"a21"});
}

TEST_CASE("Who waits is told when the log grows beyond") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  log.Append("a", {{1, "one"}});
  const RowNumber end = log->bounds().end;
  test::Notification at_once;
  log->NotifyBeyond(end - 1, [&] { at_once.Notify(); });
  at_once.Wait();

  test::Notification grown;
  log->NotifyBeyond(end, [&] { grown.Notify(); });
  log.Append("a", {{1, "one"}});
  CHECK_FALSE(grown.happened());
  log.Append("a", {{2, "two"}});
  grown.Wait();
  CHECK(log->bounds().end > end);
}

TEST_CASE("After Stop appends are UNAVAILABLE, and nobody is told of growth") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  log.Append("a", {{1, "one"}});
  auto held = std::make_shared<int>(0);
  log->NotifyBeyond(log->bounds().end, [held] { ++*held; });
  log->Stop();
  log->Stop();
  CHECK(held.use_count() == 1);
  CHECK(log.TryAppend("a", {{2, "two"}}).status().code() == absl::StatusCode::kUnavailable);
  log.Reopen();
  CHECK(log.Texts() == Texts{"one"});
}

TEST_CASE("Old rows leave, and readers that come too late are told") {
  FOR_EVERY_LOG(entry);
  Exam log(entry, {.age = absl::Hours(1)});
  log.Append("a", {{1, "one"}, {2, "two"}});
  const RowNumber first = log->bounds().first;
  log.clock().Advance(absl::Minutes(30));
  log.Append("a", {{3, "three"}});
  log.clock().Advance(absl::Minutes(31));
  log.Settle();

  const LogPage page = log.Read({.from = first});
  CHECK(page.gap);
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->batch == "three");
  CHECK(log->bounds().first == page.rows[0]->row);
  CHECK_FALSE(log.Read({.from = log->bounds().first}).gap);
  CHECK_FALSE(log.Read({.from = page.next}).gap);
}

TEST_CASE("The oldest rows leave when there are too many bytes") {
  FOR_EVERY_LOG(entry);
  Exam log(entry, {.max_bytes = 64 << 10});
  for (uint64_t i = 1; i <= 200; ++i) log.Append("a", {{i, std::string(1000, 'x')}});
  log.Settle();
  const auto rows = log.ReadAll();
  CHECK(rows.size() < 66);
  CHECK(rows.size() > 32);
  CHECK(rows.back()->row + 1 == log->bounds().end);
  CHECK(log.Read({.from = 1}).gap);
}

TEST_CASE("Row numbers and marks outlive the rows") {
  FOR_EVERY_LOG(entry);
  Exam log(entry, {.age = absl::Hours(1)});
  log.Append("a", {{1, "one"}, {2, "two"}});
  const RowNumber end = log->bounds().end;
  log.clock().Advance(absl::Hours(2));
  log.Settle();
  CHECK(log->bounds().first == end);
  log.Reopen();
  CHECK(log->bounds().first == end);
  CHECK(log->bounds().end == end);
  CHECK(log.Append("a", {{2, "two"}, {3, "three"}}) == 3);
  const LogPage page = log.Read({.from = 1});
  CHECK(page.gap);
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->row >= end);
}

TEST_CASE("A shorter retention holds for what is there already") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  for (uint64_t i = 1; i <= 200; ++i) log.Append("a", {{i, std::string(1000, 'x')}});
  log.Reopen({.max_bytes = 64 << 10});
  for (int i = 0; i < 30; ++i) log.Append("a", {{201U + i, "x"}});
  log.Settle();
  CHECK(log.ReadAll().size() < 120);
  const auto kept = log.ReadAll();
  log.Reopen();
  CHECK(log.ReadAll().size() == kept.size());
}

TEST_CASE("Sources append side by side, each in its order, while a reader follows") {
  FOR_EVERY_LOG(entry);
  Exam log(entry);
  constexpr int kSources = 4;
  constexpr uint64_t kBatches = 100;
  std::vector<std::thread> sources;
  sources.reserve(kSources);
  for (int source = 0; source < kSources; ++source) {
    sources.emplace_back([&log, source] {
      for (uint64_t i = 1; i <= kBatches; ++i) {
        const std::vector<Held> batch = {{i, absl::StrCat(source, " ", i)}};
        const auto result = log.TryAppend(absl::StrCat("source/", source), batch);
        if (!result.ok() || result->durable_number != i) std::abort();
      }
    });
  }
  std::map<std::string, uint64_t> next;
  RowNumber from = 1;
  for (size_t seen = 0; seen < kSources * kBatches;) {
    const LogPage page = log.Read({.from = from});
    CHECK_FALSE(page.gap);
    for (const LogRowPtr& row : page.rows) {
      const std::string source = row->batch.substr(0, 1);
      CHECK(row->batch == absl::StrCat(source, " ", ++next[source]));
    }
    seen += page.rows.size();
    from = page.next;
    if (page.rows.empty()) {
      test::Notification grown;
      log->NotifyBeyond(from, [&] { grown.Notify(); });
      grown.Wait();
    }
  }
  for (std::thread& source : sources) source.join();
}

// Appends, repeats, reopenings and the passing of time, beside a model of what must be held.
TEST_CASE("A random life of the log agrees with a model of it") {
  FOR_EVERY_LOG(entry);
  const unsigned seed = GENERATE(1U, 2U, 3U);
  INFO("seed: " << seed);
  std::mt19937 random(seed);
  const auto below = [&](unsigned limit) { return random() % limit; };

  Exam log(entry, {.age = absl::Hours(10), .max_bytes = 40'000});
  std::vector<std::string> model;  // Every batch ever, in order.
  std::map<std::string, uint64_t> marks;
  std::map<std::string, std::vector<Held>> last;
  for (int step = 0; step < 300; ++step) {
    const std::string source = absl::StrCat("s", below(3));
    switch (below(10)) {
      case 0:
        log.Reopen();
        break;
      case 1:
        log.clock().Advance(absl::Minutes(below(60)));
        break;
      case 2:  // A lost answer: the source repeats.
        CHECK(log.Append(source, last[source]) == marks[source]);
        break;
      case 3: {  // A reader comes from anywhere.
        const RowNumber from = 1 + below(log->bounds().end + 2);
        const RowNumber first = log->bounds().first;
        const LogPage page = log.Read({.from = from, .max_rows = 1 + below(9)});
        if (from < first) CHECK(page.gap);
        if (from >= log->bounds().first) CHECK_FALSE(page.gap);
        break;
      }
      default: {
        std::vector<Held> batches;
        for (unsigned more = 1 + below(4); more > 0; --more) {
          const uint64_t number = marks[source] += 1 + below(3);
          batches.push_back(
              {number, absl::StrCat(source, "-", number, std::string(below(600), 'x'))});
          model.push_back(batches.back().bytes);
        }
        CHECK(log.Append(source, batches) == marks[source]);
        last[source] = batches;
      }
    }
  }
  log.Settle();
  const auto kept = log.ReadAll();
  REQUIRE(kept.size() <= model.size());
  CHECK(kept.size() < 300);
  const size_t left = model.size() - kept.size();
  for (size_t i = 0; i < kept.size(); ++i) CHECK(kept[i]->batch == model[left + i]);
  CHECK(log->bounds().end - log->bounds().first == kept.size());
}

}  // namespace
}  // namespace kantoku::events
