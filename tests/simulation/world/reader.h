#ifndef KANTOKU_TESTS_SIMULATION_WORLD_READER_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_READER_H_

#include "tests/simulation/world/model.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// Reads what tasks have yielded, from anywhere: it gets everything from there, in order, and is
// told where another dispatch begins.
class Reader {
 public:
  Reader(const Scene& scene, const Model& model, OutputsServer& outputs)
      : scene_(scene), model_(model), outputs_(outputs) {}

  void Read();

 private:
  void ReadFrom(const ModelTask& task, outputs::ItemPosition from);

  const Scene scene_;
  const Model& model_;
  OutputsServer& outputs_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_READER_H_
