#include "services/platform/rpc/received.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/wire_format_lite.h>

#include <map>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

absl::Status InvalidUtf8(std::string_view field, std::string_view value) {
  constexpr size_t kShown = 80;
  return Error(
      absl::StatusCode::kInvalidArgument, "INVALID_UTF8",
      absl::StrCat(ToAbsl(field), ": \"", absl::CHexEscape(ToAbsl(value.substr(0, kShown))),
                   value.size() > kShown ? "…" : "", "\" is no UTF-8"));
}

// Walks through the encoding of a message, notes its invalid texts and overwrites them in place.
class TextRepair {
 public:
  TextRepair(std::string& bytes, std::vector<InvalidText>& found) : bytes_(bytes), found_(found) {}

  // False when the encoding is malformed.
  bool Run(const Descriptor& type) { return Walk(type, 0, bytes_.size(), nullptr); }

 private:
  // `place` is where the enclosing message lies; null for the outermost one.
  bool Walk(const Descriptor& type, size_t begin, size_t end, const InvalidText* place) {
    CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes_.data()) + begin,
                           static_cast<int>(end - begin));
    std::map<int, int> seen;  // How many of each field came so far.
    while (const uint32_t tag = input.ReadTag()) {
      const FieldDescriptor* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
      const bool is_text = field != nullptr && field->type() == FieldDescriptor::TYPE_STRING;
      const bool is_message = field != nullptr && field->type() == FieldDescriptor::TYPE_MESSAGE;
      if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED ||
          !(is_text || is_message)) {
        if (!WireFormatLite::SkipField(&input, tag)) return false;
        continue;
      }
      uint32_t size = 0;
      if (!input.ReadVarint32(&size)) return false;
      const size_t offset = begin + static_cast<size_t>(input.CurrentPosition());
      if (size > end - offset) return false;
      const InvalidText inner = PlaceOf(*field, seen[field->number()]++, place);
      if (is_message && !Walk(*field->message_type(), offset, offset + size, &inner)) return false;
      if (is_text) Repair(offset, size, inner);
      if (!input.Skip(static_cast<int>(size))) return false;
    }
    return input.ConsumedEntireMessage();
  }

  static InvalidText PlaceOf(const FieldDescriptor& field, int index, const InvalidText* outer) {
    if (outer == nullptr) return {.root = field.name(), .index = field.is_repeated() ? index : 0};
    InvalidText place = *outer;
    if (!place.path.empty()) place.path += '.';
    place.path += field.name();
    return place;
  }

  void Repair(size_t offset, size_t size, InvalidText place) {
    const std::string_view text = std::string_view(bytes_).substr(offset, size);
    if (google::protobuf::internal::IsStructurallyValidUTF8(text.data(), static_cast<int>(size))) {
      return;
    }
    place.value = text;
    found_.push_back(std::move(place));
    for (size_t i = offset; i < offset + size; ++i) {
      if (static_cast<unsigned char>(bytes_[i]) >= 0x80) bytes_[i] = '?';
    }
  }

  std::string& bytes_;
  std::vector<InvalidText>& found_;
};

}  // namespace

absl::Status InvalidText::ToStatus() const {
  return InvalidUtf8(path.empty() ? root : root + "." + path, value);
}

absl::Status InvalidText::ToStatusBelowRoot() const {
  return InvalidUtf8(path.empty() ? root : path, value);
}

absl::Status CheckReceived(const google::protobuf::Message& message,
                           const std::vector<InvalidText>& invalid_texts, bool malformed) {
  if (malformed) {
    return Error(absl::StatusCode::kInvalidArgument, "MALFORMED_MESSAGE",
                 absl::StrCat("the request is no ", message.GetDescriptor()->full_name()));
  }
  return invalid_texts.empty() ? absl::OkStatus() : invalid_texts.front().ToStatus();
}

absl::Status CheckAllKnown(const google::protobuf::Message& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  if (unknown.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "UNKNOWN_FIELD",
               absl::StrCat(message.GetDescriptor()->name(), ": field ", unknown.field(0).number(),
                            " is none that this server knows"));
}

bool ParseWithInvalidTexts(const grpc::ByteBuffer& buffer, google::protobuf::Message& message,
                           std::vector<InvalidText>& invalid_texts) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return TextRepair(bytes, invalid_texts).Run(*message.GetDescriptor()) &&
         message.ParseFromString(bytes);
}

}  // namespace kantoku::platform
