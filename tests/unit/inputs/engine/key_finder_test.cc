#include "services/inputs/engine/key_finder.h"

#include "tests/unit/inputs/engine/admission_world.h"

namespace kantoku::inputs::testing {
namespace {

constexpr char kSpace[] = "default";

TEST_CASE("Whatever the spec before named, a key is found by kind, scope, whose it is and name") {
  KeyTable table;
  const auto make = [&](KeyKind kind, KeyScope scope, const std::string& of,
                        const std::string& key) {
    return table.Intern(kSpace, {kind, scope, of, key});
  };
  const KeyNumber everybody = make(KeyKind::kConcurrency, KeyScope::kNamespace, "", "db");
  const KeyNumber of_type = make(KeyKind::kConcurrency, KeyScope::kType, "work", "db");
  const KeyNumber of_other = make(KeyKind::kConcurrency, KeyScope::kType, "other", "db");
  const KeyNumber rate = make(KeyKind::kRate, KeyScope::kNamespace, "", "db");
  const KeyNumber fairness = make(KeyKind::kFairness, KeyScope::kNamespace, "", "db");
  const KeyNumber ordering = make(KeyKind::kOrdering, KeyScope::kNamespace, "", "db");
  const auto scoped = [](KeyScope scope, const std::string& type) {
    return Keyed({.concurrency = {{"db", scope, 0}}}, 0, type);
  };
  const std::vector<std::pair<TaskSpec, std::vector<KeyNumber>>> specs = {
      {scoped(KeyScope::kNamespace, "work"), {everybody}},
      {scoped(KeyScope::kType, "work"), {of_type}},
      {scoped(KeyScope::kType, "work"), {of_type}},
      {scoped(KeyScope::kType, "other"), {of_other}},
      {scoped(KeyScope::kNamespace, "other"), {everybody}},
      {scoped(KeyScope::kNamespace, "third"), {everybody}},
      {Keyed(Throttled("db", 2)), {rate}},
      {Keyed({.concurrency = {{"db", KeyScope::kNamespace, 0}},
              .rates = {{"db", KeyScope::kNamespace, 3, {}}}}),
       {everybody, rate}},
      {Keyed(Concurrency("none")), {kNoKey}},
      {Keyed(Concurrency("db")), {everybody}}};
  // Each behind each other one, and behind itself.
  for (const auto& [before, found_before] : specs) {
    for (const auto& [spec, numbers] : specs) {
      KeyFinder finder(table, kSpace, "owner");
      finder.Find(before);
      std::vector<KeyNumber> found;
      for (const KeyUse& use : finder.Find(spec).uses) found.push_back(use.key);
      CHECK(found == numbers);
    }
  }
  KeyFinder finder(table, kSpace, "owner");
  const TaskSpec dear = Keyed(Throttled("db", 7));
  CHECK(finder.Find(dear).uses.front().cost == 7);
  const TaskSpec shared = Keyed({.ordering = "db", .fairness = "db"});
  const TaskSpec unknown = Keyed({.ordering = "none", .fairness = "none"});
  for (const TaskSpec* const spec : {&shared, &unknown, &shared, &shared}) {
    const NamedKeys& named = finder.Find(*spec);
    CHECK(named.ordering == (spec == &shared ? ordering : kNoKey));
    CHECK(named.fairness == (spec == &shared ? fairness : kNoKey));
    CHECK(named.uses.empty());
  }
}

TEST_CASE("A key that was not there is known to the next spec once it was written down") {
  KeyTable table;
  KeyFinder finder(table, kSpace, "owner");
  const TaskSpec first = Keyed(Concurrency("db"));
  const TaskSpec second = Keyed(Concurrency("db"));
  NamedKeys& named = finder.Find(first);
  CHECK(named.uses.front().key == kNoKey);
  named.uses.front().key = 77;
  CHECK(finder.Find(second).uses.front().key == 77);
}

}  // namespace
}  // namespace kantoku::inputs::testing
