#include "services/outputs/item_codec.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::outputs {
namespace {

using platform::TaskId;

const TaskId kTask = TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, 1, 5);

TEST_CASE("Streams are written and read back") {
  std::string record;
  EncodeStream({.task = kTask,
                .dispatch = 7,
                .state = StreamState::kErasing,
                .name_space = "default",
                .owner = "somebody",
                .items = 10'000'000,
                .bytes = uint64_t{1} << 40},
               record);
  const auto stream = DecodeStream(record);
  REQUIRE(stream.ok());
  CHECK(stream->task == kTask);
  CHECK(stream->dispatch == 7);
  CHECK(stream->state == StreamState::kErasing);
  CHECK(stream->name_space == "default");
  CHECK(stream->owner == "somebody");
  CHECK(stream->items == 10'000'000);
  CHECK(stream->bytes == uint64_t{1} << 40);
}

TEST_CASE("Items are written and read back, their content types among them") {
  std::string record = "something old";
  ItemRecordWriter writer(300, record);
  const Item items[] = {{"a", "text/plain"}, {"", "text/plain"}, {"b", ""}, {"c", ""}, {"d", "x"}};
  for (const Item& item : items) writer.Add(item);
  const auto stored = DecodeItems(record);
  REQUIRE(stored.ok());
  CHECK(stored->bytes_before == 300);
  REQUIRE(stored->items.size() == std::size(items));
  for (size_t i = 0; i < std::size(items); ++i) {
    CHECK(stored->items[i].data == items[i].data);
    CHECK(stored->items[i].content_type == items[i].content_type);
  }
}

TEST_CASE("A record of items of one content type takes two bytes an item beside its data") {
  std::string record;
  ItemRecordWriter writer(0, record);
  for (int i = 0; i < 1000; ++i) writer.Add({"12345678", "text/plain"});
  CHECK(record.size() < 1000 * 10 + 20);
}

TEST_CASE("Damaged records are DATA_LOSS") {
  std::string stream;
  EncodeStream({.task = kTask, .dispatch = 7, .owner = "somebody"}, stream);
  std::string items;
  ItemRecordWriter writer(0, items);
  writer.Add({"data", "text/plain"});
  for (const std::string& text :
       {std::string(), std::string("\x02"), stream.substr(0, 10), stream + "x"}) {
    CHECK(DecodeStream(text).status().code() == absl::StatusCode::kDataLoss);
  }
  for (const std::string& text : {std::string(), std::string("\x02"), std::string("\x01\x00", 2),
                                  items.substr(0, 5), items + "x"}) {
    CHECK(DecodeItems(text).status().code() == absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace kantoku::outputs
