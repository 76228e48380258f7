#include "services/platform/identity/refusal.h"

#include <catch2/catch.hpp>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

TEST_CASE("What is hidden reads as what is not there, and is a refusal, also under context") {
  const auto none = Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no task 7");
  CHECK_FALSE(IsRefusal(none));
  const auto hidden = Annotate(Hidden(none), "cancel");
  CHECK(IsRefusal(hidden));
  CHECK(absl::IsNotFound(hidden));
  CHECK(hidden.message() == "cancel: no task 7");
  CHECK(ReasonOf(hidden) == "NO_SUCH_TASK");
}

TEST_CASE("Who is not known, may not, or has shown too many bad tokens, is refused") {
  using Code = absl::StatusCode;
  CHECK(IsRefusal(Error(Code::kUnauthenticated, "NO_TOKEN", "")));
  CHECK(IsRefusal(Error(Code::kPermissionDenied, "SCOPE_MISSING", "")));
  CHECK(IsRefusal(Error(Code::kResourceExhausted, "TOO_MANY_BAD_TOKENS", "")));
  CHECK_FALSE(IsRefusal(Error(Code::kResourceExhausted, "QUOTA", "")));
  CHECK_FALSE(IsRefusal(Error(Code::kFailedPrecondition, "TASK_ENDED", "")));
  CHECK_FALSE(IsRefusal(absl::OkStatus()));
}

TEST_CASE("What another server has told is no refusal to tell here, and reads as before") {
  const auto denied = Error(absl::StatusCode::kPermissionDenied, "SCOPE_MISSING", "no scope");
  const auto told = Annotate(ToldElsewhere(denied), "spawn");
  CHECK_FALSE(IsRefusal(told));
  CHECK(absl::IsPermissionDenied(told));
  CHECK(ReasonOf(told) == "SCOPE_MISSING");
  CHECK_FALSE(IsRefusal(ToldElsewhere(Hidden(absl::NotFoundError("no task 7")))));
}

}  // namespace
}  // namespace kantoku::platform
