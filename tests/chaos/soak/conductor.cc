#include "tests/chaos/soak/conductor.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/server/stop_signal.h"
#include "tests/chaos/soak/checker.h"
#include "tests/chaos/soak/faults.h"
#include "tests/chaos/soak/gather.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/lanes.h"
#include "tests/chaos/soak/load.h"
#include "tests/chaos/soak/own_network.h"
#include "tests/chaos/soak/topology.h"

namespace kantoku::soak {
namespace {

constexpr absl::Duration kGrace = absl::Seconds(5);
constexpr absl::Duration kProgress = absl::Seconds(10);
constexpr absl::Duration kUpLimit = absl::Seconds(60);
constexpr absl::Duration kLateLimit = absl::Minutes(2);
constexpr absl::Duration kEndsLimit = absl::Seconds(120);
// A plan of this length has every fault in it.
constexpr absl::Duration kWholeDeck = absl::Seconds(60);

// Of the proxy, always there on some lines.
constexpr absl::Duration kIdleLimit = absl::Seconds(5);
constexpr absl::Duration kHalfCloseAfter = absl::Seconds(6);

void Print(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

std::string MakeDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "kantoku-chaos-XXXXXX").string();
  KANTOKU_CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

class Conductor {
 public:
  Conductor(const ConductorOptions& options, bool own_network)
      : options_(options), own_network_(own_network), directory_(MakeDirectory()) {}

  int Run() {
    const bool good = Start() && LiveThrough() && Judge();
    topology_.reset();
    const bool keep = options_.keep || (!good && !interrupted_);
    if (keep) {
      Print("journal and logs are in " + directory_);
    } else {
      std::filesystem::remove_all(directory_);
    }
    Print(good ? "chaos ok" : interrupted_ ? "chaos interrupted" : "chaos failed");
    return good ? 0 : 1;
  }

 private:
  bool Start() {
    const int seconds = static_cast<int>(absl::ToInt64Seconds(options_.length));
    auto topology =
        Topology::Start({.directory = directory_,
                         .binaries = options_.binaries,
                         .seed = options_.seed,
                         .grace = kGrace,
                         .disk_megabytes = 128 + seconds + (options_.postgres ? 256 : 0),
                         .postgres = options_.postgres,
                         .replicas = options_.replicas});
    if (!topology.ok()) {
      Print("cannot start: " + topology.status().ToString());
      return false;
    }
    topology_ = *std::move(topology);
    if (topology_->disk() == nullptr) {
      Print(absl::StrCat("no disk may be mounted here (", topology_->why_no_disk(),
                         "): instead of a full disk, files that may not grow"));
    }
    if (!own_network_) {
      Print("no network of our own is allowed here: packets do not vanish, lines only fall silent");
    }
    for (const Line& line : {topology_->user_line(1), topology_->user_line(2),
                             topology_->executor_line(kExecutors - 1)}) {
      hostile_.push_back(line.to_inputs);
      hostile_.push_back(line.to_outputs);
    }
    for (const size_t link : hostile_) {
      topology_->proxy().SetMood(link,
                                 {.idle_limit = kIdleLimit, .half_close_after = kHalfCloseAfter});
    }
    faults_ = MakeFaults(*topology_, absences_, own_network_);
    return true;
  }

  // False when somebody has interrupted us.
  bool LiveThrough() {
    Load load({.seed = options_.seed, .tasks_per_second = options_.tasks_per_second}, *topology_,
              observations_);
    const absl::Duration end = Steady() + options_.length;
    {
      Lanes lanes(MakePlan(options_.seed, options_.length, Shapes(faults_)), faults_);
      while (!interrupted_ && !Over(lanes, end)) {
        const absl::Duration left = std::max(end - Steady(), absl::Seconds(1));
        interrupted_ = stop_.Wait(std::min(kProgress, left)).has_value();
        Print(absl::StrCat(observations_.asked(), " tasks, ", observations_.ended(), " ended; ",
                           lanes.begun(), " faults, now: ", lanes.Now()));
      }
    }
    if (interrupted_) return false;
    load.StopSpawning();
    if (absl::Status up = topology_->AwaitUp(kUpLimit); !up.ok()) Print(up.ToString());
    if (load.AwaitEnds(kEndsLimit)) return true;
    ShowOpen();
    return true;  // The checker counts them as lost.
  }

  // A slow machine gets more time for the faults that are to happen.
  bool Over(const Lanes& lanes, absl::Duration end) const {
    if (Steady() < end) return false;
    return options_.length < kWholeDeck || lanes.EachOnce() || Steady() > end + kLateLimit;
  }

  void ShowOpen() {
    const std::vector<std::string> open = observations_.open();
    Print(absl::StrCat(open.size(), " tasks have no end after ", absl::FormatDuration(kEndsLimit),
                       ", such as"));
    Client client = topology_->ConnectStraight();
    for (size_t i = 0; i < open.size() && i < 10; ++i) {
      const auto info = client.Get(*TaskId::Parse(open[i]), {.timeout = kUpLimit});
      Print(absl::StrCat("  ", open[i], " ",
                         info.ok()
                             ? absl::StrCat(info->type, " ", std::string(ToString(info->state)),
                                            " ", std::string(ToString(info->wait_cause)))
                             : info.status().ToString()));
    }
  }

  bool Judge() {
    std::vector<std::string> odd;
    Evidence evidence =
        Gather(*topology_, observations_, absences_, [&] { odd = topology_->Stop(); });
    for (const std::string& text : odd) evidence.trouble.push_back(text);
    LookForSanitizers(evidence.trouble);
    const Verdict verdict = Check(evidence);
    const bool all_happened = ShowFaults();
    Print(Summary(verdict));
    return verdict.good() && all_happened;
  }

  // What a sanitizer or a check of ours has to say is in a log.
  void LookForSanitizers(std::vector<std::string>& trouble) const {
    for (const auto& file : std::filesystem::directory_iterator(directory_)) {
      if (file.path().extension() != ".log") continue;
      std::ifstream log(file.path());
      for (std::string line; std::getline(log, line);) {
        for (const char* word : {"Sanitizer", "runtime error:", "broken invariant"}) {
          if (line.find(word) != std::string::npos) {
            trouble.push_back(absl::StrCat(file.path().filename().string(), ": ", line));
          }
        }
      }
    }
  }

  // False when one of them did not happen, though there was time enough.
  bool ShowFaults() {
    std::string text = absl::StrCat("seed ", options_.seed, ", faults:");
    bool all = true;
    const auto add = [&](const std::string& name, size_t count) {
      absl::StrAppend(&text, "\n  ", name, " ", count);
      all = all && count > 0;
    };
    for (const auto& fault : faults_) add(fault->shape().name, fault->happened());
    LinkDeeds deeds;
    for (const size_t link : hostile_) {
      const LinkDeeds more = topology_->proxy().deeds(link);
      deeds.idle_closes += more.idle_closes;
      deeds.half_closes += more.half_closes;
    }
    add("hostile proxy: idle connections closed", deeds.idle_closes);
    add("hostile proxy: half-closed at random", deeds.half_closes);
    absl::StrAppend(&text, "\n  programs that ended by themselves and were started again ",
                    topology_->crashes());
    Print(text);
    if (all || options_.length < kWholeDeck) return true;
    Print("a fault did not happen");
    return false;
  }

  const ConductorOptions options_;
  const bool own_network_;
  const std::string directory_;
  platform::StopSignal stop_;
  bool interrupted_ = false;
  Absences absences_;
  Observations observations_;
  std::unique_ptr<Topology> topology_;
  std::vector<size_t> hostile_;
  std::vector<std::unique_ptr<Fault>> faults_;
};

}  // namespace

int Conduct(const ConductorOptions& options) {
  const bool own_network = EnterOwnNetwork().ok();
  return Conductor(options, own_network).Run();
}

}  // namespace kantoku::soak
