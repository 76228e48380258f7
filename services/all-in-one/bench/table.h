#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_TABLE_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_TABLE_H_

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "services/all-in-one/bench/scenario.h"

namespace kantoku::bench {

// The figures of scenarios for people: a row for each, with what is told of all of them and what
// the scenario itself wants to be seen (Scenario::shown).
class Table {
 public:
  // `line` is what is told of the scenario in JSON.
  void Add(const Scenario& scenario, const nlohmann::ordered_json& line);
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_TABLE_H_
