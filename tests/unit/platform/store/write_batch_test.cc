#include "services/platform/store/write_batch.h"

#include <catch2/catch.hpp>

namespace kantoku::platform {
namespace {

TEST_CASE("A batch keeps its changes in their order, and copies the values") {
  WriteBatch batch;
  {
    std::string value = "one";
    batch.Put(1, 10, value);
    value = "xxx";
  }
  batch.Erase(2, 20);
  batch.EraseRange(3, 30, 39);
  batch.Put(1, kMaxRecordKey, "");
  REQUIRE(batch.operations().size() == 4);
  const auto& put = batch.operations()[0];
  CHECK(put.type == WriteBatch::Operation::Type::kPut);
  CHECK(put.first == 10);
  CHECK(batch.value(put) == "one");
  const auto& erase = batch.operations()[1];
  CHECK(erase.type == WriteBatch::Operation::Type::kErase);
  CHECK(erase.first == 20);
  CHECK(erase.last == 20);
  CHECK(batch.operations()[2].last == 39);
  CHECK(batch.value(batch.operations()[3]).empty());
}

TEST_CASE("A batch's size counts values and changes") {
  WriteBatch batch;
  CHECK(batch.bytes() == 0);
  batch.Erase(1, 1);
  const size_t one_change = batch.bytes();
  CHECK(one_change > 0);
  batch.Put(1, 1, std::string(1000, 'x'));
  CHECK(batch.bytes() == 2 * one_change + 1000);
}

TEST_CASE("A cleared batch is empty and has no number") {
  WriteBatch batch;
  batch.set_number(7);
  batch.Put(1, 1, "one");
  batch.Clear();
  CHECK(batch.empty());
  CHECK(batch.bytes() == 0);
  CHECK(batch.number() == 0);
  batch.Put(1, 2, "two");
  CHECK(batch.value(batch.operations()[0]) == "two");
}

}  // namespace
}  // namespace kantoku::platform
