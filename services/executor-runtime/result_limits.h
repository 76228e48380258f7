#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_

#include <cstddef>

namespace kantoku::executor {

// What one Put may hold.
inline constexpr int kMaxPutItems = 10'000;
inline constexpr size_t kMaxPutBytes = size_t{16} << 20;
// What stands in a Put beside a result: its lease token and content type, with room to spare.
inline constexpr size_t kPutItemOverhead = 4096;
inline constexpr size_t kMaxResultBytes = kMaxPutBytes - kPutItemOverhead;
inline constexpr size_t kMaxContentTypeBytes = 255;

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_RESULT_LIMITS_H_
