#include "services/inputs/engine/dependency_table.h"

#include "services/platform/check.h"

namespace kantoku::inputs {
namespace {

// A free place of a pool.
template <typename Value>
uint32_t Take(std::deque<Value>& pool, std::vector<uint32_t>& free) {
  if (free.empty()) {
    free.push_back(static_cast<uint32_t>(pool.size()));
    pool.emplace_back();
  }
  const uint32_t place = free.back();
  free.pop_back();
  return place;
}

}  // namespace

uint32_t DependencyTable::NewList(const TaskId& id) {
  const uint32_t list = Take(lists_, free_lists_);
  lists_[list] = {.id = id};
  return list;
}

void DependencyTable::FreeList(uint32_t list) {
  if (lists_[list].task != kNoTask) list_of_.erase(lists_[list].task);
  free_lists_.push_back(list);
}

void DependencyTable::Bind(TaskIndex waiter, uint32_t list, OnFailure on_failure) {
  const uint32_t bond = Take(bonds_, free_bonds_);
  Waiter& own = waiters_[waiter];
  uint32_t& first = lists_[list].first;
  bonds_[bond] = {.list = list,
                  .waiter = waiter,
                  .next = first,
                  .next_of_waiter = own.first,
                  .on_failure = on_failure};
  if (first != kNone) bonds_[first].previous = bond;
  if (own.first != kNone) bonds_[own.first].previous_of_waiter = bond;
  first = bond;
  own.first = bond;
  ++own.open;
}

// Out of both lists. One of a living task that is empty then goes, unless it is being swept.
void DependencyTable::Unbind(uint32_t bond) {
  const Bond& gone = bonds_[bond];
  List& list = lists_[gone.list];
  (gone.previous == kNone ? list.first : bonds_[gone.previous].next) = gone.next;
  if (gone.next != kNone) bonds_[gone.next].previous = gone.previous;
  if (list.next_swept == bond) list.next_swept = gone.next;
  const auto waiter = waiters_.find(gone.waiter);
  (gone.previous_of_waiter == kNone ? waiter->second.first
                                    : bonds_[gone.previous_of_waiter].next_of_waiter) =
      gone.next_of_waiter;
  if (gone.next_of_waiter != kNone) {
    bonds_[gone.next_of_waiter].previous_of_waiter = gone.previous_of_waiter;
  }
  if (--waiter->second.open == 0) waiters_.erase(waiter);
  if (list.first == kNone && !list.sweeping) FreeList(gone.list);
  free_bonds_.push_back(bond);
}

void DependencyTable::Add(TaskIndex waiter, TaskIndex dependency, const TaskId& id,
                          OnFailure on_failure) {
  const auto [entry, added] = list_of_.try_emplace(dependency);
  if (added) {
    entry->second = NewList(id);
    lists_[entry->second].task = dependency;
  }
  Bind(waiter, entry->second, on_failure);
}

uint32_t DependencyTable::OpenOf(TaskIndex waiter) const {
  const auto found = waiters_.find(waiter);
  return found == waiters_.end() ? 0 : found->second.open;
}

const TaskId& DependencyTable::AnyOf(TaskIndex waiter) const {
  return lists_[bonds_[waiters_.at(waiter).first].list].id;
}

size_t DependencyTable::GiveUp(TaskIndex waiter) {
  const auto found = waiters_.find(waiter);
  if (found == waiters_.end()) return 0;
  const size_t open = found->second.open;
  uint32_t bond = found->second.first;
  while (bond != kNone) {
    const uint32_t next = bonds_[bond].next_of_waiter;
    Unbind(bond);
    bond = next;
  }
  return open;
}

void DependencyTable::Sweep(uint32_t number) {
  List& list = lists_[number];
  list.next_swept = list.first;
  if (!list.sweeping) sweeps_.push_back(number);
  list.sweeping = true;
}

void DependencyTable::Doom(TaskIndex dependency, TaskState end) {
  if (list_of_.empty()) return;
  const auto found = list_of_.find(dependency);
  if (found == list_of_.end()) return;
  lists_[found->second].end = end;
  Sweep(found->second);
}

bool DependencyTable::End(TaskIndex dependency, TaskState end) {
  if (list_of_.empty()) return false;
  const auto found = list_of_.find(dependency);
  if (found == list_of_.end()) return false;
  const uint32_t number = found->second;
  list_of_.erase(found);
  List& list = lists_[number];
  list.task = kNoTask;
  list.end = end;
  list.remembered = end != TaskState::kSucceeded && list.first != kNone;
  Sweep(number);
  return list.remembered;
}

void DependencyTable::RecoverEnded(const TaskId& id, TaskState end) {
  const uint32_t number = NewList(id);
  lists_[number].end = end;
  lists_[number].remembered = true;
  recovered_[id] = number;
  Sweep(number);
}

bool DependencyTable::AddRecovered(TaskIndex waiter, const TaskId& id, OnFailure on_failure) {
  const auto found = recovered_.find(id);
  if (found == recovered_.end()) return false;
  Bind(waiter, found->second, on_failure);
  lists_[found->second].next_swept = lists_[found->second].first;
  return true;
}

DependencyTable::Step DependencyTable::Next() {
  const uint32_t number = sweeps_.front();
  sweeps_.pop_front();
  List& list = lists_[number];
  const uint32_t bond = list.next_swept;
  if (bond == kNone) {
    list.sweeping = false;
    Step step;
    if (list.remembered) step.over = list.id;
    KANTOKU_CHECK(list.task != kNoTask || list.first == kNone);
    if (list.first == kNone) FreeList(number);
    return step;
  }
  list.next_swept = bonds_[bond].next;
  sweeps_.push_back(number);
  const Bond& heard = bonds_[bond];
  if (list.task != kNoTask && heard.on_failure == OnFailure::kRun) return {};
  const Step step{.waiter = heard.waiter,
                  .on_failure = heard.on_failure,
                  .dependency = list.id,
                  .end = list.end,
                  .over = std::nullopt};
  Unbind(bond);
  return step;
}

}  // namespace kantoku::inputs
