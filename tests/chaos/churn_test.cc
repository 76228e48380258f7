#include "tests/chaos/churn.h"

#include <catch2/catch.hpp>

namespace kantoku::test {
namespace {

TEST_CASE("Ten seconds of restarting each service once a second run nothing twice") {
  RestartEverySecond(absl::Seconds(10), 2);
}

}  // namespace
}  // namespace kantoku::test
