#ifndef KANTOKU_SERVICES_PLATFORM_RPC_ENCODED_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_ENCODED_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace kantoku::platform {

// A message that exists as its encoding alone, and grows by parts: encodings that follow each other
// are one message, with the fields of all merged (Protobuf's encoding guide, "Last One Wins"). So
// what many threads have to say is put together without a message that holds it all, for which each
// text would be allocated.
//
// Thread-compatible.
template <typename Message>
class Encoded {
 public:
  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }
  // To be appended to by whoever encodes parts by himself.
  std::string& mutable_bytes() { return bytes_; }
  size_t ByteSizeLong() const { return bytes_.size(); }  // As of a Message.
  // What it has allocated it keeps, if that is not much.
  void Clear() {
    if (bytes_.capacity() > kMaxKept) bytes_ = std::string();
    bytes_.clear();
  }

  void Merge(const Message& part) { part.AppendPartialToString(&bytes_); }
  // One more of a repeated field of messages.
  void AddItem(int field, const google::protobuf::MessageLite& item) {
    using google::protobuf::internal::WireFormatLite;
    using google::protobuf::io::CodedOutputStream;
    const auto size = static_cast<uint32_t>(item.ByteSizeLong());
    uint8_t head[2 * kMaxVarint];
    uint8_t* const tagged =
        WireFormatLite::WriteTagToArray(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, head);
    uint8_t* const sized = CodedOutputStream::WriteVarint32ToArray(size, tagged);
    bytes_.append(reinterpret_cast<const char*>(head), static_cast<size_t>(sized - head));
    const size_t begin = bytes_.size();
    bytes_.resize(begin + size);
    item.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(bytes_.data()) + begin);
  }

 private:
  static constexpr size_t kMaxKept = size_t{512} << 10;
  static constexpr size_t kMaxVarint = 5;

  std::string bytes_;
};

// An encoding that is complete, and that several may be sent: it is there once, and lives until the
// last of them has been sent it.
//
// Thread-compatible; copies of one may be used by several threads.
template <typename Message>
class SharedEncoded {
 public:
  explicit SharedEncoded(Encoded<Message> encoded)
      : encoded_(std::make_shared<const Encoded<Message>>(std::move(encoded))) {}

  const std::string& bytes() const { return encoded_->bytes(); }

  // Which refers to the bytes, and holds them.
  grpc::Slice ToSlice() const {
    auto* const held = new std::shared_ptr<const Encoded<Message>>(encoded_);
    // gRPC does not write to what it was given to send.
    return grpc::Slice(
        const_cast<char*>(bytes().data()), bytes().size(),
        [](void* user) { delete static_cast<std::shared_ptr<const Encoded<Message>>*>(user); },
        held);
  }

 private:
  std::shared_ptr<const Encoded<Message>> encoded_;
};

}  // namespace kantoku::platform

// How gRPC writes it, and reads what is only to be passed on.
template <typename Message>
class grpc::SerializationTraits<kantoku::platform::Encoded<Message>> {
 public:
  // Whatever the bytes are.
  static Status Deserialize(ByteBuffer* buffer, kantoku::platform::Encoded<Message>* encoded) {
    Slice slice;
    Status read = buffer->DumpToSingleSlice(&slice);
    if (!read.ok()) return read;
    encoded->mutable_bytes().assign(reinterpret_cast<const char*>(slice.begin()), slice.size());
    buffer->Clear();
    return Status::OK;
  }
  static Status Serialize(const kantoku::platform::Encoded<Message>& encoded, ByteBuffer* buffer,
                          bool* owned) {
    const Slice slice(encoded.bytes().data(), encoded.bytes().size());
    *buffer = ByteBuffer(&slice, 1);
    *owned = true;
    return Status::OK;
  }
};

template <typename Message>
class grpc::SerializationTraits<kantoku::platform::SharedEncoded<Message>> {
 public:
  static Status Serialize(const kantoku::platform::SharedEncoded<Message>& encoded,
                          ByteBuffer* buffer, bool* owned) {
    const Slice slice = encoded.ToSlice();
    *buffer = ByteBuffer(&slice, 1);
    *owned = true;
    return Status::OK;
  }
};

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_ENCODED_H_
