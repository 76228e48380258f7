#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_FIFO_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_FIFO_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace kantoku::inputs {

// A queue that takes 32 bytes and one value until it has two, and little more than its values take
// when it is long: there are as many as there are keys, mostly with one task each, and std::deque
// takes 576 bytes empty. Its memory grows block by block, so that no step moves many values; each
// step is O(1), amortized.
//
// Thread-compatible.
template <typename T>
class Fifo {
 public:
  Fifo() = default;
  Fifo(Fifo&& other) noexcept { Swap(other); }
  Fifo& operator=(Fifo&& other) noexcept {
    Fifo taken(std::move(other));
    Swap(taken);
    return *this;
  }
  // One after the other, or a long one would go as many calls deep.
  ~Fifo() {
    while (first_ != nullptr) first_ = std::move(first_->next);
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // It must not be empty.
  const T& front() const { return first_ == nullptr ? only_ : first_->values[begin_]; }
  const T& back() const { return last_ == nullptr ? only_ : last_->values.back(); }

  void push_back(const T& value) {
    if (first_ == nullptr) {
      if (size_ == 0) {
        only_ = value;
        size_ = 1;
        return;
      }
      MakeRoom();
      last_->values.push_back(only_);
    }
    if (last_->values.size() == last_->values.capacity()) MakeRoom();
    last_->values.push_back(value);
    ++size_;
  }
  void pop_front() {
    --size_;
    if (first_ == nullptr) return;
    if (++begin_ < first_->values.size()) return;
    begin_ = 0;
    if (first_->next != nullptr) {
      first_ = std::move(first_->next);
    } else {
      first_->values.clear();
    }
  }

 private:
  static constexpr size_t kLeast = 2;
  static constexpr size_t kMost = 256;
  struct Block {
    std::vector<T> values;  // Never more than it had room for when it was made.
    std::unique_ptr<Block> next;
  };

  void MakeRoom() {
    if (first_ != nullptr && first_->next == nullptr && begin_ * 2 >= first_->values.size()) {
      auto& values = first_->values;
      values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
      return;
    }
    auto block = std::make_unique<Block>();
    block->values.reserve(std::clamp(size_, kLeast, kMost));
    auto& place = last_ == nullptr ? first_ : last_->next;
    place = std::move(block);
    last_ = place.get();
  }
  void Swap(Fifo& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(begin_, other.begin_);
    std::swap(size_, other.size_);
    std::swap(only_, other.only_);
  }

  std::unique_ptr<Block> first_;
  Block* last_ = nullptr;
  size_t begin_ = 0;  // In the first block.
  size_t size_ = 0;
  T only_{};  // The one value, while there is no block.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_FIFO_H_
