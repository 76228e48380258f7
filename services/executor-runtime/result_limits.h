#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace kantoku::executor {

// What one Put may hold.
inline constexpr int kMaxPutItems = 10'000;
inline constexpr size_t kMaxPutBytes = size_t{16} << 20;
// What stands in a Put beside a result: its lease token and content type, with room to spare.
inline constexpr size_t kPutItemOverhead = 4096;
inline constexpr size_t kMaxResultBytes = kMaxPutBytes - kPutItemOverhead;
inline constexpr size_t kMaxContentTypeBytes = 255;

// What one PutItems, and one item, may hold. 64 windows of 1,000 items are less than Outputs takes.
inline constexpr int kMaxItemBatches = 64;
inline constexpr size_t kMaxItemBytes = size_t{4} << 20;
inline constexpr size_t kMaxCheckpointBytes = size_t{1} << 20;
inline constexpr uint64_t kMaxItemsPerDispatch = 10'000'000;

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_
