#ifndef KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_PEER_H_
#define KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_PEER_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <vector>

#include "kantoku/auth/v1/blocks.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/retrying_sender.h"

namespace kantoku::platform {

// Tells another program which blocks there are: at once when they change, again until it has
// answered, and every now and then what it was told last, so that one whose data directory is new
// hears of them as well.
//
// Thread-safe. Owns a thread; clock and keys outlive it.
class BlocksPeer {
 public:
  BlocksPeer(const std::shared_ptr<grpc::Channel>& channel, Clock& clock, const MacKeys& keys);

  ~BlocksPeer() { Stop(); }

  void Tell(KnownBlocks blocks);
  // Does not wait for a program that does not answer. Idempotent.
  void Stop();

 private:
  absl::Status Send(const std::vector<KnownBlocks>& told);

  const std::unique_ptr<auth::v1::BlocksService::Stub> stub_;
  Clock& clock_;
  const MacKeys& keys_;
  KnownBlocks::Version latest_;  // That was sent; of the sender's thread.
  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* under_way_ ABSL_GUARDED_BY(mutex_) = nullptr;
  RetryingSender<KnownBlocks> sender_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_PEER_H_
