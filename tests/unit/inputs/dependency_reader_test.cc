#include "services/inputs/dependency_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "services/inputs/partition/record_codec.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;
using platform::ReasonOf;
using platform::Received;

TaskId Id(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, sequence, 0);
}

taskpb::Dependency OnTask(uint64_t sequence) {
  taskpb::Dependency dependency;
  dependency.set_task_id(std::string(Id(sequence).bytes()));
  return dependency;
}

taskpb::Dependency OnIndex(uint32_t index) {
  taskpb::Dependency dependency;
  dependency.set_index(index);
  return dependency;
}

// A call of so many specs, of which the i-th depends on the places in `edges[i]`.
Received<v1::SpawnRequest> Call(const std::vector<std::vector<uint32_t>>& edges) {
  Received<v1::SpawnRequest> request;
  request.message.set_request_id("r1");
  for (const auto& places : edges) {
    auto& spec = *request.message.add_specs();
    spec.set_type("x");
    spec.set_payload(std::string(1, static_cast<char>(request.message.specs_size() - 1)));
    for (const uint32_t place : places) *spec.add_dependencies() = OnIndex(place);
  }
  return request;
}

CheckedSpawn Read(const Received<v1::SpawnRequest>& request) {
  auto checked = ReadSpawn(request, platform::Administrator("alice", "laptop"), {},
                           absl::FromUnixSeconds(1'790'000'000));
  REQUIRE(checked.ok());
  return *std::move(checked);
}

// The status of one spec of two, with these dependencies.
absl::Status StatusOf(const std::vector<taskpb::Dependency>& dependencies) {
  auto request = Call({{}, {}});
  for (const auto& each : dependencies) {
    *request.message.mutable_specs(1)->add_dependencies() = each;
  }
  return Read(request).statuses[1];
}

void CheckRefused(const absl::Status& status, const std::string& reason,
                  const std::string& message) {
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == reason);
  CHECK(std::string(status.message()) == message);
}

TEST_CASE("What a dependency says arrives in the record") {
  auto request = Call({{}, {0}});
  auto& spec = *request.message.mutable_specs(1);
  spec.mutable_dependencies(0)->set_on_failure(taskpb::ON_FAILURE_SKIP);
  *spec.add_dependencies() = OnTask(5);
  spec.mutable_dependencies(1)->set_argument(true);
  const CheckedSpawn checked = Read(request);
  CHECK(checked.places == std::vector<uint32_t>{0, 1});
  const std::vector<Dependency> expected = {{.place = 0, .on_failure = OnFailure::kSkip},
                                            {.task = Id(5), .argument = true}};
  CHECK(checked.batch->specs[1].dependencies == expected);
  std::string record;
  EncodeSpec(Id(9), {}, {}, {}, checked.batch->encoded->body(1), record);
  const auto stored = DecodeSpec(record);
  REQUIRE(stored.ok());
  CHECK(stored->spec.dependencies[1] == expected[1]);
  CHECK(stored->spec.stored_bytes == checked.batch->specs[1].stored_bytes);
}

TEST_CASE("Calls that differ in what their tasks depend on have different content") {
  const auto content = [](const std::vector<std::vector<uint32_t>>& edges) {
    return Read(Call(edges)).batch->content;
  };
  CHECK(content({{}, {}, {0}}) == content({{}, {}, {0}}));
  CHECK(content({{}, {}, {0}}) != content({{}, {}, {1}}));
  CHECK(content({{}, {}, {0}}) != content({{}, {}, {}}));
}

TEST_CASE("A dependency that cannot be is refused by field, value and reason") {
  CheckRefused(StatusOf({taskpb::Dependency()}), "BAD_DEPENDENCY",
               "dependencies[0]: has neither of task_id and index; one is to be set");
  taskpb::Dependency both = OnTask(1);
  both.set_index(0);
  CheckRefused(StatusOf({both}), "BAD_DEPENDENCY",
               "dependencies[0]: has both of task_id and index; one is to be set");
  taskpb::Dependency no_id;
  no_id.set_task_id("short");
  CHECK(StatusOf({OnIndex(0), no_id}).code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(StatusOf({OnIndex(0), no_id}).message()),
             Catch::StartsWith("dependencies[1].task_id: "));
  CheckRefused(StatusOf({OnIndex(2)}), "DEPENDENCY_INDEX",
               "dependencies[0].index: 2 is not from 0 to 1");
  CheckRefused(StatusOf({OnIndex(1)}), "DEPENDENCY_INDEX",
               "dependencies[0].index: 1 is the task itself");
  taskpb::Dependency way = OnIndex(0);
  way.set_on_failure(static_cast<taskpb::OnFailure>(9));
  CheckRefused(StatusOf({way}), "BAD_ON_FAILURE", "dependencies[0].on_failure: 9 is none");
  CheckRefused(StatusOf({OnIndex(0), OnIndex(0)}), "DEPENDENCY_REPEATED",
               "dependencies[1]: index 0 is there already");
  CheckRefused(StatusOf({OnTask(1), OnTask(2), OnTask(1)}), "DEPENDENCY_REPEATED",
               "dependencies[2]: " + Id(1).ToString() + " is there already");
}

TEST_CASE("There are at most 10,000 dependencies and 1,000 arguments") {
  std::vector<taskpb::Dependency> dependencies;
  for (uint64_t i = 0; i < 10'000; ++i) dependencies.push_back(OnTask(i));
  for (size_t i = 0; i < 1'000; ++i) dependencies[i].set_argument(true);
  CHECK(StatusOf(dependencies).ok());
  dependencies[1'000].set_argument(true);
  CheckRefused(StatusOf(dependencies), "TOO_MANY_ARGUMENTS",
               "dependencies.argument: 1001 exceed the limit of 1000");
  dependencies.push_back(OnTask(10'000));
  CheckRefused(StatusOf(dependencies), "TOO_MANY_DEPENDENCIES",
               "dependencies: 10001 exceed the limit of 10000");
}

TEST_CASE("A spec comes behind those that it depends on, and the others keep their order") {
  const CheckedSpawn checked = Read(Call({{3}, {}, {0, 1}, {}}));
  CHECK(checked.places == std::vector<uint32_t>{1, 3, 0, 2});
  const SpawnBatch& batch = *checked.batch;
  CHECK(batch.specs[2].dependencies[0].place == 1);
  CHECK(batch.specs[3].dependencies[0].place == 2);
  CHECK(batch.specs[3].dependencies[1].place == 0);
}

TEST_CASE("Specs that wait for each other are refused, and so is who depends on them") {
  const CheckedSpawn checked = Read(Call({{1}, {2}, {0}, {2}, {}, {3}, {4}}));
  for (const size_t cyclic : {0, 1, 2}) {
    CheckRefused(checked.statuses[cyclic], "DEPENDENCY_CYCLE",
                 "dependencies: specs[" + std::to_string(cyclic) +
                     "] depends on itself, by way of other specs of the call");
  }
  for (const size_t behind : {3, 5}) {
    CHECK(checked.statuses[behind].code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(checked.statuses[behind]) == "DEPENDENCY_REFUSED");
  }
  CHECK(checked.places == std::vector<uint32_t>{4, 6});
}

TEST_CASE("Who depends on a bad spec is refused, and nobody else") {
  auto request = Call({{}, {0}, {1}, {}, {3}});
  request.message.mutable_specs(0)->set_type("no type");
  const CheckedSpawn checked = Read(request);
  CHECK(ReasonOf(checked.statuses[0]) == "BAD_TYPE");
  CHECK(ReasonOf(checked.statuses[1]) == "DEPENDENCY_REFUSED");
  CHECK_THAT(std::string(checked.statuses[1].message()),
             Catch::StartsWith("dependencies: depends on specs[0], which is refused: type: "));
  CHECK(ReasonOf(checked.statuses[2]) == "DEPENDENCY_REFUSED");
  CHECK(checked.places == std::vector<uint32_t>{3, 4});
  CHECK(checked.batch->specs[1].dependencies[0].place == 0);
}

TEST_CASE("Chains and cycles of 100,000 specs, in any order, are read at once") {
  constexpr uint32_t kCount = 100'000;
  std::vector<uint32_t> order(kCount);
  for (uint32_t i = 0; i < kCount; ++i) order[i] = i;
  if (GENERATE(false, true)) std::ranges::reverse(order);
  std::vector<std::vector<uint32_t>> edges(kCount);
  for (uint32_t i = 1; i < kCount; ++i) edges[order[i]] = {order[i - 1]};
  const CheckedSpawn chain = Read(Call(edges));
  CHECK(chain.places == order);
  edges[order[0]] = {order[kCount - 1]};
  const CheckedSpawn cycle = Read(Call(edges));
  CHECK(cycle.places.empty());
  CHECK(ReasonOf(cycle.statuses[kCount / 2]) == "DEPENDENCY_CYCLE");
}

TEST_CASE("Of random calls exactly what can be done is taken, each behind what it needs") {
  std::mt19937 random(1);
  for (int run = 0; run < 300; ++run) {
    const uint32_t count = 1 + random() % 9;
    std::vector<std::vector<uint32_t>> edges(count);
    for (uint32_t i = 0; i < count; ++i) {
      for (uint32_t j = 0; j < count; ++j) {
        if (i != j && random() % 6 == 0) edges[i].push_back(j);
      }
    }
    // Who can be done: those all of whose dependencies can be, again and again.
    std::vector<bool> done(count);
    for (uint32_t round = 0; round < count; ++round) {
      for (uint32_t i = 0; i < count; ++i) {
        done[i] = std::ranges::all_of(edges[i], [&](uint32_t j) { return done[j]; });
      }
    }
    const CheckedSpawn checked = Read(Call(edges));
    std::vector<bool> seen(count);
    for (const uint32_t place : checked.places) {
      CHECK(std::ranges::all_of(edges[place], [&](uint32_t j) { return seen[j]; }));
      seen[place] = true;
    }
    CHECK(seen == done);
    for (uint32_t i = 0; i < count; ++i) CHECK(checked.statuses[i].ok() == done[i]);
  }
}

}  // namespace
}  // namespace kantoku::inputs
