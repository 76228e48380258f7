#ifndef KANTOKU_TESTS_SIMULATION_WORLD_PLACES_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_PLACES_H_

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/task/v1/task.pb.h"
#include "tests/simulation/world/scene.h"

// Where tasks may run in a simulated world, and whether an executor fits: said here in C++, and to
// Inputs in its own language.
namespace kantoku::simulation {

// Of an executor, those that Inputs adds included.
using LabelMap = std::map<std::string, std::string>;

struct Condition {
  std::string_view selector;  // Canonical.
  bool (*holds)(const LabelMap& labels);
};

// What routes of types are set to.
extern const std::array<Condition, 3> kRoutes;

// Tasks name one of so many places; 0 is anywhere. The last few are executors of the namespace.
inline constexpr size_t kPlaces = 7;
void SetPlacement(size_t place, std::string_view name_space, task::v1::Placement& placement);
bool Fits(size_t place, std::string_view name_space, const LabelMap& labels);

// Labels that an executor announces. Diligent ones: so that of each namespace's two executors one
// fits each task.
void AnnounceLabels(Random& random, inputs::v1::Hello& hello);
void AnnounceAll(int executor, inputs::v1::Hello& hello);
LabelMap LabelsOf(const inputs::v1::Hello& hello, std::string_view owner, std::string_view app);

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_PLACES_H_
