#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_USE_COUNTS_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_USE_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace kantoku::inputs {

// Small numbers for things that come and go, each with a count of its users. What nobody uses stays
// until FreeUnused, and the latest few of it stay even then: what is used now and then is not made
// again each time. Use and Leave are a counter each.
//
// Thread-compatible.
class UseCounts {
 public:
  // A number without users; a freed one, if there is any.
  uint32_t Add() {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(entries_.size()));
      entries_.emplace_back();
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    List(number);
    return number;
  }

  // Whether this is its first user.
  bool Use(uint32_t number) {
    if (entries_[number].users++ > 0) return false;
    ++used_;
    return true;
  }
  // Whether this was its last user.
  bool Leave(uint32_t number) {
    if (--entries_[number].users > 0) return false;
    --used_;
    List(number);
    return true;
  }
  bool IsUsed(uint32_t number) const { return entries_[number].users > 0; }
  // How many numbers have users.
  size_t used() const { return used_; }

  // Calls `free(number)` for what has been without users for longest, until at most `keep` such
  // numbers are left.
  template <typename Free>
  void FreeUnused(size_t keep, Free free) {
    while (idle_.size() > keep) {
      const uint32_t number = idle_.front();
      idle_.pop_front();
      entries_[number].idle = 0;
      if (IsUsed(number)) continue;
      free(number);
      free_.push_back(number);
    }
  }

 private:
  struct Entry {
    uint32_t users : 31 = 0;
    uint32_t idle : 1 = 0;  // Is in idle_.
  };

  void List(uint32_t number) {
    if (entries_[number].idle != 0) return;
    entries_[number].idle = 1;
    idle_.push_back(number);
  }

  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  std::deque<uint32_t> idle_;  // Were without users once, and may have some again.
  size_t used_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_USE_COUNTS_H_
