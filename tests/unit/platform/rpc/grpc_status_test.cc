#include "services/platform/rpc/grpc_status.h"

#include <catch2/catch.hpp>

#include "services/platform/rpc/status_details.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

TEST_CASE("Code, message and reason survive gRPC") {
  const auto status = Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", "disk is full");
  const absl::Status back = FromGrpc(ToGrpc(status));
  CHECK(back.code() == status.code());
  CHECK(back.message() == status.message());
  CHECK(ReasonOf(back) == "DISK_FULL");
}

TEST_CASE("OK and statuses without a reason survive gRPC") {
  CHECK(FromGrpc(ToGrpc(absl::OkStatus())).ok());
  CHECK(ToGrpc(absl::NotFoundError("x")).error_details().empty());
  CHECK(FromGrpc(ToGrpc(absl::NotFoundError("x"))) == absl::NotFoundError("x"));
}

TEST_CASE("Details are a google.rpc.Status with an ErrorInfo") {
  // What python3's google.rpc.status_pb2 and error_details_pb2 make of code 5, message "gone",
  // reason "NO_TASK" and domain "kantoku".
  const std::string expected =
      "\x08\x05\x12\x04gone\x1a\x3e\n\x28type.googleapis.com/google.rpc.ErrorInfo"
      "\x12\x12\n\x07NO_TASK\x12\x07kantoku";
  CHECK(EncodeReason(5, "gone", "NO_TASK") == expected);
  CHECK(DecodeReason(expected) == "NO_TASK");
}

TEST_CASE("What is full says when to ask again, in a RetryInfo beside the reason") {
  const std::string details = EncodeReason(8, "full", "DISK_FULL");
  const std::string expected =
      "\x1a\x30\n\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\n\x02\x08\x01";
  CHECK_THAT(details, Catch::EndsWith(expected));
  CHECK(DecodeReason(details) == "DISK_FULL");
}

TEST_CASE("Malformed or foreign details have no reason and do no harm") {
  const std::string good = EncodeReason(5, "gone", "NO_TASK");
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK(DecodeReason(good.substr(0, size)).empty());
  }
  CHECK(DecodeReason("\xff\xff\xff\xff\xff\xff\xff").empty());
  CHECK(DecodeReason("\x1a\x7fshort").empty());
  CHECK(DecodeReason("\x1a\x05\n\x03url").empty());
}

TEST_CASE("Every code has the same number on both sides") {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "x");
    CHECK(FromGrpc(ToGrpc(status)) == status);
    CHECK(ToGrpc(status).error_code() == code);
  }
}

}  // namespace
}  // namespace kantoku::platform
