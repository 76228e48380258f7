#ifndef KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCK_PROTO_H_
#define KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCK_PROTO_H_

#include "absl/status/statusor.h"
#include "kantoku/auth/v1/blocks.pb.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/identity/block_list.h"

// Blocks as auth/v1/blocks.proto has them.
namespace kantoku::platform {

// INVALID_ARGUMENT: EMPTY_BLOCK; INVALID_BLOCK names the field.
absl::StatusOr<Block> ReadBlock(const auth::v1::Block& proto);
void WriteBlock(const Block& block, auth::v1::Block& proto);

// What one service tells another. INVALID_ARGUMENT as above, or beyond 10,000.
absl::StatusOr<KnownBlocks> ReadBlocks(const auth::v1::ReplaceBlocksRequest& proto);
auth::v1::ReplaceBlocksRequest WriteBlocks(const KnownBlocks& blocks);

inline constexpr int kMaxBlocks = 10'000;

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_BLOCKS_BLOCK_PROTO_H_
