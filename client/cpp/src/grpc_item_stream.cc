#include "client/cpp/src/grpc_item_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/convert.h"
#include "services/platform/status.h"

namespace kantoku::internal {

namespace pb = ::kantoku::outputs::v1;

GrpcItemStream::GrpcItemStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                               pb::OutputsService::Stub& stub, TaskId task, ItemPosition from,
                               absl::Duration retry_for)
    : owner_(std::move(owner)),
      task_(task),
      position_(from),
      reader_(
          runtime, "items", retry_for,
          [this, &stub](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
            request_.set_task_id(task_.bytes().data(), TaskId::kSize);
            request_.set_dispatch(position_.dispatch);
            request_.set_sequence(position_.sequence);
            return stub.PrepareAsyncStream(context, request_, queue);
          },
          absl::OkStatus()) {}

absl::StatusOr<std::variant<Item, Output>> GrpcItemStream::Next(absl::Duration timeout) {
  if (ended_) {
    return platform::Error(absl::StatusCode::kOutOfRange, "ENDED",
                           absl::StrCat("the end of task ", task_.ToString(), " was told"));
  }
  // What was taken is given first, so that the position is that of a call that opens again.
  if (next_in_message_ == message_.items_size()) {
    const auto says_something = [](const pb::StreamResponse& message) {
      return message.items_size() > 0 || message.has_result();
    };
    next_in_message_ = 0;
    message_.Clear();  // After a Take in vain there is still nothing to give.
    KANTOKU_RETURN_IF_ERROR(reader_.Take(timeout, says_something, message_));
  }
  if (message_.items_size() > 0) return TakeItem();
  KANTOKU_ASSIGN_OR_RETURN(Output output, ToOutput(task_, task::v1::ItemStatus(),
                                                   std::move(*message_.mutable_result())));
  ended_ = true;
  return output;
}

Item GrpcItemStream::TakeItem() {
  pb::Item& item = *message_.mutable_items(next_in_message_);
  Item taken{.dispatch = message_.dispatch(),
             .sequence = message_.first_sequence() + static_cast<uint64_t>(next_in_message_),
             .data = std::move(*item.mutable_data()),
             .content_type = std::move(*item.mutable_content_type()),
             .restarted = next_in_message_ == 0 && message_.restarted()};
  ++next_in_message_;
  position_ = {taken.dispatch, taken.sequence + 1};
  return taken;
}

}  // namespace kantoku::internal
