#include "services/platform/blocks/blocks_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/blocks/block_proto.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {

BlocksService::BlocksService(std::string file, BlockBook& blocks, CallMonitor& calls)
    : Service(auth::v1::BlocksService::service_full_name()),
      file_(std::move(file)),
      blocks_(blocks),
      replace_(calls.MethodOf("BlocksService/ReplaceBlocks")) {
  HandleSound("ReplaceBlocks", replace_, &BlocksService::ReplaceBlocks);
}

absl::StatusOr<std::unique_ptr<BlocksService>> BlocksService::Open(std::string file,
                                                                   BlockBook& blocks,
                                                                   CallMonitor& calls) {
  std::unique_ptr<BlocksService> service(new BlocksService(std::move(file), blocks, calls));
  const auto content = ReadWholeFile(service->file_);
  if (absl::IsNotFound(content.status())) return service;
  KANTOKU_RETURN_IF_ERROR(content.status());
  auth::v1::ReplaceBlocksRequest proto;
  auto known = proto.ParseFromString(*content)
                   ? ReadBlocks(proto)
                   : absl::StatusOr<KnownBlocks>(absl::DataLossError("it does not parse"));
  if (!known.ok()) {
    return Error(
        absl::StatusCode::kDataLoss, "BLOCKS_UNREADABLE",
        absl::StrCat(service->file_, ": says no more whom to refuse (", known.status().message(),
                     "); where Inputs can be reached it may be removed"));
  }
  {
    MutexLock lock(service->writing_);
    service->written_ = known->version;
  }
  blocks.Replace(*std::move(known));
  return service;
}

void BlocksService::ReplaceBlocks(UnaryCall* call, const auth::v1::ReplaceBlocksRequest* request,
                                  auth::v1::ReplaceBlocksResponse*) {
  HandleUnary(call, replace_, [&](const Identity&, Reply reply) { reply(Replace(*request)); });
}

absl::Status BlocksService::Replace(const auth::v1::ReplaceBlocksRequest& request) {
  KANTOKU_ASSIGN_OR_RETURN(KnownBlocks blocks, ReadBlocks(request));
  MutexLock lock(writing_);
  if (blocks.version <= written_) return absl::OkStatus();
  const KnownBlocks::Version version = blocks.version;
  // Refused first: a file that cannot be written is no reason to let anybody in.
  blocks_.Replace(std::move(blocks));
  KANTOKU_RETURN_IF_ERROR(Annotate(ReplaceWholeFile(file_, request.SerializeAsString()), "blocks"));
  written_ = version;
  return absl::OkStatus();
}

}  // namespace kantoku::platform
