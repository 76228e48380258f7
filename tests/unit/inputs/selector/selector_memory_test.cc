#include <cstdlib>
#include <new>
#include <string>

#include "tests/unit/inputs/selector/selector_cases.h"

namespace {

size_t allocations = 0;  // By `new`, in this one-threaded program.

void* Count(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations;
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Count(std::malloc(size)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Count(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Count(std::aligned_alloc(static_cast<size_t>(alignment), size));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace kantoku::inputs::testing {
namespace {

TEST_CASE("Matching and copying a selector allocate nothing") {
  const Selector selector = Parsed(
      "(zone in ('europe-west-3-with-a-long-name', 'b') || !(has(a-name-that-is-rather-long))) && "
      "mem_gib >= 16.00000000000000000000000000000000000001 && gpu != 'a value longer than most'");
  const Labels labels = Made({{"zone", "europe-west-3-with-a-long-name"},
                              {"mem_gib", "17.00000000000000000000000000000000000002"},
                              {"gpu", "another value that is longer"}});
  const size_t before = allocations;
  const Selector copies[] = {selector, selector};
  const bool matched = copies[0].Matches(labels) && !copies[1].Matches(Labels());
  const size_t after = allocations;
  CHECK(matched);
  CHECK(after == before);
  REQUIRE(before > 0);  // Or nothing was counted.
}

}  // namespace
}  // namespace kantoku::inputs::testing
