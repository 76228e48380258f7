#ifndef KANTOKU_TESTS_SUPPORT_BACKEND_H_
#define KANTOKU_TESTS_SUPPORT_BACKEND_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kantoku::test {

// The backend that this run of the program is about, as `--backend` names it; empty: all of them.
const std::string& ChosenBackend();

// Ends the program unless those which sit the exam are those for which ctest has entries: else one
// of them would never sit it, and nobody would notice. `listed` has commas between them.
void CheckBackends(const std::vector<std::string>& sitting, std::string_view listed);

#ifdef KANTOKU_BACKENDS
// Of all who sit the exam those that this run is about: entries with a `name`, which are the
// BACKENDS of the program's kantoku_test.
template <typename Entry>
std::vector<Entry> OfChosenBackend(std::vector<Entry> all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Entry& entry : all) names.push_back(entry.name);
  CheckBackends(names, KANTOKU_BACKENDS);
  if (ChosenBackend().empty()) return all;
  std::vector<Entry> chosen;
  for (Entry& entry : all) {
    if (entry.name == ChosenBackend()) chosen.push_back(std::move(entry));
  }
  return chosen;
}
#endif

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_BACKEND_H_
