#ifndef KANTOKU_SERVICES_PLATFORM_RPC_RECEIVED_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_RECEIVED_H_

#include <google/protobuf/message.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace kantoku::platform {

// Text of a message that is no UTF-8. Protobuf refuses the whole message for it, and gRPC then ends
// the call with UNIMPLEMENTED, or a stream as if the client had hung up: with nothing that would
// help who sent it, and with everything else that was in the message.
struct InvalidText {
  std::string root;   // The field of the message that it lies in: "specs".
  int index = 0;      // Which of them, if there are several.
  std::string path;   // Below that, "retry.name"; empty when the root itself is the text.
  std::string value;  // As it came.

  // INVALID_ARGUMENT, INVALID_UTF8: names the field, from the root or below it, and the value.
  absl::Status ToStatus() const;
  absl::Status ToStatusBelowRoot() const;
};

// A message as it came: readable also when some of its text is not. There every byte that is not
// ASCII is '?'.
//
// Thread-compatible.
template <typename Message>
struct Received {
  Message message;
  std::vector<InvalidText> invalid_texts;
  bool malformed = false;  // Not even that: `message` is empty.
  grpc::ByteBuffer bytes;  // As it came, where `message` does not say all of it.

  void Clear() {
    message.Clear();
    invalid_texts.clear();
    malformed = false;
    bytes.Clear();
  }
};

// The message itself, of whatever a method takes.
template <typename Message>
Message& MessageOf(Received<Message>& received) {
  return received.message;
}
template <typename Message>
Message& MessageOf(Message& message) {
  return message;
}

// OK, or what makes the message as a whole unfit: INVALID_ARGUMENT, MALFORMED_MESSAGE or, for the
// first invalid text, INVALID_UTF8.
absl::Status CheckReceived(const google::protobuf::Message& message,
                           const std::vector<InvalidText>& invalid_texts, bool malformed);
template <typename Message>
absl::Status CheckReceived(const Received<Message>& received) {
  return CheckReceived(received.message, received.invalid_texts, received.malformed);
}

// Looks at the message's own fields, not at those of messages within it. INVALID_ARGUMENT,
// UNKNOWN_FIELD names the number of the first one that this program does not know: whoever sent it
// counts on something that would be dropped in silence.
absl::Status CheckAllKnown(const google::protobuf::Message& message);

// Parses what protobuf has refused. False when it is malformed in another way as well.
bool ParseWithInvalidTexts(const grpc::ByteBuffer& buffer, google::protobuf::Message& message,
                           std::vector<InvalidText>& invalid_texts);

}  // namespace kantoku::platform

// How gRPC reads it, which never fails: what is wrong is in the result; and how it is passed on, as
// it came.
template <typename Message>
class grpc::SerializationTraits<kantoku::platform::Received<Message>> {
 public:
  static Status Deserialize(ByteBuffer* buffer, kantoku::platform::Received<Message>* received) {
    received->invalid_texts.clear();
    received->malformed = false;
    ByteBuffer kept = *buffer;  // Shares the bytes, which parsing lets go of.
    if (SerializationTraits<Message>::Deserialize(buffer, &received->message).ok()) {
      received->bytes.Clear();
      return Status::OK;
    }
    received->malformed =
        !kantoku::platform::ParseWithInvalidTexts(kept, received->message, received->invalid_texts);
    if (received->malformed) received->message.Clear();
    received->bytes.Swap(&kept);
    return Status::OK;
  }
  static Status Serialize(const kantoku::platform::Received<Message>& received, ByteBuffer* buffer,
                          bool* owned) {
    if (!received.bytes.Valid()) {
      return SerializationTraits<Message>::Serialize(received.message, buffer, owned);
    }
    *buffer = received.bytes;
    *owned = true;
    return Status::OK;
  }
};

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_RECEIVED_H_
