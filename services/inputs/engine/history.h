#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_HISTORY_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_HISTORY_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "services/inputs/engine/key_map.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Which record row holds which ended task. The rows themselves are in the store; here are some 24
// bytes a task where neighbours end together, bounded by time, number and bytes, oldest out first.
//
// Thread-compatible.
class History {
 public:
  struct Row {
    uint64_t number;
    absl::Time ended;
    std::vector<TaskKey> tasks;
    uint64_t bytes = 0;  // What it takes in the store, specs that are kept for it included.
  };

  // A task ended: it belongs to the row that the next Close makes, and is found there from now on.
  void Append(TaskKey task, uint64_t bytes = 0);
  // Ends the open row; its number, or nullopt when nothing was appended. Its age counts from
  // `ended`.
  std::optional<uint64_t> Close(absl::Time ended);
  // A row from the store. Numbers are larger than every earlier one.
  void Recover(Row row);
  // More bytes that are kept for a task of a row that was recovered.
  void AddBytes(TaskKey task, uint64_t bytes);

  // The row that holds the task, or will once the group is closed.
  std::optional<uint64_t> Find(TaskKey task) const;
  // Takes the oldest row, if it ended before `horizon` or the history holds more than `most` tasks
  // or `most_bytes`.
  std::optional<Row> TakeExpired(absl::Time horizon, size_t most, uint64_t most_bytes = UINT64_MAX);
  // When the oldest row ended; InfiniteFuture when there is none.
  absl::Time oldest() const;

  // The newest row with this number or a lower one; nullptr when there is none. Good until the next
  // change.
  const Row* AtOrBelow(uint64_t number) const;
  // The oldest one with this number or a higher one, likewise.
  const Row* AtOrAbove(uint64_t number) const;
  const std::deque<Row>& rows() const { return rows_; }
  size_t size() const { return row_of_.size(); }

 private:
  std::deque<Row> rows_;
  std::vector<TaskKey> open_;
  uint64_t open_bytes_ = 0;
  uint64_t bytes_ = 0;  // Of the rows that are closed.
  KeyMap<uint64_t, 0, 3> row_of_;
  uint64_t next_number_ = 1;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_HISTORY_H_
