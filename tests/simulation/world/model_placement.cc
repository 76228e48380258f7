#include <algorithm>
#include <utility>

#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/places.h"

// Which executors get what: what tasks ask for, and routes of their types.
namespace kantoku::simulation {

void Model::ObjectWritten(uint64_t number, std::string_view bytes) {
  const auto record = inputs::DecodeObject(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  if (const auto* const route = std::get_if<inputs::RouteRecord>(&*record)) {
    return RouteWritten(number, *route);
  }
  const auto& block = std::get<platform::Block>(*record);
  if (!blocks_.Has(block.names)) scene_.CountStep();
  block_of_[number] = block.names;
  blocks_.Set(block);
}

void Model::ObjectErased(uint64_t number) {
  const auto block = block_of_.find(number);
  if (block == block_of_.end()) return RouteErased(number);
  scene_.CountStep();
  blocks_.Lift(block->second);
  block_of_.erase(block);
}

void Model::RouteWritten(uint64_t number, const inputs::RouteRecord& record) {
  const auto route = std::ranges::find(kRoutes, record.selector->canonical(), &Condition::selector);
  scene_.Expect(route != kRoutes.end(), "a route is set as it was asked for");
  if (route == kRoutes.end()) return;
  route_of_[number] = {record.name_space, record.type};
  const auto condition = static_cast<size_t>(route - kRoutes.begin());
  const auto [known, set] = routes_.try_emplace(route_of_[number], condition);
  if (set || std::exchange(known->second, condition) != condition) scene_.CountStep();
}

void Model::RouteErased(uint64_t number) {
  const auto route = route_of_.find(number);
  if (route == route_of_.end()) return;
  scene_.CountStep();
  routes_.erase(route->second);
  route_of_.erase(route);
}

void Model::CheckPlace(const ModelTask& task, const Speaker& speaker) const {
  const auto announced = credit_at_end_.find(speaker);
  if (announced == credit_at_end_.end()) return;  // CheckBatch says so.
  const LabelMap& labels = *announced->second.labels;
  scene_.Expect(Fits(task.place, task.name_space, labels), "a task runs only where it may");
  const auto route = routes_.find(LaneOf(task));
  scene_.Expect(route == routes_.end() || kRoutes[route->second].holds(labels),
                "only executors of its route get a type");
}

}  // namespace kantoku::simulation
