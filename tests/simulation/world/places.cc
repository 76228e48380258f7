#include "tests/simulation/world/places.h"

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {
namespace {

// Empty: absent.
std::string_view ValueOf(const LabelMap& labels, const std::string& name) {
  const auto label = labels.find(name);
  return label == labels.end() ? std::string_view() : std::string_view(label->second);
}

// Among the values that executors announce.
bool HasMuchMemory(const LabelMap& labels) {
  return ValueOf(labels, "mem") == "16.0" || ValueOf(labels, "mem") == "32";
}

constexpr std::array<std::string_view, 5> kMemories = {"", "8", "16.0", "32", "much"};

constexpr std::array<Condition, 4> kConditions = {{
    {R"(zone == "a")", [](const LabelMap& labels) { return ValueOf(labels, "zone") == "a"; }},
    {"mem >= 16", HasMuchMemory},
    {"!(mem >= 16)", [](const LabelMap& labels) { return !HasMuchMemory(labels); }},
    {R"(zone in ("a", "b") && version != "1")",
     [](const LabelMap& labels) {
       return !ValueOf(labels, "zone").empty() && ValueOf(labels, "version") != "1";
     }},
}};
constexpr size_t kOfOwner = kConditions.size() + 1;
constexpr size_t kOfExecutor = kOfOwner + 1;
static_assert(kOfExecutor + 1 == kPlaces);

// The executor that such a place names.
size_t ExecutorOf(size_t place, std::string_view name_space) {
  const size_t first = name_space == kNamespaces[0] ? 0 : 1;
  return place == kOfOwner ? first : first + kNamespaces.size();
}

std::string NameOf(std::string_view what, size_t executor) {
  return absl::StrCat(platform::ToAbsl(what), "-", executor);
}

void Announce(std::string_view zone, std::string_view memory, std::string_view version,
              inputs::v1::Hello& hello) {
  if (!zone.empty()) (*hello.mutable_labels())["zone"] = std::string(zone);
  if (!memory.empty()) (*hello.mutable_labels())["mem"] = std::string(memory);
  hello.set_version(std::string(version));
}

}  // namespace

const std::array<Condition, 3> kRoutes = {{
    {R"(version == "2")", [](const LabelMap& labels) { return ValueOf(labels, "version") == "2"; }},
    {R"(version == "1" || has(zone))",
     [](const LabelMap& labels) {
       return ValueOf(labels, "version") == "1" || labels.contains("zone");
     }},
    {R"(zone != "b")", [](const LabelMap& labels) { return ValueOf(labels, "zone") != "b"; }},
}};

void SetPlacement(size_t place, std::string_view name_space, task::v1::Placement& placement) {
  if (place == kOfOwner) {
    placement.set_owner(NameOf("owner", ExecutorOf(place, name_space)));
  } else if (place == kOfExecutor) {
    placement.set_executor(NameOf("executor", ExecutorOf(place, name_space)));
  } else if (place > 0) {
    placement.set_selector(std::string(kConditions[place - 1].selector));
  }
}

bool Fits(size_t place, std::string_view name_space, const LabelMap& labels) {
  if (place == kOfOwner) {
    return ValueOf(labels, "owner") == NameOf("owner", ExecutorOf(place, name_space));
  }
  if (place == kOfExecutor) {
    return ValueOf(labels, "executor") == NameOf("executor", ExecutorOf(place, name_space));
  }
  return place == 0 || kConditions[place - 1].holds(labels);
}

void AnnounceLabels(Random& random, inputs::v1::Hello& hello) {
  constexpr std::array<std::string_view, 3> kZones = {"", "a", "b"};
  Announce(kZones[random.Pick(kZones.size())], kMemories[random.Pick(kMemories.size())],
           random.Chance(50) ? "1" : "2", hello);
}

void AnnounceAll(int executor, inputs::v1::Hello& hello) {
  const bool first = static_cast<size_t>(executor) < kNamespaces.size();
  Announce(first ? "a" : "b", first ? "32" : "8", "2", hello);
}

LabelMap LabelsOf(const inputs::v1::Hello& hello, std::string_view owner, std::string_view app) {
  LabelMap labels(hello.labels().begin(), hello.labels().end());
  const auto add = [&](const char* name, std::string_view value) {
    if (!value.empty()) labels[name] = std::string(value);
  };
  add("executor", hello.name());
  add("owner", owner);
  add("app", app);
  add("version", hello.version());
  return labels;
}

}  // namespace kantoku::simulation
