#include "services/executor-runtime/pull_stream.h"

#include <utility>

namespace kantoku::executor {

std::shared_ptr<PullStream> PullStream::Make(inputs::v1::InputsService::StubInterface& stub,
                                             std::shared_ptr<platform::TokenSource> tokens,
                                             platform::CallQueue& queue, Listener& listener) {
  std::shared_ptr<PullStream> stream(new PullStream(stub, std::move(tokens), queue, listener));
  stream->self_ = stream;
  return stream;
}

void PullStream::Open() {
  token_.Opens();
  stream_.Open(
      [this](auto* context, auto* queue) { return stub_.PrepareAsyncPull(context, queue); });
  stream_.StartRead(&response_);
}

void PullStream::OnReadDone(bool ok) {
  if (!ok) return listener_.OnBroken(*this);
  listener_.OnFrame(*this, response_);
  stream_.StartRead(&response_);
}

void PullStream::OnWriteDone(bool ok) {
  // When it failed, reading fails as well, and the connection is given up there.
  if (ok) listener_.OnWritten(*this);
}

void PullStream::OnDone(const absl::Status& status) {
  const std::shared_ptr<PullStream> self = std::move(self_);
  listener_.OnClosed(*this, status);
}

}  // namespace kantoku::executor
