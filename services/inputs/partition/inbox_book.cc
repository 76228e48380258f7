#include "services/inputs/partition/inbox_book.h"

#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs {

InboxBook::InboxBook() : InboxBook(Bounds()) {}
InboxBook::InboxBook(const Bounds& bounds) : bounds_(bounds) {}

const InboxBook::Entry* InboxBook::Find(const TaskId& task) const {
  const auto found = entries_.find(task.key());
  return found != entries_.end() && found->second.id == task ? &found->second : nullptr;
}

bool InboxBook::Stays(TaskKey key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.stage != Stage::kLeaving;
}

void InboxBook::Take(const StoredInbox& record, size_t bytes) {
  const auto [place, is_new] =
      entries_.emplace(record.id.key(), Entry{.id = record.id,
                                              .role = std::string(record.role),
                                              .name_space = std::string(record.name_space),
                                              .owner = std::string(record.owner),
                                              .type = std::string(record.type),
                                              .bytes = bytes});
  KANTOKU_CHECK(is_new);
  ++count(Stage::kTaken);
}

void InboxBook::LeaveUnread(TaskKey key) {
  KANTOKU_CHECK(entries_.emplace(key, Entry()).second);
  ++count(Stage::kTaken);
  Leave(key);
}

bool InboxBook::Ask(TaskKey key) {
  Entry& entry = entries_.at(key);
  const size_t bytes = asking_bytes_ + entry.bytes;
  const bool fits = count(Stage::kAsking) < bounds_.asking && bytes <= bounds_.asking_bytes;
  // One alone may be larger than the bound.
  if (!fits && count(Stage::kAsking) > 0) return false;
  MoveTo(entry, Stage::kAsking);
  return true;
}

bool InboxBook::Refuse(TaskKey key, Failure why) {
  if (count(Stage::kRefused) >= bounds_.refused) return false;
  Entry& entry = entries_.at(key);
  entry.why = std::move(why);
  MoveTo(entry, Stage::kRefused);
  return true;
}

void InboxBook::Leave(TaskKey key) {
  MoveTo(entries_.at(key), Stage::kLeft);
  left_.push_back(key);
}

void InboxBook::PutOff(TaskKey key, TaskKey behind) {
  const std::pair place(behind, key);
  if (put_off_.contains(place)) return;
  if (put_off_.size() >= bounds_.put_off) put_off_.clear();
  put_off_.insert(place);
}

std::vector<TaskKey> InboxBook::TakePutOff(TaskKey behind) {
  std::vector<TaskKey> keys;
  auto next = put_off_.lower_bound({behind, 0});
  while (next != put_off_.end() && next->first == behind) {
    keys.push_back(next->second);
    next = put_off_.erase(next);
  }
  return keys;
}

void InboxBook::Forget(TaskKey key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  MoveTo(found->second, Stage::kTaken);
  --count(Stage::kTaken);
  entries_.erase(found);
}

void InboxBook::ForgetLeft() {
  for (const TaskKey key : std::exchange(left_, {})) Forget(key);
}

bool InboxBook::IsNews(std::string_view what) {
  return told_.size() < bounds_.told && told_.insert(std::string(what)).second;
}

void InboxBook::MoveTo(Entry& entry, Stage stage) {
  if (entry.stage == Stage::kAsking) asking_bytes_ -= entry.bytes;
  if (stage == Stage::kAsking) asking_bytes_ += entry.bytes;
  --count(entry.stage);
  ++count(stage);
  entry.stage = stage;
}

}  // namespace kantoku::inputs
