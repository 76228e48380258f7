#include "services/inputs/partition/payload_cache.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace kantoku::inputs {
namespace {

// A batch whose payloads are these.
std::shared_ptr<const SpecBytes> Batch(const std::vector<std::string>& payloads) {
  auto batch = std::make_shared<SpecBytes>();
  for (const std::string& payload : payloads) {
    SpecBytes::Slice slice{};
    slice.content_type = static_cast<uint32_t>(batch->bytes.size());
    slice.content_type_size = 1;
    batch->bytes += 'c';
    slice.payload = static_cast<uint32_t>(batch->bytes.size());
    slice.payload_size = static_cast<uint32_t>(payload.size());
    batch->bytes += payload;
    batch->slices.push_back(slice);
  }
  return batch;
}

TEST_CASE("A payload is there once, from spawn to its first dispatch") {
  PayloadCache cache(1'000);
  cache.Add(10, Batch({"a", "bb"}), {0, 1});
  const auto payload = cache.Take(11);
  REQUIRE(payload.has_value());
  CHECK(payload->payload == "bb");
  CHECK(payload->content_type == "c");
  CHECK_FALSE(cache.Take(11).has_value());
  CHECK(cache.Take(10)->payload == "a");
  CHECK_FALSE(cache.Take(10).has_value());
}

TEST_CASE("Keys before, between and behind batches have no payload") {
  PayloadCache cache(1'000);
  CHECK_FALSE(cache.Take(0).has_value());
  cache.Add(10, Batch({"a"}), {0});
  cache.Add(20, Batch({"b"}), {0});
  for (const TaskKey key : {9, 11, 19, 21}) CHECK_FALSE(cache.Take(key).has_value());
  CHECK(cache.Take(10)->payload == "a");
  CHECK(cache.Take(20)->payload == "b");
}

TEST_CASE("Specs that became no task take no key") {
  PayloadCache cache(1'000);
  cache.Add(10, Batch({"a", "taken", "b"}), {0, 2});
  CHECK(cache.Take(10)->payload == "a");
  CHECK(cache.Take(11)->payload == "b");
  CHECK_FALSE(cache.Take(12).has_value());
  CHECK(cache.bytes() == 0);
}

TEST_CASE("A batch counts until its last task has left") {
  PayloadCache cache(10);
  const auto batch = Batch({"12345", "12345"});
  cache.Add(1, batch, {0, 1});
  CHECK(cache.bytes() > batch->size());
  CHECK(cache.over_budget());
  cache.Take(1);
  CHECK(cache.over_budget());
  cache.Take(2);
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.over_budget());
}

TEST_CASE("A batch without tasks is not kept") {
  PayloadCache cache(0);
  cache.Add(0, Batch({"a"}), {});
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.over_budget());
}

TEST_CASE("A batch that is dropped is gone, and dropping it again is harmless") {
  PayloadCache cache(0);
  cache.Add(1, Batch({"a", "b"}), {0, 1});
  cache.Drop(1);
  cache.Drop(1);
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.Take(1).has_value());
}

TEST_CASE("A payload that was taken out outlives the cache") {
  std::optional<PayloadCache::Payload> payload;
  {
    PayloadCache cache(0);
    cache.Add(1, Batch({"a payload"}), {0});
    payload = cache.Take(1);
  }
  CHECK(payload->payload == "a payload");
}

}  // namespace
}  // namespace kantoku::inputs
