#include "services/inputs/silence.h"

#include <catch2/catch.hpp>
#include <vector>

namespace kantoku::inputs {
namespace {

using Turn = Silence::Turn;

TEST_CASE("Who is heard in each interval is never pinged") {
  Silence silence;
  for (int i = 0; i < 10; ++i) {
    CHECK(silence.OnTurn() == Turn::kNothing);
    silence.OnHeard();
  }
}

TEST_CASE("Who falls silent is pinged after an interval, and lost after three") {
  Silence silence;
  std::vector<Turn> turns;
  for (int i = 0; i < 4; ++i) turns.push_back(silence.OnTurn());
  CHECK(turns == std::vector{Turn::kNothing, Turn::kPing, Turn::kPing, Turn::kLost});
}

TEST_CASE("An answer to the last ping is in time") {
  Silence silence;
  for (int i = 0; i < 3; ++i) (void)silence.OnTurn();
  silence.OnHeard();
  CHECK(silence.OnTurn() == Turn::kNothing);
  CHECK(silence.OnTurn() == Turn::kPing);
}

}  // namespace
}  // namespace kantoku::inputs
