// Any bytes from an executor end its stream with a reason, or are a frame of which each report is
// taken or refused. The first byte chooses whether it is the first frame.
#include <cstddef>
#include <cstdint>
#include <string>

#include "services/inputs/frame_reader.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace {

namespace inputs = ::kantoku::inputs;
namespace platform = ::kantoku::platform;
using kantoku::inputs::v1::PullRequest;

const platform::MacKeys& Keys() {
  static const auto& keys = *platform::MacKeys::Make({{1, std::string(32, 'k')}})->release();
  return keys;
}

platform::Received<PullRequest> Receive(const uint8_t* data, size_t size) {
  grpc::Slice slice(data, size);
  grpc::ByteBuffer buffer(&slice, 1);
  platform::Received<PullRequest> received;
  KANTOKU_CHECK(
      grpc::SerializationTraits<platform::Received<PullRequest>>::Deserialize(&buffer, &received)
          .ok());
  return received;
}

size_t Reports(const PullRequest& request) {
  return static_cast<size_t>(request.started_size() + request.acks_size() + request.nacks_size() +
                             request.progress_size() + request.handler_states_size() +
                             request.checkpoints_size());
}

void CheckHello(const inputs::SessionFrame::Hello& hello) {
  KANTOKU_CHECK(!hello.session.empty() && !hello.types.empty() && !hello.name_space.empty());
  KANTOKU_CHECK(platform::IsUtf8(hello.name) && platform::IsUtf8(hello.version));
  for (const inputs::HeldDispatch& held : hello.held) {
    KANTOKU_CHECK(!held.finished || !held.disproved);
  }
  KANTOKU_CHECK(*hello.labels.Find("owner") == "alice");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool first = data[0] == '1';
  const auto received = Receive(data + 1, size - 1);
  const auto frame =
      inputs::ReadFrame(received, platform::Administrator("alice", "laptop"), first, Keys());
  if (!frame.ok()) {
    KANTOKU_CHECK(frame.status().code() == absl::StatusCode::kInvalidArgument);
    KANTOKU_CHECK(!platform::ReasonOf(frame.status()).empty());
    return 0;
  }
  KANTOKU_CHECK(frame->hello.has_value() == first);
  if (first) CheckHello(*frame->hello);
  KANTOKU_CHECK(frame->started.size() + frame->finished.size() + frame->nacks.size() +
                    frame->progress.size() + frame->handler_states.size() +
                    frame->checkpoints.size() + frame->refused.size() ==
                Reports(received.message));
  for (const inputs::NackCommand& nack : frame->nacks) {
    KANTOKU_CHECK(!nack.failure.reason.empty());
    KANTOKU_CHECK(platform::IsUtf8(nack.failure.reason) && platform::IsUtf8(nack.failure.message));
  }
  for (const auto& progress : frame->progress) KANTOKU_CHECK(platform::IsUtf8(progress.message));
  return 0;
}
