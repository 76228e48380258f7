#ifndef KANTOKU_SERVICES_PLATFORM_BLOCKS_FELLOW_BLOCKS_H_
#define KANTOKU_SERVICES_PLATFORM_BLOCKS_FELLOW_BLOCKS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/auth/mac.h"
#include "services/platform/blocks/blocks_peer.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/mutex.h"
#include "services/platform/replicas/replica_directory.h"
#include "services/platform/rpc/forwarder.h"

namespace kantoku::platform {

// Tells the other replicas of this program which blocks it hears of, and those that are new what it
// knows: of several only one need be told by Inputs. What they knew already they do not pass on, so
// it ends.
//
// Thread-safe. What it is given outlives it.
class FellowBlocks {
 public:
  FellowBlocks(BlockBook& blocks, Forwarder::Connect connect, Clock& clock, const MacKeys& keys);
  ~FellowBlocks() { Stop(); }

  // These are the others now.
  void SetOthers(const std::vector<Replica>& others);
  // Tells nobody any more. Idempotent.
  void Stop();

 private:
  using Peers = std::map<std::string, std::unique_ptr<BlocksPeer>>;  // By address.

  void Tell(const KnownBlocks& blocks);

  BlockBook& blocks_;
  const Forwarder::Connect connect_;
  Clock& clock_;
  const MacKeys& keys_;
  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Peers peers_ ABSL_GUARDED_BY(mutex_);
  const uint64_t watch_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_BLOCKS_FELLOW_BLOCKS_H_
