#include "services/executor-runtime/pull_stream.h"

#include <utility>

#include "services/platform/rpc/grpc_status.h"

namespace kantoku::executor {

std::shared_ptr<PullStream> PullStream::Make(inputs::v1::InputsService::StubInterface& stub,
                                             Listener& listener) {
  std::shared_ptr<PullStream> stream(new PullStream(listener));
  stream->self_ = stream;
  stub.async()->Pull(&stream->context_, stream.get());
  // Given back in OnReadDone, when the listener knows that no write may be claimed any more.
  stream->AddHold();
  return stream;
}

void PullStream::Open() {
  StartRead(&response_);
  StartCall();
}

void PullStream::Write() {
  StartWrite(&request_);
  RemoveHold();
}

void PullStream::HangUp() {
  StartWritesDone();
  RemoveHold();
}

void PullStream::OnReadDone(bool ok) {
  if (ok) {
    listener_.OnFrame(*this, response_);
    StartRead(&response_);
    return;
  }
  listener_.OnBroken(*this);
  RemoveHold();
}

void PullStream::OnWriteDone(bool ok) {
  // When it failed, reading fails as well, and the connection is given up there.
  if (ok) listener_.OnWritten(*this);
}

void PullStream::OnDone(const grpc::Status& status) {
  const std::shared_ptr<PullStream> self = std::move(self_);
  listener_.OnClosed(*this, platform::FromGrpc(status));
}

}  // namespace kantoku::executor
