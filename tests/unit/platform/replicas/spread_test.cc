#include "services/platform/replicas/spread.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace kantoku::platform {
namespace {

using Random = std::mt19937;

size_t Below(Random& random, size_t end) {
  return std::uniform_int_distribution<size_t>(0, end - 1)(random);
}

// Replicas that all see the same and do what Spread says, step by step.
class Component {
 public:
  Component(Random& random, size_t partitions) : random_(random) {
    view_.owners.resize(partitions);
  }

  size_t partitions() const { return view_.owners.size(); }
  size_t living() const { return view_.living.size(); }
  const ReplicaView& view() const { return view_; }

  void Join() {
    // Of any place in the order.
    const std::string id = std::to_string(Below(random_, 1000)) + "/" + std::to_string(++joined_);
    view_.living.push_back({.id = id, .address = id});
    std::sort(view_.living.begin(), view_.living.end(),
              [](const Replica& a, const Replica& b) { return a.id < b.id; });
  }

  // What it had is a dead one's, or nobody's.
  void Lose(bool leaves) {
    const auto gone = view_.living.begin() + static_cast<std::ptrdiff_t>(Below(random_, living()));
    for (std::string& owner : view_.owners) {
      if (leaves && owner == gone->id) owner.clear();
    }
    view_.living.erase(gone);
  }

  // Of the living, most first.
  std::vector<size_t> Counts() const {
    std::vector<size_t> counts;
    for (const Replica& replica : view_.living) counts.push_back(Of(replica.id).size());
    std::sort(counts.rbegin(), counts.rend());
    return counts;
  }

  // How many of the living's have to become another's, whoever decides it.
  size_t LeastMoves() const {
    size_t moves = 0;
    const std::vector<size_t> counts = Counts();
    for (size_t i = 0; i < counts.size(); ++i) {
      const size_t share = partitions() / living() + (i < partitions() % living() ? 1 : 0);
      moves += counts[i] - std::min(counts[i], share);
    }
    return moves;
  }

  // All do at once what they conclude from one view. Returns whether anything happened.
  bool Step() {
    const ReplicaView seen = view_;
    std::set<uint32_t> claimed;
    bool has_moved = false;
    for (const Replica& replica : seen.living) {
      const Moves moves = Spread(seen, replica.id);
      for (const uint32_t partition : moves.claim) {
        CHECK(claimed.insert(partition).second);  // Two of them wanted it.
        CHECK(IsNobodys(seen, partition));
        view_.owners[partition] = replica.id;
      }
      CHECK_FALSE((moves.release && !moves.claim.empty()));
      if (moves.release) {
        const std::vector<uint32_t> own = Of(replica.id);
        REQUIRE(!own.empty());
        view_.owners[own[Below(random_, own.size())]].clear();
        ++releases_;
      }
      has_moved |= moves.release || !moves.claim.empty();
    }
    return has_moved;
  }

  size_t releases() const { return releases_; }

  std::vector<uint32_t> Of(const std::string& id) const {
    std::vector<uint32_t> partitions;
    for (uint32_t partition = 0; partition < view_.owners.size(); ++partition) {
      if (view_.owners[partition] == id) partitions.push_back(partition);
    }
    return partitions;
  }

 private:
  static bool IsNobodys(const ReplicaView& view, uint32_t partition) {
    return std::none_of(view.living.begin(), view.living.end(), [&](const Replica& replica) {
      return replica.id == view.owners[partition];
    });
  }

  Random& random_;
  ReplicaView view_;
  size_t joined_ = 0;
  size_t releases_ = 0;
};

void CheckSettles(Component& component) {
  const size_t least = component.LeastMoves();
  const size_t before = component.releases();
  size_t steps = 0;
  while (component.Step()) ++steps;
  CHECK(steps <= component.partitions());
  CHECK(component.releases() - before == least);
  const std::vector<size_t> counts = component.Counts();
  CHECK(counts.front() - counts.back() <= 1);
  size_t all = 0;
  for (const size_t count : counts) all += count;
  CHECK(all == component.partitions());
}

TEST_CASE("Whoever joins, leaves or dies, partitions are even again within as many steps") {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Component component(random, 1 + Below(random, 24));
    for (int change = 0; change < 30; ++change) {
      CAPTURE(change);
      const size_t what = Below(random, 3);
      if (component.living() == 0 || what == 0) {
        component.Join();
      } else if (component.living() > 1) {
        component.Lose(/*leaves=*/what == 1);
      }
      // Now and then the next change comes before the last one has settled.
      if (Below(random, 3) > 0) {
        CheckSettles(component);
      } else {
        component.Step();
      }
    }
    CheckSettles(component);
  }
}

TEST_CASE("Of equal views everybody concludes the same, whenever") {
  const ReplicaView view{.living = {{.id = "a"}, {.id = "b"}, {.id = "c"}},
                         .owners = {"a", "a", "", "dead", "b"}};
  for (int time = 0; time < 2; ++time) {
    CHECK(Spread(view, "a").claim.empty());
    CHECK(Spread(view, "b").claim == std::vector<uint32_t>{3});
    CHECK(Spread(view, "c").claim == std::vector<uint32_t>{2});
  }
}

TEST_CASE("What is nobody's fills a gap before anything is released for it") {
  const ReplicaView view{.living = {{.id = "a"}, {.id = "b"}}, .owners = {"a", "a", "", ""}};
  CHECK_FALSE(Spread(view, "a").release);
  CHECK(Spread(view, "a").claim.empty());
  CHECK(Spread(view, "b").claim == std::vector<uint32_t>{2, 3});
}

TEST_CASE("With more replicas than partitions the rest waits without claiming") {
  const ReplicaView view{.living = {{.id = "a"}, {.id = "b"}, {.id = "c"}}, .owners = {"c", ""}};
  CHECK(Spread(view, "a").claim == std::vector<uint32_t>{1});
  CHECK(Spread(view, "b").claim.empty());
  CHECK_FALSE(Spread(view, "c").release);
}

TEST_CASE("Who is not seen to live does nothing") {
  const Moves moves = Spread({.living = {{.id = "a"}}, .owners = {"", "b"}}, "b");
  CHECK(moves.claim.empty());
  CHECK_FALSE(moves.release);
}

}  // namespace
}  // namespace kantoku::platform
