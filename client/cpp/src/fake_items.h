#ifndef KANTOKU_CLIENT_CPP_SRC_FAKE_ITEMS_H_
#define KANTOKU_CLIENT_CPP_SRC_FAKE_ITEMS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "kantoku/item.h"
#include "services/platform/mutex.h"

namespace kantoku::internal {

// The items of a fake.
//
// Thread-safe. Its streams share it.
class FakeItems : public std::enable_shared_from_this<FakeItems> {
 public:
  // The task exists from now on.
  void Create(const TaskId& id);
  void Yield(const TaskId& id, uint32_t dispatch, std::string data, std::string content_type);
  void End(const TaskId& id, Output output);
  std::unique_ptr<ItemStream> Stream(const TaskId& id, ItemPosition from);

 private:
  class FakeStream;
  struct Task {
    std::vector<Item> items;  // Of all runs.
    std::optional<Output> output;
  };

  platform::Mutex mutex_;
  platform::CondVar changed_;
  absl::flat_hash_map<TaskId, Task> tasks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_FAKE_ITEMS_H_
