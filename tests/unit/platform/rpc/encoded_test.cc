#include "services/platform/rpc/encoded.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.pb.h"

namespace kantoku::platform {
namespace {

using outputs::v1::AwaitResponse;
using outputs::v1::AwaitResult;

AwaitResult ResultOf(const std::string& task) {
  AwaitResult result;
  result.set_task_id(task);
  result.mutable_result()->set_data(std::string(task.size() * 40, 'd'));
  return result;
}

AwaitResponse Decode(const Encoded<AwaitResponse>& encoded) {
  AwaitResponse decoded;
  REQUIRE(decoded.ParseFromString(encoded.bytes()));
  return decoded;
}

TEST_CASE("Parts that are merged, and items, are one message in their order") {
  AwaitResponse part;
  *part.add_results() = ResultOf("first");
  part.mutable_token_wanted()->mutable_within()->set_seconds(7);
  AwaitResponse other;
  *other.add_results() = ResultOf("fourth");

  Encoded<AwaitResponse> encoded;
  CHECK(encoded.empty());
  encoded.Merge(part);
  encoded.AddItem(AwaitResponse::kResultsFieldNumber, ResultOf("second"));
  encoded.AddItem(AwaitResponse::kResultsFieldNumber, AwaitResult());
  encoded.Merge(other);

  AwaitResponse expected = part;
  *expected.add_results() = ResultOf("second");
  expected.add_results();
  expected.MergeFrom(other);
  CHECK(Decode(encoded).SerializeAsString() == expected.SerializeAsString());

  encoded.Clear();
  CHECK(Decode(encoded).results().empty());
}

std::vector<grpc::Slice> SlicesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  REQUIRE(buffer.Dump(&slices).ok());
  return slices;
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::string bytes;
  for (const grpc::Slice& slice : SlicesOf(buffer)) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

TEST_CASE("What gRPC is given of a message is its own") {
  Encoded<AwaitResponse> encoded;
  encoded.AddItem(AwaitResponse::kResultsFieldNumber, ResultOf("task"));
  const std::string before = encoded.bytes();
  grpc::ByteBuffer buffer;
  bool owned = false;
  REQUIRE(
      grpc::SerializationTraits<Encoded<AwaitResponse>>::Serialize(encoded, &buffer, &owned).ok());
  CHECK(owned);
  encoded.Clear();
  encoded.AddItem(AwaitResponse::kResultsFieldNumber, ResultOf("knot"));
  CHECK(BytesOf(buffer) == before);
}

TEST_CASE("What is only to be passed on is kept as it came") {
  using Traits = grpc::SerializationTraits<Encoded<AwaitResponse>>;
  const grpc::Slice slices[] = {grpc::Slice("no mes"), grpc::Slice("sage")};
  grpc::ByteBuffer buffer(slices, 2);
  Encoded<AwaitResponse> encoded;
  encoded.mutable_bytes() = "left over from an earlier message";
  REQUIRE(Traits::Deserialize(&buffer, &encoded).ok());
  CHECK(encoded.bytes() == "no message");
}

TEST_CASE("What several are sent is there once, and until the last of them has been sent it") {
  using Shared = SharedEncoded<AwaitResponse>;
  Encoded<AwaitResponse> encoded;
  for (const std::string task : {"first", "second"}) {
    encoded.AddItem(AwaitResponse::kResultsFieldNumber, ResultOf(task));
  }
  const std::string before = encoded.bytes();
  auto shared = std::make_unique<const Shared>(std::move(encoded));
  const auto* const bytes = reinterpret_cast<const uint8_t*>(shared->bytes().data());
  grpc::ByteBuffer one;
  grpc::ByteBuffer other;
  for (grpc::ByteBuffer* const buffer : {&one, &other}) {
    bool owned = false;
    REQUIRE(grpc::SerializationTraits<Shared>::Serialize(*shared, buffer, &owned).ok());
    CHECK(owned);
    REQUIRE(SlicesOf(*buffer).size() == 1);
    CHECK(SlicesOf(*buffer).front().begin() == bytes);
  }
  shared.reset();
  one.Clear();
  CHECK(BytesOf(other) == before);
}

}  // namespace
}  // namespace kantoku::platform
