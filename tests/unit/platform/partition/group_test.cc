#include "services/platform/partition/group.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace kantoku::platform {
namespace {

// A group whose releases and replies leave a line each.
struct Logged {
  std::vector<std::string> lines;
  Group group;

  void OnDurable(const std::string& name) {
    group.OnDurable([this, name] { lines.push_back(name); });
  }
  void Reply(const std::string& name) {
    group.Reply([this, name](const absl::Status& status) {
      lines.push_back(name + " " + std::string(absl::StatusCodeToString(status.code())));
    });
  }
  std::vector<std::string> Take() { return std::exchange(lines, {}); }
};

using Lines = std::vector<std::string>;

TEST_CASE("A durable group releases in the order of the calls, and answers after that") {
  Logged logged;
  logged.OnDurable("a");
  logged.Reply("b");
  logged.OnDurable("c");
  logged.Reply("d");
  CHECK(logged.Take().empty());
  CHECK(logged.group.Settle(absl::OkStatus()) == CommitVerdict::kDurable);
  CHECK(logged.Take() == Lines{"a", "c", "b OK", "d OK"});
}

TEST_CASE("A group that may be repeated answers replies once and keeps the rest") {
  Logged logged;
  logged.OnDurable("a");
  logged.Reply("b");
  logged.OnDurable("c");
  CHECK(logged.group.Settle(absl::UnavailableError("")) == CommitVerdict::kRepeat);
  CHECK(logged.Take() == Lines{"b UNAVAILABLE"});
  CHECK(logged.group.Settle(absl::ResourceExhaustedError("")) == CommitVerdict::kRepeat);
  CHECK(logged.Take().empty());
  CHECK(logged.group.Settle(absl::OkStatus()) == CommitVerdict::kDurable);
  CHECK(logged.Take() == Lines{"a", "c"});
}

TEST_CASE("A lost group answers replies and drops the rest") {
  const auto error =
      GENERATE(absl::AbortedError(""), absl::DataLossError(""), absl::FailedPreconditionError(""));
  Logged logged;
  auto held = std::make_shared<int>();
  logged.group.OnDurable([held] { FAIL("released without having become durable"); });
  logged.Reply("b");
  CHECK(logged.group.Settle(error) == CommitVerdict::kLost);
  CHECK(logged.lines.size() == 1);
  CHECK(held.use_count() == 1);
}

TEST_CASE("Whatever a store says that is not final may be repeated") {
  for (const auto code : {absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted,
                          absl::StatusCode::kInternal, absl::StatusCode::kUnknown,
                          absl::StatusCode::kDeadlineExceeded}) {
    CHECK(Judge(absl::Status(code, "")) == CommitVerdict::kRepeat);
  }
}

TEST_CASE("Replies that came after a failure are answered by the next one") {
  Logged logged;
  logged.Reply("a");
  logged.group.Answer(absl::UnavailableError(""));
  logged.Reply("b");
  CHECK(logged.Take() == Lines{"a UNAVAILABLE"});
  logged.group.Answer(absl::UnavailableError(""));
  CHECK(logged.Take() == Lines{"b UNAVAILABLE"});
}

TEST_CASE("Only a group with changes takes a batch number") {
  uint64_t next = 7;
  Group reading;
  reading.Close(next);
  CHECK(next == 7);
  CHECK_FALSE(reading.needs_commit());

  Group writing;
  writing.batch().Put(1, 1, "x");
  writing.Close(next);
  CHECK(next == 8);
  CHECK(writing.needs_commit());
  CHECK(writing.closed_batch().number() == 7);
}

TEST_CASE("A cleared group is as a new one") {
  Logged logged;
  logged.group.batch().Put(1, 1, "x");
  logged.Reply("a");
  CHECK(logged.group.Settle(absl::UnavailableError("")) == CommitVerdict::kRepeat);
  CHECK(logged.group.Settle(absl::OkStatus()) == CommitVerdict::kDurable);
  logged.group.Clear();
  CHECK(logged.group.empty());
  logged.Take();
  logged.Reply("b");
  logged.group.Answer(absl::UnavailableError(""));
  CHECK(logged.Take() == Lines{"b UNAVAILABLE"});
}

}  // namespace
}  // namespace kantoku::platform
