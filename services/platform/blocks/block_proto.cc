#include "services/platform/blocks/block_proto.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxReason = 256;

absl::Status Invalid(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t limit) {
  if (text.size() > limit) {
    return Invalid("INVALID_BLOCK", absl::StrCat(ToAbsl(field), ": ", text.size(),
                                                 " bytes exceed the limit of ", limit));
  }
  if (IsPlainText(text)) return absl::OkStatus();
  return Invalid("INVALID_BLOCK",
                 absl::StrCat(ToAbsl(field), ": is no text without control characters"));
}

}  // namespace

absl::StatusOr<Block> ReadBlock(const auth::v1::Block& proto) {
  KANTOKU_RETURN_IF_ERROR(CheckText("user", proto.user(), kMaxName));
  KANTOKU_RETURN_IF_ERROR(CheckText("app", proto.app(), kMaxName));
  KANTOKU_RETURN_IF_ERROR(CheckText("executor", proto.executor(), kMaxName));
  KANTOKU_RETURN_IF_ERROR(CheckText("reason", proto.reason(), kMaxReason));
  Block block;
  block.names = {proto.user(), proto.app(), proto.executor()};
  if (block.names.empty()) {
    return Invalid("EMPTY_BLOCK", "user, app, executor: one of them has to be set");
  }
  if (proto.has_tokens_until()) block.tokens_until = FromProto(proto.tokens_until());
  block.reason = proto.reason();
  block.set_by = proto.set_by();
  if (proto.has_set_time()) block.set = FromProto(proto.set_time());
  return block;
}

void WriteBlock(const Block& block, auth::v1::Block& proto) {
  proto.set_user(block.names.user);
  proto.set_app(block.names.app);
  proto.set_executor(block.names.executor);
  if (block.tokens_until != absl::InfiniteFuture()) {
    *proto.mutable_tokens_until() = ToProto(block.tokens_until);
  }
  proto.set_reason(block.reason);
  proto.set_set_by(block.set_by);
  *proto.mutable_set_time() = ToProto(block.set);
}

absl::StatusOr<KnownBlocks> ReadBlocks(const auth::v1::ReplaceBlocksRequest& proto) {
  if (proto.blocks_size() > kMaxBlocks) {
    return Invalid("INVALID_BLOCK", absl::StrCat("blocks: ", proto.blocks_size(),
                                                 " exceed the limit of ", kMaxBlocks));
  }
  BlockList list;
  for (const auth::v1::Block& each : proto.blocks()) {
    KANTOKU_ASSIGN_OR_RETURN(Block block, ReadBlock(each));
    list.Set(std::move(block));
  }
  return KnownBlocks{.version = {proto.epoch(), proto.version()},
                     .list = std::make_shared<const BlockList>(std::move(list))};
}

auth::v1::ReplaceBlocksRequest WriteBlocks(const KnownBlocks& blocks) {
  auth::v1::ReplaceBlocksRequest proto;
  proto.set_epoch(blocks.version.first);
  proto.set_version(blocks.version.second);
  for (const auto& [names, block] : blocks.list->all()) WriteBlock(block, *proto.add_blocks());
  return proto;
}

}  // namespace kantoku::platform
