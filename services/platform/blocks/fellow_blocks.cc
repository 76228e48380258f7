#include "services/platform/blocks/fellow_blocks.h"

#include <utility>

namespace kantoku::platform {

FellowBlocks::FellowBlocks(BlockBook& blocks, Forwarder::Connect connect, Clock& clock,
                           const MacKeys& keys)
    : blocks_(blocks),
      connect_(std::move(connect)),
      clock_(clock),
      keys_(keys),
      watch_(blocks.Watch([this](const KnownBlocks& known) { Tell(known); })) {}

void FellowBlocks::SetOthers(const std::vector<Replica>& others) {
  Peers gone;  // Which end after the lock is released: they may be in the middle of a call.
  MutexLock lock(mutex_);
  if (stopped_) return;
  const KnownBlocks known = blocks_.known();  // What is newer is told to all who are there then.
  gone.swap(peers_);
  for (const Replica& other : others) {
    if (auto known_before = gone.extract(other.address); !known_before.empty()) {
      peers_.insert(std::move(known_before));
      continue;
    }
    const auto channel = connect_(other.address);
    if (!channel.ok() || peers_.contains(other.address)) continue;
    auto& peer = peers_[other.address];
    peer = std::make_unique<BlocksPeer>(*channel, clock_, keys_);
    if (known.list != nullptr) peer->Tell(known);
  }
}

void FellowBlocks::Tell(const KnownBlocks& blocks) {
  MutexLock lock(mutex_);
  for (const auto& [address, peer] : peers_) peer->Tell(blocks);
}

void FellowBlocks::Stop() {
  blocks_.Unwatch(watch_);
  Peers gone;
  MutexLock lock(mutex_);
  stopped_ = true;
  gone.swap(peers_);
}

}  // namespace kantoku::platform
