#include "client/cpp/src/fake_items.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"

namespace kantoku::internal {

class FakeItems::FakeStream final : public ItemStream {
 public:
  FakeStream(std::shared_ptr<FakeItems> items, const TaskId& id, ItemPosition from)
      : items_(std::move(items)), id_(id), position_(from) {}

  absl::StatusOr<std::variant<Item, Output>> Next(absl::Duration timeout) override {
    platform::Clock& clock = platform::Clock::Real();
    const absl::Duration deadline = clock.Read().steady + timeout;
    platform::MutexLock lock(items_->mutex_);
    while (!cancelled_) {
      const auto found = items_->tasks_.find(id_);
      if (found == items_->tasks_.end()) {
        return platform::Error(absl::StatusCode::kNotFound, "UNKNOWN_TASK",
                               absl::StrCat("task ", id_.ToString(), " is unknown"));
      }
      if (auto next = TakeNext(found->second); next.has_value()) return *std::move(next);
      if (clock.Read().steady >= deadline) {
        return platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT", "no item in time");
      }
      clock.Wait(items_->mutex_, items_->changed_, deadline);
    }
    return platform::Error(absl::StatusCode::kCancelled, "STREAM_CANCELLED",
                           "the stream was cancelled");
  }

  ItemPosition position() const override { return position_; }

  void Cancel() override {
    platform::MutexLock lock(items_->mutex_);
    cancelled_ = true;
    items_->changed_.SignalAll();
  }

 private:
  using Step = absl::StatusOr<std::variant<Item, Output>>;

  std::optional<Step> TakeNext(const Task& task) {
    // A position without a dispatch is one of the first.
    if (position_.dispatch == 0 && !task.items.empty()) {
      position_.dispatch = task.items.front().dispatch;
    }
    for (; next_ < task.items.size(); ++next_) {
      const Item& item = task.items[next_];
      if (item.dispatch < position_.dispatch) continue;
      const bool inside = item.dispatch == position_.dispatch;
      if (inside && item.sequence < position_.sequence) continue;
      Item taken = item;
      taken.restarted = item.dispatch > position_.dispatch;
      position_ = {item.dispatch, item.sequence + 1};
      ++next_;
      return Step(std::variant<Item, Output>(std::move(taken)));
    }
    if (!task.output.has_value()) return std::nullopt;
    if (!std::exchange(ended_, true)) return Step(std::variant<Item, Output>(*task.output));
    return Step(platform::Error(absl::StatusCode::kOutOfRange, "ENDED",
                                absl::StrCat("the end of task ", id_.ToString(), " was told")));
  }

  const std::shared_ptr<FakeItems> items_;
  const TaskId id_;
  // Guarded by the items' mutex.
  ItemPosition position_;
  size_t next_ = 0;
  bool ended_ = false;
  bool cancelled_ = false;
};

void FakeItems::Create(const TaskId& id) {
  platform::MutexLock lock(mutex_);
  tasks_[id];
}

void FakeItems::Yield(const TaskId& id, uint32_t dispatch, std::string data,
                      std::string content_type) {
  platform::MutexLock lock(mutex_);
  std::vector<Item>& items = tasks_[id].items;
  const bool first = items.empty() || items.back().dispatch < dispatch;
  items.push_back({.dispatch = dispatch,
                   .sequence = first ? 1 : items.back().sequence + 1,
                   .data = std::move(data),
                   .content_type = std::move(content_type)});
  changed_.SignalAll();
}

void FakeItems::End(const TaskId& id, Output output) {
  platform::MutexLock lock(mutex_);
  tasks_[id].output = std::move(output);
  changed_.SignalAll();
}

std::unique_ptr<ItemStream> FakeItems::Stream(const TaskId& id, ItemPosition from) {
  return std::make_unique<FakeStream>(shared_from_this(), id, from);
}

}  // namespace kantoku::internal
