#include "services/events/run_encoder.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

#include "services/platform/ids.h"

namespace kantoku::events {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kIdSize = platform::Uuid::kSize;

// Protobuf's encoding, of fields whose tag is one byte.

constexpr int kEventsField = v1::SubscribeResponse::kEventsFieldNumber;
static_assert(kEventsField == int{v1::ReadResponse::kEventsFieldNumber});
constexpr size_t kTag = 1;
constexpr size_t kMostOfAHead = kTag + 5;  // Tag and length.

size_t SizeOfText(std::string_view text) {
  if (text.empty()) return 0;
  return kTag + CodedOutputStream::VarintSize32(static_cast<uint32_t>(text.size())) + text.size();
}

size_t SizeOfNumber(uint32_t number) {
  return number == 0 ? 0 : kTag + CodedOutputStream::VarintSize32(number);
}

uint8_t* WriteBytes(std::string_view bytes, uint8_t* out) {
  return std::copy(bytes.begin(), bytes.end(), out);
}

uint8_t* WriteText(int field, std::string_view text, uint8_t* out) {
  if (text.empty()) return out;
  out = WireFormatLite::WriteTagToArray(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, out);
  out = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(text.size()), out);
  return WriteBytes(text, out);
}

uint8_t* WriteNumber(int field, uint32_t number, uint8_t* out) {
  return number == 0 ? out : WireFormatLite::WriteUInt32ToArray(field, number, out);
}

}  // namespace

RunEncoder::RunEncoder(const v1::EventRun& run) : run_(run) {
  v1::Event part;
  part.set_type(run.type());
  *part.mutable_at() = run.at();
  before_task_ = part.SerializeAsString();
  part.Clear();
  part.set_namespace_(run.namespace_());
  part.set_owner(run.owner());
  part.set_task_type(run.task_type());
  before_dispatch_ = part.SerializeAsString();
  part.Clear();
  part.set_session_id(run.session_id());
  *part.mutable_details() = run.details();
  after_dispatch_ = part.SerializeAsString();
}

void RunEncoder::Append(uint32_t offset, std::string_view position, std::string& message) const {
  std::string_view task;
  if (!run_.task_ids().empty()) {
    task = std::string_view(run_.task_ids()).substr(size_t{offset} * kIdSize, kIdSize);
  }
  const uint32_t dispatch =
      run_.dispatches_size() == 0 ? 0 : run_.dispatches(static_cast<int>(offset));
  const size_t size = SizeOfText(position) + before_task_.size() + SizeOfText(task) +
                      before_dispatch_.size() + SizeOfNumber(dispatch) + after_dispatch_.size();

  const size_t begin = message.size();
  message.resize(begin + kMostOfAHead + size);
  auto* const head = reinterpret_cast<uint8_t*>(message.data()) + begin;
  uint8_t* out = WireFormatLite::WriteTagToArray(kEventsField,
                                                 WireFormatLite::WIRETYPE_LENGTH_DELIMITED, head);
  out = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(size), out);
  out = WriteText(v1::Event::kPositionFieldNumber, position, out);
  out = WriteBytes(before_task_, out);
  out = WriteText(v1::Event::kTaskIdFieldNumber, task, out);
  out = WriteBytes(before_dispatch_, out);
  out = WriteNumber(v1::Event::kDispatchFieldNumber, dispatch, out);
  out = WriteBytes(after_dispatch_, out);
  message.resize(begin + static_cast<size_t>(out - head));
}

}  // namespace kantoku::events
