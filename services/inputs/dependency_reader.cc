#include "services/inputs/dependency_reader.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/platform/rpc/received.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

absl::Status Bad(std::string_view reason, std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status ReadWhich(const task::v1::Dependency& proto, const std::string& field, uint32_t place,
                       uint32_t count, Dependency& dependency) {
  if (proto.has_index() == !proto.task_id().empty()) {
    return Bad("BAD_DEPENDENCY",
               absl::StrCat(field, ": has ", proto.has_index() ? "both" : "neither",
                            " of task_id and index; one is to be set"));
  }
  if (!proto.has_index()) {
    const auto id = TaskId::FromBytes(proto.task_id());
    if (!id.ok()) return platform::Annotate(id.status(), absl::StrCat(field, ".task_id"));
    dependency.task = *id;
    return absl::OkStatus();
  }
  if (proto.index() >= count || proto.index() == place) {
    return Bad(
        "DEPENDENCY_INDEX",
        absl::StrCat(field, ".index: ", proto.index(),
                     proto.index() == place ? " is the task itself"
                                            : absl::StrCat(" is not from 0 to ", count - 1)));
  }
  dependency.place = proto.index();
  return absl::OkStatus();
}

absl::Status ReadDependency(const task::v1::Dependency& proto, const std::string& field,
                            uint32_t place, uint32_t count, Dependency& dependency) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(ReadWhich(proto, field, place, count, dependency));
  if (!task::v1::OnFailure_IsValid(proto.on_failure())) {
    return Bad("BAD_ON_FAILURE",
               absl::StrCat(field, ".on_failure: ", proto.on_failure(), " is none"));
  }
  if (proto.on_failure() != task::v1::ON_FAILURE_UNSPECIFIED) {
    dependency.on_failure = static_cast<OnFailure>(proto.on_failure());
  }
  dependency.argument = proto.argument();
  return absl::OkStatus();
}

// The places in a call as nodes, from each that others depend on to these.
struct Graph {
  explicit Graph(std::span<const TaskSpec> specs) : begin(specs.size() + 1) {
    for (const TaskSpec& spec : specs) {
      for (const Dependency& dependency : spec.dependencies) {
        if (dependency.task.empty()) ++begin[dependency.place + 1];
      }
    }
    for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
    dependents.resize(begin.back());
    std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
    for (uint32_t i = 0; i < specs.size(); ++i) {
      for (const Dependency& dependency : specs[i].dependencies) {
        if (dependency.task.empty()) dependents[next[dependency.place]++] = i;
      }
    }
  }
  std::span<const uint32_t> Dependents(uint32_t place) const {
    return std::span(dependents).subspan(begin[place], begin[place + 1] - begin[place]);
  }

  std::vector<uint32_t> begin;
  std::vector<uint32_t> dependents;
};

// Everything behind those of `refused` is refused, too.
void RefuseDependents(const Graph& graph, std::vector<uint32_t> refused,
                      std::vector<absl::Status>& statuses) {
  while (!refused.empty()) {
    const uint32_t place = refused.back();
    refused.pop_back();
    for (const uint32_t dependent : graph.Dependents(place)) {
      if (!statuses[dependent].ok()) continue;
      statuses[dependent] =
          platform::Error(absl::StatusCode::kFailedPrecondition, "DEPENDENCY_REFUSED",
                          absl::StrCat("dependencies: depends on specs[", place,
                                       "], which is refused: ", statuses[place].message()));
      refused.push_back(dependent);
    }
  }
}

// Those of `left` that wait for each other: what is behind a cycle and before none goes.
std::vector<uint32_t> Cyclic(std::span<const TaskSpec> specs, std::vector<uint32_t> left) {
  std::vector<uint32_t> dependents(specs.size());
  std::vector<bool> in(specs.size());
  for (const uint32_t place : left) in[place] = true;
  const auto each = [&](uint32_t place, auto visit) {
    for (const Dependency& dependency : specs[place].dependencies) {
      if (dependency.task.empty() && in[dependency.place]) visit(dependency.place);
    }
  };
  for (const uint32_t place : left) each(place, [&](uint32_t other) { ++dependents[other]; });
  std::vector<uint32_t> ends;
  for (const uint32_t place : left) {
    if (dependents[place] == 0) ends.push_back(place);
  }
  while (!ends.empty()) {
    const uint32_t place = ends.back();
    ends.pop_back();
    each(place, [&](uint32_t other) {
      if (--dependents[other] == 0) ends.push_back(other);
    });
    in[place] = false;
  }
  std::erase_if(left, [&](uint32_t place) { return !in[place]; });
  return left;
}

}  // namespace

absl::Status ReadDependencies(
    const google::protobuf::RepeatedPtrField<task::v1::Dependency>& protos, uint32_t place,
    uint32_t count, std::vector<Dependency>& dependencies) {
  if (protos.size() > kMaxDependencies) {
    return Bad("TOO_MANY_DEPENDENCIES", absl::StrCat("dependencies: ", protos.size(),
                                                     " exceed the limit of ", kMaxDependencies));
  }
  absl::flat_hash_set<TaskId> ids;
  absl::flat_hash_set<uint32_t> places;
  int arguments = 0;
  dependencies.resize(static_cast<size_t>(protos.size()));
  for (int i = 0; i < protos.size(); ++i) {
    const std::string field = absl::StrCat("dependencies[", i, "]");
    Dependency& dependency = dependencies[static_cast<size_t>(i)];
    KANTOKU_RETURN_IF_ERROR(ReadDependency(protos[i], field, place, count, dependency));
    const bool fresh = dependency.task.empty() ? places.insert(dependency.place).second
                                               : ids.insert(dependency.task).second;
    if (!fresh) {
      return Bad("DEPENDENCY_REPEATED",
                 absl::StrCat(field, ": ",
                              dependency.task.empty() ? absl::StrCat("index ", dependency.place)
                                                      : dependency.task.ToString(),
                              " is there already"));
    }
    arguments += dependency.argument ? 1 : 0;
  }
  if (arguments <= kMaxArguments) return absl::OkStatus();
  return Bad("TOO_MANY_ARGUMENTS", absl::StrCat("dependencies.argument: ", arguments,
                                                " exceed the limit of ", kMaxArguments));
}

std::vector<uint32_t> OrderByDependencies(std::span<const TaskSpec> specs,
                                          std::vector<absl::Status>& statuses) {
  const Graph graph(specs);
  std::vector<uint32_t> order;
  order.reserve(specs.size());
  if (graph.dependents.empty()) {
    for (uint32_t i = 0; i < specs.size(); ++i) {
      if (statuses[i].ok()) order.push_back(i);
    }
    return order;
  }
  std::vector<uint32_t> refused;
  for (uint32_t i = 0; i < specs.size(); ++i) {
    if (!statuses[i].ok()) refused.push_back(i);
  }
  RefuseDependents(graph, std::move(refused), statuses);
  // What is left depends on nothing that is refused.
  std::vector<uint32_t> open(specs.size());
  std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> free;
  for (uint32_t i = 0; i < specs.size(); ++i) {
    if (!statuses[i].ok()) continue;
    open[i] = static_cast<uint32_t>(std::ranges::count_if(
        specs[i].dependencies, [](const Dependency& each) { return each.task.empty(); }));
    if (open[i] == 0) free.push(i);
  }
  while (!free.empty()) {
    const uint32_t place = free.top();
    free.pop();
    order.push_back(place);
    for (const uint32_t dependent : graph.Dependents(place)) {
      if (statuses[dependent].ok() && --open[dependent] == 0) free.push(dependent);
    }
  }
  std::vector<uint32_t> stuck;
  for (uint32_t i = 0; i < specs.size(); ++i) {
    if (statuses[i].ok() && open[i] > 0) stuck.push_back(i);
  }
  std::vector<uint32_t> cyclic = Cyclic(specs, std::move(stuck));
  for (const uint32_t place : cyclic) {
    statuses[place] = Bad("DEPENDENCY_CYCLE",
                          absl::StrCat("dependencies: specs[", place,
                                       "] depends on itself, by way of other specs of the call"));
  }
  RefuseDependents(graph, std::move(cyclic), statuses);
  return order;
}

}  // namespace kantoku::inputs
