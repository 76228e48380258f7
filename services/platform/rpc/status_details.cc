#include "services/platform/rpc/status_details.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/status_code_enum.h>

#include <functional>

namespace kantoku::platform {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

// Field numbers of google/rpc/status.proto, google/protobuf/any.proto and
// google/rpc/error_details.proto.
constexpr int kStatusCode = 1;
constexpr int kStatusMessage = 2;
constexpr int kStatusDetails = 3;
constexpr int kAnyTypeUrl = 1;
constexpr int kAnyValue = 2;
constexpr int kErrorInfoReason = 1;
constexpr int kErrorInfoDomain = 2;
constexpr int kRetryInfoDelay = 1;
constexpr int kDurationSeconds = 1;

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
constexpr char kDomain[] = "kantoku";

std::string Encoded(const std::function<void(CodedOutputStream&)>& write) {
  std::string bytes;
  {
    StringOutputStream sink(&bytes);
    CodedOutputStream out(&sink);
    write(out);
  }
  return bytes;
}

void WriteBytes(int field, std::string_view value, CodedOutputStream& out) {
  out.WriteTag(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  out.WriteVarint32(static_cast<uint32_t>(value.size()));
  out.WriteRaw(value.data(), static_cast<int>(value.size()));
}

void WriteNumber(int field, int value, CodedOutputStream& out) {
  out.WriteTag(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT));
  out.WriteVarint32(static_cast<uint32_t>(value));
}

std::string EncodeAny(std::string_view url, const std::string& value) {
  return Encoded([&](CodedOutputStream& out) {
    WriteBytes(kAnyTypeUrl, url, out);
    WriteBytes(kAnyValue, value, out);
  });
}

std::string EncodeRetryInfo() {
  const std::string delay = Encoded(
      [](CodedOutputStream& out) { WriteNumber(kDurationSeconds, kRetryDelaySeconds, out); });
  return EncodeAny(kRetryInfoUrl, Encoded([&](CodedOutputStream& out) {
                     WriteBytes(kRetryInfoDelay, delay, out);
                   }));
}

// Calls `visit` with each length-delimited field; false when `bytes` are malformed.
bool VisitFields(std::string_view bytes, const std::function<void(int, std::string)>& visit) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t size = 0;
    std::string value;
    if (!in.ReadVarint32(&size) || size > bytes.size() ||
        !in.ReadString(&value, static_cast<int>(size))) {
      return false;
    }
    visit(WireFormatLite::GetTagFieldNumber(tag), std::move(value));
  }
  return in.ConsumedEntireMessage();
}

std::string DecodeAny(std::string_view any) {
  std::string url;
  std::string value;
  VisitFields(any, [&](int field, std::string bytes) {
    if (field == kAnyTypeUrl) {
      url = std::move(bytes);
    } else if (field == kAnyValue) {
      value = std::move(bytes);
    }
  });
  if (url != kErrorInfoUrl) return {};
  std::string reason;
  VisitFields(value, [&](int field, std::string bytes) {
    if (field == kErrorInfoReason) reason = std::move(bytes);
  });
  return reason;
}

}  // namespace

std::string EncodeReason(int code, std::string_view message, std::string_view reason) {
  const std::string info = Encoded([&](CodedOutputStream& out) {
    WriteBytes(kErrorInfoReason, reason, out);
    WriteBytes(kErrorInfoDomain, kDomain, out);
  });
  return Encoded([&](CodedOutputStream& out) {
    WriteNumber(kStatusCode, code, out);
    WriteBytes(kStatusMessage, message, out);
    WriteBytes(kStatusDetails, EncodeAny(kErrorInfoUrl, info), out);
    if (code == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      WriteBytes(kStatusDetails, EncodeRetryInfo(), out);
    }
  });
}

std::string DecodeReason(std::string_view details) {
  std::string reason;
  VisitFields(details, [&](int field, const std::string& any) {
    if (field == kStatusDetails && reason.empty()) reason = DecodeAny(any);
  });
  return reason;
}

}  // namespace kantoku::platform
