#include "services/outputs/result_codec.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::TaskId;

StoredResult SomeResult() {
  return {.task = TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 7, 42, 1234),
          .status = ResultStatus::kFailed,
          .dispatch = 3,
          .ended_at = absl::FromUnixMillis(1'700'000'001'234),
          .expires = absl::FromUnixMillis(1'700'086'401'234),
          .name_space = "default",
          .owner = "local",
          .content_type = "text/plain",
          .reason = "TIMEOUT",
          .message = "took longer than 1h",
          .data = std::string_view("\0\xff data", 7)};
}

// Nothing but `record` itself is taken: nothing shorter, nothing longer.
template <typename Decode>
void CheckStrict(const std::string& record, Decode decode) {
  CHECK(decode(record).ok());
  for (size_t size = 0; size < record.size(); ++size) {
    INFO("cut to " << size);
    CHECK(decode(record.substr(0, size)).status().code() == absl::StatusCode::kDataLoss);
  }
  CHECK(decode(record + '\0').status().code() == absl::StatusCode::kDataLoss);
  std::string newer = record;
  ++newer[0];
  const std::string said =
      "format " + std::to_string(newer[0]) + "; known is " + std::to_string(record[0]);
  CHECK(std::string(decode(newer).status().message()).find(said) != std::string::npos);
}

TEST_CASE("A result is read back as it was written") {
  const StoredResult result = SomeResult();
  std::string record = "left over";
  EncodeResult(result, record);
  const auto read = DecodeResult(record);
  REQUIRE(read.ok());
  CHECK(read->task == result.task);
  CHECK(read->status == result.status);
  CHECK_FALSE(read->emptied);
  CHECK(read->dispatch == result.dispatch);
  CHECK(read->ended_at == result.ended_at);
  CHECK(read->expires == result.expires);
  CHECK(read->name_space == result.name_space);
  CHECK(read->owner == result.owner);
  CHECK(read->content_type == result.content_type);
  CHECK(read->reason == result.reason);
  CHECK(read->message == result.message);
  CHECK(read->data == result.data);
  CheckStrict(record, DecodeResult);
}

TEST_CASE("An emptied result keeps its status") {
  StoredResult result = SomeResult();
  result.emptied = true;
  result.status = ResultStatus::kCancelled;
  std::string record;
  EncodeResult(result, record);
  CHECK(DecodeResult(record)->emptied);
  CHECK(DecodeResult(record)->status == ResultStatus::kCancelled);
}

TEST_CASE("A result without a terminal status is damaged") {
  std::string record;
  EncodeResult(SomeResult(), record);
  for (const char status : {0, 4, 8, 9}) {
    record[1] = status;
    CHECK(DecodeResult(record).status().code() == absl::StatusCode::kDataLoss);
  }
}

TEST_CASE("Fences and epochs are read back as they were written") {
  std::string record;
  EncodeFence({SomeResult().task, 9, absl::FromUnixMillis(1'700'000'000'001)}, record);
  const auto fence = DecodeFence(record);
  REQUIRE(fence.ok());
  CHECK(fence->task == SomeResult().task);
  CHECK(fence->dispatch == 9);
  CHECK(fence->erase_at == absl::FromUnixMillis(1'700'000'000'001));
  CheckStrict(record, DecodeFence);

  EncodeEpoch(UINT64_MAX, record);
  CHECK(*DecodeEpoch(record) == UINT64_MAX);
  CheckStrict(record, DecodeEpoch);
}

TEST_CASE("An expiry record holds keys, neighbours in a byte each") {
  const std::vector<RecordKey> keys = {0, 5, 6, 7, uint64_t{7} << 44, platform::kMaxRecordKey};
  std::string record;
  EncodeExpiry(keys, 12'345, record);
  CHECK(*DecodeExpiry(record) == keys);
  CHECK(DecodeExpiryTotals(record)->keys == keys.size());
  CHECK(DecodeExpiryTotals(record)->bytes == 12'345);
  CheckStrict(record, DecodeExpiry);

  std::vector<RecordKey> neighbours(1000);
  for (size_t i = 0; i < neighbours.size(); ++i) neighbours[i] = (uint64_t{7} << 44) + i;
  EncodeExpiry(neighbours, 1, record);
  CHECK(record.size() < 1013);
}

TEST_CASE("An expiry record of format 1 has keys and no bytes") {
  using namespace std::string_literals;
  const std::string record = "\x01\x02\x05\x01"s;
  CHECK(*DecodeExpiry(record) == std::vector<RecordKey>{5, 6});
  CHECK(DecodeExpiryTotals(record)->keys == 2);
  CHECK(DecodeExpiryTotals(record)->bytes == 0);
}

TEST_CASE("An expiry record with keys out of order, out of range or too many is damaged") {
  using namespace std::string_literals;
  for (const std::string& record :
       {"\x02\x00\x02\x05\x00"s,                                  // Twice 5.
        "\x02\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,  // 2^64-1.
        "\x02\x00\xff\xff\xff\xff\x7f\x01"s, "\x03\x00\x00"s}) {
    CHECK(DecodeExpiry(record).status().code() == absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace kantoku::outputs
