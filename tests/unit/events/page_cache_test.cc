#include "services/events/page_cache.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::events {
namespace {

// A page of so many bytes, a few more when it is encoded.
EncodedPage Page(size_t bytes) {
  platform::Encoded<v1::SubscribeResponse> message;
  message.mutable_bytes().assign(bytes, 'x');
  return {.end = {.bytes = bytes}, .message = platform::SharedEncoded(std::move(message))};
}

// Of the page that begins there; 0 when there is none.
size_t BytesAt(const PageCache& cache, AudienceId audience, Position from) {
  const EncodedPage* const page = cache.Find(audience, from);
  return page == nullptr ? 0 : page->message.bytes().size();
}

TEST_CASE("A page is for its audience, and for the place where it begins") {
  PageCache cache(1000);
  cache.Keep(1, {.row = 5, .index = 2}, Page(10));
  cache.Keep(2, {.row = 6}, Page(20));
  CHECK(BytesAt(cache, 1, {.row = 5, .index = 2}) == 10);
  CHECK(BytesAt(cache, 2, {.row = 6}) == 20);
  CHECK(BytesAt(cache, 2, {.row = 5, .index = 2}) == 0);
  CHECK(BytesAt(cache, 1, {.row = 6}) == 0);
  CHECK(BytesAt(cache, 1, {.row = 5, .index = 1}) == 0);
  CHECK(BytesAt(cache, 1, {.row = 5, .index = 3}) == 0);
}

TEST_CASE("What comes next is the nearest page of the audience, behind the place") {
  PageCache cache(1000);
  cache.Keep(1, {.row = 5, .index = 2}, Page(10));
  cache.Keep(1, {.row = 9}, Page(10));
  cache.Keep(2, {.row = 7}, Page(10));
  CHECK(cache.NextAfter(1, {.row = 1}) == Position{.row = 5, .index = 2});
  CHECK(cache.NextAfter(1, {.row = 5, .index = 1}) == Position{.row = 5, .index = 2});
  CHECK(cache.NextAfter(1, {.row = 5, .index = 2}) == Position{.row = 9});
  CHECK_FALSE(cache.NextAfter(1, {.row = 9}).has_value());
  CHECK_FALSE(cache.NextAfter(3, {.row = 1}).has_value());
}

TEST_CASE("The pages that begin furthest behind leave when there are too many bytes") {
  PageCache cache(100);
  cache.Keep(1, {.row = 1}, Page(40));
  cache.Keep(1, {.row = 9}, Page(40));
  cache.Keep(2, {.row = 5}, Page(40));
  CHECK(BytesAt(cache, 1, {.row = 1}) == 0);
  CHECK(BytesAt(cache, 1, {.row = 9}) == 40);
  CHECK(BytesAt(cache, 2, {.row = 5}) == 40);
  cache.Keep(1, {.row = 9}, Page(60));  // Instead of the one of 40.
  CHECK(BytesAt(cache, 1, {.row = 9}) == 60);
  CHECK(BytesAt(cache, 2, {.row = 5}) == 40);
  cache.Keep(3, {.row = 9, .index = 1}, Page(101));
  for (const AudienceId audience : {1, 2, 3}) {
    CHECK_FALSE(cache.NextAfter(audience, {.row = 0}).has_value());
  }
}

TEST_CASE("Who catches up from far behind takes nobody's page") {
  PageCache cache(100);
  cache.Keep(1, {.row = 90}, Page(40));
  cache.Keep(2, {.row = 91}, Page(40));
  for (uint64_t row = 1; row < 90; ++row) cache.Keep(1, {.row = row}, Page(30));
  CHECK(BytesAt(cache, 1, {.row = 90}) == 40);
  CHECK(BytesAt(cache, 2, {.row = 91}) == 40);
}

TEST_CASE("Of an audience that is forgotten nothing is left") {
  PageCache cache(100);
  for (const AudienceId audience : {1, 2, 3}) {
    cache.Keep(audience, {.row = 1}, Page(20));
    cache.Keep(audience, {.row = 2, .index = 1}, Page(10));
  }
  cache.Forget(2);
  CHECK_FALSE(cache.NextAfter(2, {.row = 0}).has_value());
  CHECK(cache.NextAfter(1, {.row = 1}) == Position{.row = 2, .index = 1});
  CHECK(cache.NextAfter(3, {.row = 1}) == Position{.row = 2, .index = 1});
  cache.Keep(4, {.row = 1}, Page(40));  // There is room for it.
  CHECK(BytesAt(cache, 1, {.row = 1}) == 20);
}

}  // namespace
}  // namespace kantoku::events
