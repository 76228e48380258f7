#include <catch2/catch.hpp>

#include "tests/chaos/churn.h"

namespace kantoku::test {
namespace {

TEST_CASE("A minute of restarting each service once a second runs nothing twice") {
  RestartEverySecond(absl::Minutes(1), 5);
}

}  // namespace
}  // namespace kantoku::test
