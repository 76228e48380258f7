#include "services/platform/rpc/received.h"

#include <catch2/catch.hpp>
#include <string>

#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

namespace inputspb = ::kantoku::inputs::v1;

template <typename Message>
Received<Message> Receive(const std::string& bytes) {
  // In pieces, as they come from a network.
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += 7) slices.emplace_back(bytes.substr(at, 7));
  grpc::ByteBuffer buffer(slices.data(), slices.size());
  Received<Message> received;
  received.invalid_texts.push_back({.root = "left over from an earlier message"});
  REQUIRE(grpc::SerializationTraits<Received<Message>>::Deserialize(&buffer, &received).ok());
  return received;
}

template <typename Message>
Received<Message> Receive(const Message& message) {
  return Receive<Message>(message.SerializeAsString());
}

TEST_CASE("A sound message is read as it is") {
  inputspb::SpawnRequest request;
  request.set_namespace_("caf\xC3\xA9");
  request.add_specs()->set_payload("\xFF");
  const auto received = Receive(request);
  CHECK(received.message.SerializeAsString() == request.SerializeAsString());
  CHECK(received.invalid_texts.empty());
  CHECK(CheckReceived(received).ok());
}

TEST_CASE("Text that is no UTF-8 is named, and everything else is there") {
  inputspb::SpawnRequest request;
  request.set_namespace_("\xE9");
  for (int i = 0; i < 3; ++i) request.add_specs()->set_type("x");
  request.mutable_specs(1)->set_type("caf\xE9s");
  request.mutable_specs(1)->set_payload("\xE9");
  request.mutable_specs(1)->mutable_timeout()->set_seconds(5);
  request.mutable_specs(2)->set_content_type("\xED\xA0\x80");  // Half of a surrogate pair.
  const auto received = Receive(request);
  REQUIRE_FALSE(received.malformed);
  CHECK(received.message.namespace_() == "?");
  REQUIRE(received.message.specs_size() == 3);
  CHECK(received.message.specs(1).type() == "caf?s");
  CHECK(received.message.specs(1).payload() == "\xE9");
  CHECK(received.message.specs(1).timeout().seconds() == 5);
  REQUIRE(received.invalid_texts.size() == 3);
  CHECK(received.invalid_texts[0].root == "namespace");
  CHECK(received.invalid_texts[0].path.empty());
  CHECK(received.invalid_texts[1].root == "specs");
  CHECK(received.invalid_texts[1].index == 1);
  CHECK(received.invalid_texts[1].path == "type");
  CHECK(received.invalid_texts[1].value == "caf\xE9s");
  CHECK(received.invalid_texts[2].index == 2);

  const absl::Status status = CheckReceived(received);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_UTF8");
  CHECK(std::string(status.message()) == "namespace: \"\\xe9\" is no UTF-8");
  CHECK(std::string(received.invalid_texts[1].ToStatus().message()) ==
        "specs.type: \"caf\\xe9s\" is no UTF-8");
  CHECK(std::string(received.invalid_texts[1].ToStatusBelowRoot().message()) ==
        "type: \"caf\\xe9s\" is no UTF-8");
}

TEST_CASE("Text deep inside is named by its path") {
  inputspb::PullRequest request;
  request.add_nacks();
  request.add_nacks()->mutable_error()->set_reason("\xFF");
  const auto received = Receive(request);
  REQUIRE(received.invalid_texts.size() == 1);
  CHECK(received.invalid_texts[0].root == "nacks");
  CHECK(received.invalid_texts[0].index == 1);
  CHECK(received.invalid_texts[0].path == "error.reason");
}

TEST_CASE("A long invalid text is shown in part") {
  inputspb::SpawnRequest request;
  request.set_namespace_(std::string(100'000, '\xFF'));
  CHECK(CheckReceived(Receive(request)).message().size() < 500);
}

TEST_CASE("What is no such message is refused") {
  for (const std::string bytes : {"\x0A", "\x0A\x7Fxx", "\xFF\xFF\xFF\xFF\xFF\xFF", "\x0B",
                                  "\x0A\x01\xFF\x1A\x05\x0A", "\x0C"}) {
    const auto received = Receive<inputspb::SpawnRequest>(bytes);
    CHECK(received.malformed);
    CHECK(received.message.ByteSizeLong() == 0);
    const absl::Status status = CheckReceived(received);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(status) == "MALFORMED_MESSAGE");
  }
}

TEST_CASE("Fields that are not known pass through the repair") {
  inputspb::SpawnRequest request;
  request.set_namespace_("\xFF");
  std::string bytes = request.SerializeAsString();
  bytes += std::string("\xC2\x3E\x02\xFF\xFE", 5);  // Field 1000, two bytes.
  bytes += std::string("\x10\x05", 2);              // request_id as a number.
  const auto received = Receive<inputspb::SpawnRequest>(bytes);
  CHECK_FALSE(received.malformed);
  CHECK(received.invalid_texts.size() == 1);
}

// As another server gets it.
template <typename Message>
std::string PassedOn(const Received<Message>& received) {
  grpc::ByteBuffer buffer;
  bool owned = false;
  using Traits = grpc::SerializationTraits<Received<Message>>;
  REQUIRE(Traits::Serialize(received, &buffer, &owned).ok());
  REQUIRE(owned);
  grpc::Slice slice;
  REQUIRE(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

TEST_CASE("A message is passed on as it came, whatever is wrong with it") {
  inputspb::SpawnRequest request;
  request.set_namespace_("lab");
  request.add_specs()->set_type("caf\xE9s");
  for (const std::string& bytes :
       {request.SerializeAsString(), std::string("\x0A\xFF no message")}) {
    CHECK(PassedOn(Receive<inputspb::SpawnRequest>(bytes)) == bytes);
  }
}

TEST_CASE("Of a message that was passed on as it came nothing is in the one read after it") {
  inputspb::SpawnRequest request;
  request.set_namespace_("\xE9");
  auto received = Receive(request);
  request.set_namespace_("lab");
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer buffer(&slice, 1);
  using Traits = grpc::SerializationTraits<Received<inputspb::SpawnRequest>>;
  REQUIRE(Traits::Deserialize(&buffer, &received).ok());
  CHECK(PassedOn(received) == bytes);
}

}  // namespace
}  // namespace kantoku::platform
