#include "services/platform/status.h"

#include <catch2/catch.hpp>

#include "absl/status/statusor.h"

namespace kantoku::platform {
namespace {

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return Error(absl::StatusCode::kInvalidArgument, "ODD", "value is odd");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  KANTOKU_ASSIGN_OR_RETURN(const int half, Half(value));
  KANTOKU_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST_CASE("An error carries code, reason and message") {
  const auto status = Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "task 7 is unknown");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "task 7 is unknown");
  CHECK(ReasonOf(status) == "NO_SUCH_TASK");
}

TEST_CASE("A status without a reason has an empty one") {
  CHECK(ReasonOf(absl::OkStatus()).empty());
  CHECK(ReasonOf(absl::InternalError("x")).empty());
  CHECK(ReasonOf(Error(absl::StatusCode::kInternal, "", "x")).empty());
}

TEST_CASE("Context goes in front and keeps code and reason") {
  const auto inner = Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", "disk is full");
  const auto outer = Annotate(Annotate(inner, "sqlite"), "spawn");
  CHECK(outer.code() == absl::StatusCode::kResourceExhausted);
  CHECK(outer.message() == "spawn: sqlite: disk is full");
  CHECK(ReasonOf(outer) == "DISK_FULL");
}

TEST_CASE("An OK status stays OK under context") {
  CHECK(Annotate(absl::OkStatus(), "spawn").ok());
}

TEST_CASE("The macros hand errors on and values through") {
  CHECK(Quarter(8).value() == 2);
  CHECK(ReasonOf(Quarter(6).status()) == "ODD");
}

}  // namespace
}  // namespace kantoku::platform
