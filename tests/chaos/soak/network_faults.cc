#include "tests/chaos/soak/network_faults.h"

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/own_network.h"

namespace kantoku::soak {
namespace {

// A change of the mood of some links, and back.
class MoodFault final : public Fault {
 public:
  struct Options {
    FaultShape shape;
    std::vector<size_t> links;
    std::function<void(LinkMood&)> change;
    std::function<uint64_t(const LinkDeeds&)> proof;
    std::string absent;  // The executor that cannot hear Inputs meanwhile; empty: none.
  };
  MoodFault(Options options, Proxy& proxy, Absences& absences)
      : Fault(options.shape), options_(std::move(options)), proxy_(proxy), absences_(absences) {}

  size_t happened() const override { return happened_; }

  void Begin() override {
    before_ = Proofs();
    if (!options_.absent.empty()) absences_.Begin(options_.absent);
    saved_.clear();
    for (const size_t link : options_.links) {
      LinkMood mood = proxy_.mood(link);
      saved_.push_back(mood);
      options_.change(mood);
      proxy_.SetMood(link, mood);
    }
    if (happened_ == 0) AwaitProof([this] { return Proofs() > before_; });
  }

  void End() override {
    if (Proofs() > before_) ++happened_;
    for (size_t i = 0; i < options_.links.size(); ++i) {
      proxy_.SetMood(options_.links[i], saved_[i]);
    }
    if (!options_.absent.empty()) absences_.End(options_.absent);
  }

 private:
  uint64_t Proofs() const {
    uint64_t proofs = 0;
    for (const size_t link : options_.links) proofs += options_.proof(proxy_.deeds(link));
    return proofs;
  }

  const Options options_;
  Proxy& proxy_;
  Absences& absences_;
  std::vector<LinkMood> saved_;
  uint64_t before_ = 0;
  size_t happened_ = 0;
};

// No packet arrives, anywhere.
class Silence final : public Fault {
 public:
  explicit Silence(Absences& absences)
      : Fault({.name = "packets vanish",
               .lane = Lane::kNetwork,
               .shortest = absl::Milliseconds(300),
               .longest = absl::Milliseconds(1'500)}),
        absences_(absences) {}

  size_t happened() const override { return happened_; }
  void Begin() override {
    absences_.Begin("");
    if (SetSilence(true).ok()) ++happened_;
  }
  void End() override {
    if (!SetSilence(false).ok()) happened_ = 0;
    absences_.End("");
  }

 private:
  Absences& absences_;
  size_t happened_ = 0;
};

uint64_t Resets(const LinkDeeds& deeds) { return deeds.resets; }
uint64_t Silences(const LinkDeeds& deeds) { return deeds.silences; }
uint64_t Delayed(const LinkDeeds& deeds) { return deeds.delayed; }
void CutByReset(LinkMood& mood) { mood.cut = LinkMood::Cut::kReset; }
void CutInSilence(LinkMood& mood) { mood.cut = LinkMood::Cut::kSilent; }
void MakeSlow(LinkMood& mood) {
  mood.latency = absl::Milliseconds(150);
  mood.bytes_per_second = int64_t{256} << 10;
}

class Maker {
 public:
  Maker(Topology& topology, Absences& absences, std::vector<std::unique_ptr<Fault>>& faults)
      : topology_(topology), absences_(absences), faults_(faults) {}

  // Each of the three things that befall a line of a user, of an executor, or of the services.
  void AddLine(const std::string& name, const std::vector<size_t>& links,
               const std::string& absent) {
    Add(Shape("reset " + name, absl::Milliseconds(100), absl::Seconds(1)), links, CutByReset,
        Resets, absent);
    Add(Shape("silence " + name, absl::Milliseconds(500), topology_.grace() / 3), links,
        CutInSilence, Silences, absent);
    Add(Shape("slow " + name, absl::Seconds(1), absl::Seconds(3)), links, MakeSlow, Delayed, "");
  }
  void AddLongSilence(const Line& line) {
    Add(Shape("silence past the grace " + line.name, topology_.grace() + kPastGrace,
              topology_.grace() + kPastGrace + absl::Seconds(2)),
        {line.to_inputs, line.to_outputs}, CutInSilence, Silences, line.name);
  }

 private:
  static FaultShape Shape(const std::string& name, absl::Duration shortest,
                          absl::Duration longest) {
    return {.name = name, .lane = Lane::kNetwork, .shortest = shortest, .longest = longest};
  }
  void Add(FaultShape shape, std::vector<size_t> links, void (*change)(LinkMood&),
           uint64_t (*proof)(const LinkDeeds&), const std::string& absent) {
    faults_.push_back(std::make_unique<MoodFault>(MoodFault::Options{.shape = std::move(shape),
                                                                     .links = std::move(links),
                                                                     .change = change,
                                                                     .proof = proof,
                                                                     .absent = absent},
                                                  topology_.proxy(), absences_));
  }

  Topology& topology_;
  Absences& absences_;
  std::vector<std::unique_ptr<Fault>>& faults_;
};

}  // namespace

void AddNetworkFaults(Topology& topology, Absences& absences, bool own_network,
                      std::vector<std::unique_ptr<Fault>>& faults) {
  Maker maker(topology, absences, faults);
  const Line& user = topology.user_line(0);
  maker.AddLine(user.name, {user.to_inputs, user.to_outputs}, "");
  const Line& executor = topology.executor_line(0);
  maker.AddLine(executor.name, {executor.to_inputs, executor.to_outputs}, executor.name);
  const auto& links = topology.service_links();
  maker.AddLine("between services", {links.begin(), links.end()}, "");
  maker.AddLongSilence(topology.executor_line(1));
  if (own_network) faults.push_back(std::make_unique<Silence>(absences));
}

}  // namespace kantoku::soak
