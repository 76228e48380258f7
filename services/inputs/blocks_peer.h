#ifndef KANTOKU_SERVICES_INPUTS_BLOCKS_PEER_H_
#define KANTOKU_SERVICES_INPUTS_BLOCKS_PEER_H_

#include <grpcpp/channel.h>

#include <memory>
#include <vector>

#include "kantoku/auth/v1/blocks.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/rpc/retrying_sender.h"

namespace kantoku::inputs {

// Tells another program which blocks there are: at once when they change, again until it has
// answered, and every now and then what it was told last, so that one whose data directory is new
// hears of them as well.
//
// Thread-safe. Owns a thread; clock and keys outlive it.
class BlocksPeer {
 public:
  BlocksPeer(const std::shared_ptr<grpc::Channel>& channel, platform::Clock& clock,
             const platform::MacKeys& keys);

  void Tell(platform::KnownBlocks blocks);
  void Stop() { sender_.Stop(); }

 private:
  absl::Status Send(const std::vector<platform::KnownBlocks>& told);

  const std::unique_ptr<auth::v1::BlocksService::Stub> stub_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;
  platform::KnownBlocks::Version latest_;  // That was sent; of the sender's thread.
  platform::RetryingSender<platform::KnownBlocks> sender_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_BLOCKS_PEER_H_
