#ifndef KANTOKU_TESTS_SIMULATION_WORLD_COURIERS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_COURIERS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/inputs/partition/links.h"
#include "services/inputs/partition/partition.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// Carries what Inputs has to say to Outputs and Events, each question until there is an answer: on
// the way calls and answers get lost, come late, twice and in another order, and calls of an owner
// that is gone arrive after its successor's. Lines for Events alone keep their order.
class Couriers final : public inputs::OutputsLink, public inputs::EventsLink {
 public:
  Couriers(const Scene& scene, Model& model, OutputsServer& outputs)
      : scene_(scene), model_(model), outputs_(outputs) {}

  void Ask(std::vector<outputs::v1::FenceItem> items) override;
  // Answers at once, or that nobody is there to ask.
  void AskEnds(inputs::EndsQuestion question,
               absl::AnyInvocable<void(const absl::StatusOr<inputs::Ends>&)> done) override;
  void Send(uint64_t number, std::string batch) override;

  // Each does one thing, if there is one to do.
  void CarryFence(uint64_t epoch);
  // Tells Inputs.
  using Tell = std::function<void(const inputs::FenceAnswer&)>;
  void CarryAnswer(const Tell& tell);
  void CarryLines(inputs::Partition& partition);
  void CarryLate();
  // Everything arrives, once.
  void CarryAll(inputs::Partition& partition, const Tell& tell);

  // The owner is gone; what it sent may still arrive.
  void OwnerLost(uint64_t epoch);

 private:
  struct LateFence {
    uint64_t epoch;
    outputs::v1::FenceItem item;
  };
  using Line = std::pair<uint64_t, std::string>;

  void Append(const std::deque<Line>& lines, size_t count);
  bool AskOutputs(uint64_t epoch, const outputs::v1::FenceItem& item);

  const Scene scene_;
  Model& model_;
  OutputsServer& outputs_;
  std::vector<outputs::v1::FenceItem> asked_;
  std::vector<inputs::FenceAnswer> answers_;
  std::vector<LateFence> late_fences_;
  std::deque<Line> lines_;       // Not confirmed.
  std::deque<Line> late_lines_;  // In a call that an earlier owner made.
  uint64_t events_hold_ = 0;     // Lines up to this one.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_COURIERS_H_
