#include "tests/chaos/soak/plan.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace kantoku::soak {
namespace {

// As many in each lane, and as long, as there are in truth.
std::vector<FaultShape> Shapes() {
  std::vector<FaultShape> shapes;
  shapes.reserve(40);
  for (int i = 0; i < 18; ++i) {
    shapes.push_back({.name = "process " + std::to_string(i),
                      .lane = Lane::kProcess,
                      .shortest = absl::Milliseconds(50),
                      .longest = absl::Milliseconds(1'000)});
  }
  for (int i = 0; i < 10; ++i) {
    shapes.push_back({.name = "network " + std::to_string(i),
                      .lane = Lane::kNetwork,
                      .shortest = absl::Milliseconds(300),
                      .longest = absl::Seconds(3)});
  }
  shapes.push_back({.name = "disk",
                    .lane = Lane::kDisk,
                    .shortest = absl::Seconds(1),
                    .longest = absl::Seconds(4)});
  return shapes;
}

TEST_CASE("Equal seeds plan equal faults, other seeds others") {
  const auto shapes = Shapes();
  CHECK(MakePlan(7, absl::Minutes(10), shapes) == MakePlan(7, absl::Minutes(10), shapes));
  CHECK(MakePlan(7, absl::Minutes(10), shapes) != MakePlan(8, absl::Minutes(10), shapes));
}

TEST_CASE("A minute has every fault in it, each as long as it may be, and undone in time") {
  const auto shapes = Shapes();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::set<size_t> faults;
    for (const Planned& planned : MakePlan(seed, absl::Minutes(1), shapes)) {
      faults.insert(planned.fault);
      CHECK(planned.to - planned.from >= shapes[planned.fault].shortest);
      CHECK(planned.to - planned.from <= shapes[planned.fault].longest);
      CHECK(planned.to <= absl::Minutes(1));
    }
    CHECK(faults.size() == shapes.size());
  }
}

TEST_CASE("Faults of a lane follow each other, those of different lanes meet") {
  const auto shapes = Shapes();
  std::map<Lane, absl::Duration> ends;
  bool met = false;
  for (const Planned& planned : MakePlan(3, absl::Minutes(10), shapes)) {
    const Lane lane = shapes[planned.fault].lane;
    CHECK(planned.from > ends[lane]);
    ends[lane] = planned.to;
    for (const auto& [other, end] : ends) met = met || (other != lane && end > planned.from);
  }
  CHECK(met);
}

TEST_CASE("No fault comes again before every other one of its lane has come") {
  const auto shapes = Shapes();
  std::set<size_t> round;
  for (const Planned& planned : MakePlan(5, absl::Minutes(10), shapes)) {
    if (shapes[planned.fault].lane != Lane::kProcess) continue;
    CHECK(round.insert(planned.fault).second);
    if (round.size() == 18) round.clear();
  }
}

}  // namespace
}  // namespace kantoku::soak
