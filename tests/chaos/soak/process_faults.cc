#include "tests/chaos/soak/process_faults.h"

#include <signal.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kantoku::soak {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(50);
constexpr absl::Duration kLongest = absl::Milliseconds(500);

// What an executor hears of Inputs, or does itself, stops and goes on with this program. Nothing
// for the other services.
struct Effect {
  bool counts = false;
  std::string executor;  // Empty: all.
};

// Ends a program by a signal, and lets it be started again.
class Kill final : public Fault {
 public:
  Kill(Program& program, int signal, Effect effect, Absences& absences)
      : Fault({.name = absl::StrCat(signal == SIGKILL ? "kill -9 " : "SIGTERM ", program.name()),
               .lane = Lane::kProcess,
               .shortest = kShortest,
               .longest = kLongest}),
        program_(program),
        signal_(signal),
        effect_(std::move(effect)),
        absences_(absences) {}

  size_t happened() const override { return happened_; }

  void Begin() override {
    // The first time it is to serve; later it may hit a program that comes up.
    if (happened_ == 0) (void)program_.AwaitUp(kProofLimit);
    if (effect_.counts) absences_.Begin(effect_.executor);
    if (program_.Down(signal_)) ++happened_;
  }
  void End() override {
    program_.Release();
    if (effect_.counts) absences_.End(effect_.executor);
  }

 private:
  Program& program_;
  const int signal_;
  const Effect effect_;
  Absences& absences_;
  size_t happened_ = 0;
};

// SIGSTOP and SIGCONT.
class Freeze final : public Fault {
 public:
  Freeze(Program& program, const std::string& what, absl::Duration shortest, absl::Duration longest,
         Effect effect, Absences& absences)
      : Fault({.name = absl::StrCat(what, " ", program.name()),
               .lane = Lane::kProcess,
               .shortest = shortest,
               .longest = longest}),
        program_(program),
        effect_(std::move(effect)),
        absences_(absences) {}

  size_t happened() const override { return happened_; }

  void Begin() override {
    if (happened_ == 0) (void)program_.AwaitUp(kProofLimit);
    if (effect_.counts) absences_.Begin(effect_.executor);
    if (program_.Freeze()) ++happened_;
  }
  void End() override {
    program_.Thaw();
    if (effect_.counts) absences_.End(effect_.executor);
  }

 private:
  Program& program_;
  const Effect effect_;
  Absences& absences_;
  size_t happened_ = 0;
};

}  // namespace

void AddProcessFaults(Topology& topology, Absences& absences,
                      std::vector<std::unique_ptr<Fault>>& faults) {
  const auto add = [&](Program& program, const Effect& effect) {
    for (const int signal : {SIGKILL, SIGTERM}) {
      faults.push_back(std::make_unique<Kill>(program, signal, effect, absences));
    }
    faults.push_back(std::make_unique<Freeze>(program, "freeze", absl::Milliseconds(300),
                                              topology.grace() / 3, effect, absences));
  };
  for (size_t i = 0; i < topology.replicas(); ++i) {
    add(topology.part(Part::kInputs, i), {.counts = true});
    add(topology.part(Part::kOutputs, i), {});
    add(topology.part(Part::kEvents, i), {});
  }
  for (size_t i = 0; i < kExecutors; ++i) {
    Program& executor = topology.executor(i);
    add(executor, {.counts = true, .executor = executor.name()});
  }
  Program& last = topology.executor(kExecutors - 1);
  faults.push_back(
      std::make_unique<Freeze>(last, "freeze past the grace", topology.grace() + kPastGrace,
                               topology.grace() + kPastGrace + absl::Seconds(2),
                               Effect{.counts = true, .executor = last.name()}, absences));
}

}  // namespace kantoku::soak
