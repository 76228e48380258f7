#ifndef KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_SERVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kantoku/auth/v1/blocks.grpc.pb.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/service.h"
#include "services/platform/rpc/unary.h"

namespace kantoku::platform {

// auth.v1.BlocksService, which every server has: what it is told it writes to a file, and then to
// the program's book. So a program that starts while Inputs is away still knows whom to refuse.
//
// Thread-safe. The book and the calls outlive it, and it outlives its calls.
class BlocksService final : public Service {
 public:
  // Reads the file, if there is one, into the book. DATA_LOSS, BLOCKS_UNREADABLE: it is damaged,
  // and the program is not to start without; as ReadWholeFile.
  static absl::StatusOr<std::unique_ptr<BlocksService>> Open(std::string file, BlockBook& blocks,
                                                             CallMonitor& calls);

  void ReplaceBlocks(UnaryCall* call, const auth::v1::ReplaceBlocksRequest* request,
                     auth::v1::ReplaceBlocksResponse* response);

 private:
  BlocksService(std::string file, BlockBook& blocks, CallMonitor& calls);

  absl::Status Replace(const auth::v1::ReplaceBlocksRequest& request);

  const std::string file_;
  BlockBook& blocks_;
  CallMonitor::Method& replace_;
  Mutex writing_;  // One after the other, so that the file is as new as the book.
  KnownBlocks::Version written_ ABSL_GUARDED_BY(writing_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCKS_SERVICE_H_
