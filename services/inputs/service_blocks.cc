#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/service.h"
#include "services/inputs/wire.h"
#include "services/platform/audit/why.h"
#include "services/platform/blocks/block_proto.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

// The calls about who is let in no more.
namespace kantoku::inputs {

using platform::Error;
using platform::HandleUnary;
using platform::Identity;
using platform::Reply;

namespace {

constexpr int kMaxItems = 1'000;

absl::Status CheckAdministrator(const Identity& caller) {
  if (caller.IsAdminOf(platform::kEveryNamespace)) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "NOT_ADMINISTRATOR",
               "blocks are for administrators of every namespace");
}

BlocksCommand::Set ReadSet(const auth::v1::Block& proto, const Identity& caller, absl::Time now) {
  auto block = platform::ReadBlock(proto);
  if (!block.ok()) return {platform::Annotate(block.status(), "set"), {}};
  // By a clock that is ahead nobody gets a token that is new enough.
  if (proto.has_tokens_until()) block->tokens_until = std::min(block->tokens_until, now);
  if (block->Matches(caller, "", caller.issued)) {
    return {Error(absl::StatusCode::kInvalidArgument, "BLOCKS_YOURSELF",
                  "set: would refuse whoever asks for it"),
            {}};
  }
  return {absl::OkStatus(), *std::move(block)};
}

BlocksCommand::Lift ReadLift(const auth::v1::Block& proto) {
  const auto block = platform::ReadBlock(proto);
  if (!block.ok()) return {platform::Annotate(block.status(), "lift"), {}};
  return {absl::OkStatus(), block->names};
}

absl::StatusOr<BlocksCommand> ReadCommand(const v1::SetBlocksRequest& request,
                                          const Identity& caller, absl::Time now) {
  const int items = request.set_size() + request.lift_size();
  if (items < 1 || items > kMaxItems) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE",
                 absl::StrCat("set, lift: ", items, " items are not 1 to ", kMaxItems));
  }
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  BlocksCommand command{.by = caller, .why = request.why()};
  for (const auto& proto : request.set()) command.set.push_back(ReadSet(proto, caller, now));
  for (const auto& proto : request.lift()) command.lift.push_back(ReadLift(proto));
  return command;
}

}  // namespace

void InputsServiceImpl::SetBlocks(platform::UnaryCall* call, const v1::SetBlocksRequest* request,
                                  v1::SetBlocksResponse* response) {
  HandleUnary(call, set_blocks_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status may = CheckAdministrator(caller); !may.ok()) return reply(may);
    auto command = ReadCommand(*request, caller, clock_.Read().wall);
    if (!command.ok()) return reply(command.status());
    partition_.SetBlocks(*std::move(command), [response, reply = std::move(reply)](
                                                  absl::StatusOr<BlocksCommand> done) mutable {
      if (done.ok()) {
        for (const auto& item : done->set) SetStatus(item.status, *response->add_set());
        for (const auto& item : done->lift) SetStatus(item.status, *response->add_lifted());
      }
      reply(done.status());
    });
  });
}

void InputsServiceImpl::ListBlocks(platform::UnaryCall* call, const v1::ListBlocksRequest*,
                                   v1::ListBlocksResponse* response) {
  HandleUnary(call, list_blocks_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status may = CheckAdministrator(caller); !may.ok()) return reply(may);
    partition_.ListBlocks(
        [response, reply = std::move(reply)](absl::StatusOr<platform::BlockList> blocks) mutable {
          if (blocks.ok()) {
            for (const auto& [names, block] : blocks->all()) {
              platform::WriteBlock(block, *response->add_blocks());
            }
          }
          reply(blocks.status());
        });
  });
}

}  // namespace kantoku::inputs
