#ifndef KANTOKU_CLIENT_CPP_SRC_GRPC_ITEM_STREAM_H_
#define KANTOKU_CLIENT_CPP_SRC_GRPC_ITEM_STREAM_H_

#include <memory>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/src/reopening_reader.h"
#include "kantoku/item.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"

namespace kantoku::internal {

// The items of a task over gRPC. One message is fetched ahead; the server waits while it is not
// taken.
//
// Thread-safe, as ItemStream says. Keeps `owner`, to which the other collaborators belong.
class GrpcItemStream final : public ItemStream {
 public:
  GrpcItemStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                 outputs::v1::OutputsService::Stub& stub, TaskId task, ItemPosition from,
                 absl::Duration retry_for);

  absl::StatusOr<std::variant<Item, Output>> Next(absl::Duration timeout) override;
  ItemPosition position() const override { return position_; }
  void Cancel() override { reader_.Cancel(); }

 private:
  // The next item of the message.
  Item TakeItem();

  const std::shared_ptr<const void> owner_;
  const TaskId task_;
  // Of the one Next.
  ItemPosition position_;
  outputs::v1::StreamResponse message_;
  int next_in_message_ = 0;
  bool ended_ = false;

  outputs::v1::StreamRequest request_;
  ReopeningReader<outputs::v1::StreamResponse> reader_;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_GRPC_ITEM_STREAM_H_
