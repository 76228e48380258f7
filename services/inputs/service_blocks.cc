#include <algorithm>
#include <memory>
#include <optional>
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

// One partition after the other, of which the first says what came of each item; what one could not
// be told is to be repeated as a whole.
class InputsServiceImpl::Everywhere : public std::enable_shared_from_this<Everywhere> {
 public:
  Everywhere(InputsServiceImpl& service, platform::UnaryCall* call,
             const v1::SetBlocksRequest& request, v1::SetBlocksResponse& response, Reply reply)
      : service_(service),
        call_(call),
        request_(request),
        response_(response),
        reply_(std::move(reply)) {}

  void Next() {
    if (partition_ == service_.map().count()) return reply_(absl::OkStatus());
    const uint32_t partition = partition_++;
    const Place place = service_.Find(partition, *call_);
    if (place.here == nullptr && place.address.empty()) {
      return reply_(service_.Nowhere(partition));
    }
    service_.forwarder()->Forward(*call_, service_.PathOf("SetBlocks"),
                                  {.address = place.address, .partition = partition}, request_,
                                  partition == 0 ? &response_ : &same_,
                                  [self = shared_from_this()](const absl::Status& status) {
                                    if (!status.ok()) return self->reply_(status);
                                    self->Next();
                                  });
  }

 private:
  InputsServiceImpl& service_;
  platform::UnaryCall* const call_;
  const v1::SetBlocksRequest& request_;
  v1::SetBlocksResponse& response_;
  v1::SetBlocksResponse same_;  // What the others say.
  Reply reply_;
  uint32_t partition_ = 0;
};

void InputsServiceImpl::SetBlocksEverywhere(platform::UnaryCall* call,
                                            const v1::SetBlocksRequest* request,
                                            v1::SetBlocksResponse* response) {
  const std::optional<uint32_t> forwarded = call->forwarded_to();
  if (map().count() > 1 && !forwarded.has_value()) {
    return HandleUnary(call, set_blocks_, [&](const Identity&, Reply reply) {
      std::make_shared<Everywhere>(*this, call, *request, *response, std::move(reply))->Next();
    });
  }
  Route(call, set_blocks_, "SetBlocks", forwarded.value_or(0), *request, response,
        [&](Served& served) { SetBlocks(served, call, request, response); });
}

void InputsServiceImpl::SetBlocks(Served& served, platform::UnaryCall* call,
                                  const v1::SetBlocksRequest* request,
                                  v1::SetBlocksResponse* response) {
  HandleUnary(call, set_blocks_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status may = CheckAdministrator(caller); !may.ok()) return reply(may);
    auto command = ReadCommand(*request, caller, clock_.Read().wall);
    if (!command.ok()) return reply(command.status());
    command->audited = served.number == 0;
    served.partition.SetBlocks(
        *std::move(command),
        [response, reply = std::move(reply)](absl::StatusOr<BlocksCommand> done) mutable {
          if (done.ok()) {
            for (const auto& item : done->set) SetStatus(item.status, *response->add_set());
            for (const auto& item : done->lift) SetStatus(item.status, *response->add_lifted());
          }
          reply(done.status());
        });
  });
}

void InputsServiceImpl::ListBlocks(Served& served, platform::UnaryCall* call,
                                   const v1::ListBlocksRequest*, v1::ListBlocksResponse* response) {
  HandleUnary(call, list_blocks_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status may = CheckAdministrator(caller); !may.ok()) return reply(may);
    served.partition.ListBlocks(
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
