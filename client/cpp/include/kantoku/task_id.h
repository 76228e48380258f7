#ifndef KANTOKU_TASK_ID_H_
#define KANTOKU_TASK_ID_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace kantoku::platform {
class TaskId;
}  // namespace kantoku::platform

namespace kantoku {

// The id of a task: a UUID of version 7, given by the server when it accepts the task. Whoever
// knows it can await the task from any computer.
//
// Thread-compatible. A value.
class TaskId {
 public:
  static constexpr size_t kSize = 16;

  // No task.
  constexpr TaskId() = default;
  // The same id, as a handler's Context has it: Lineage(context.task_id(), context.root_id()).
  TaskId(const platform::TaskId& id);  // NOLINT(google-explicit-constructor): loses nothing.

  // Of the text form, 36 characters. INVALID_ARGUMENT, INVALID_ID when it is no id of a task.
  static absl::StatusOr<TaskId> Parse(std::string_view text);
  // Of the 16 bytes. Errors as above.
  static absl::StatusOr<TaskId> FromBytes(std::string_view bytes);

  std::string ToString() const;
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  bool empty() const { return *this == TaskId(); }

  auto operator<=>(const TaskId&) const = default;  // NOLINT(modernize-use-nullptr)

  template <typename H>
  friend H AbslHashValue(H h, const TaskId& id) {
    return H::combine_contiguous(std::move(h), id.bytes_.data(), id.bytes_.size());
  }

 private:
  std::array<uint8_t, kSize> bytes_{};
};

}  // namespace kantoku

template <>
struct std::hash<kantoku::TaskId> {
  size_t operator()(const kantoku::TaskId& id) const {
    return std::hash<std::string_view>()(id.bytes());
  }
};

#endif  // KANTOKU_TASK_ID_H_
