#ifndef KANTOKU_TESTS_CONFORMANCE_SERVICE_BACKENDS_H_
#define KANTOKU_TESTS_CONFORMANCE_SERVICE_BACKENDS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/config/v1/config.pb.h"
#include "tests/support/backend.h"

namespace kantoku::test {

// Where services under test keep their records.
struct ServiceStore {
  config::v1::StoreConfig config;
  std::shared_ptr<void> program;  // That keeps them, if one has to run; gone with its last owner.
};

// A backend as the configuration of a service names it.
struct Backend {
  std::string name;
  bool durable;                        // Whether a restart of the service keeps what was there.
  std::function<ServiceStore()> make;  // Empty at first. On the main thread.
};

// All that the exams of services are sat with; a new backend adds its line here, and to
// KANTOKU_SERVICE_BACKENDS of CMakeLists.txt. Services put their decorators around each.
std::vector<Backend> ServiceBackends();

#ifdef KANTOKU_BACKENDS
// Those that this run is about (tests/support/backend.h): for each a `Subject`, which is made of
// its ServiceStore, as an `Entry` of the exam. `others` sit it after them.
template <typename Entry, typename Subject>
std::vector<Entry> EntriesOf(const std::vector<Entry>& others = {}) {
  std::vector<Entry> entries;
  for (const Backend& backend : ServiceBackends()) {
    entries.push_back({backend.name, backend.durable,
                       [backend] { return std::make_unique<Subject>(backend.make()); }});
  }
  entries.insert(entries.end(), others.begin(), others.end());
  return OfChosenBackend(std::move(entries));
}
#endif

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CONFORMANCE_SERVICE_BACKENDS_H_
