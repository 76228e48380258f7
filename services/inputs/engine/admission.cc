#include "services/inputs/engine/admission.h"

#include <algorithm>
#include <utility>

#include "services/platform/check.h"
#include "services/platform/planted.h"

namespace kantoku::inputs {

// ---- Members ----

void Admission::Join(TaskIndex index, std::string_view name_space, std::string_view owner,
                     std::string_view type, const TaskKeys& keys, NamedKeys named) {
  tasks_.at(index).has_keys = true;
  const auto join = [&](KeyNumber& key, KeyKind kind, KeyScope scope, const std::string& name,
                        uint32_t cost = 0) {
    if (key == kNoKey) {
      key = keys_.Intern(name_space, {kind, scope, WhoseOf(scope, owner, type), name});
    }
    keys_.Join(key, cost);
  };
  named.uses.resize(keys.concurrency.size() + keys.rates.size());
  KeyUse* use = named.uses.data();
  for (const TaskKeys::Concurrency& each : keys.concurrency) {
    join(use->key, KeyKind::kConcurrency, each.scope, each.name, use->cost);
    ++use;
  }
  for (const TaskKeys::Throttle& each : keys.rates) {
    use->cost = each.cost;
    join(use->key, KeyKind::kRate, each.scope, each.name, use->cost);
    ++use;
  }
  if (!keys.fairness.empty()) {
    join(named.fairness, KeyKind::kFairness, KeyScope::kNamespace, keys.fairness);
  }
  if (!keys.ordering.empty()) {
    join(named.ordering, KeyKind::kOrdering, KeyScope::kNamespace, keys.ordering);
  }
  const KeyNumber ordering = named.ordering;
  entries_[index] = {.keys = std::move(named)};
  if (ordering != kNoKey) Append(index, ordering);
}

void Admission::Leave(TaskIndex index) {
  Free(index);
  Entry entry = std::move(entries_.at(index));
  if (entry.keys.ordering != kNoKey) {
    Remove(index, entry.keys.ordering);
    keys_.Leave(entry.keys.ordering);
  }
  if (entry.keys.fairness != kNoKey) keys_.Leave(entry.keys.fairness);
  for (const Use& use : entry.keys.uses) keys_.Leave(use.key, use.cost);
  entries_.erase(index);
}

// Tasks come in the order of their spawn; from records in that of their keys, which of those that
// got their ids elsewhere do not say it. But one after the other these, too, come in an order that
// is near it: where one belongs is not far from where the one before it did.
void Admission::Append(TaskIndex index, KeyNumber ordering) {
  OrderingQueue& queue = orderings_[ordering];
  const TaskKey order = tasks_.OrderOf(tasks_.at(index));
  const auto is_behind = [&](TaskIndex other) { return tasks_.OrderOf(tasks_.at(other)) > order; };
  TaskIndex before = queue.last;
  if (before != kNoTask && is_behind(before) && queue.latest != kNoTask) before = queue.latest;
  while (before != kNoTask && is_behind(before)) before = entries_.at(before).previous;
  TaskIndex next = before == kNoTask ? queue.first : entries_.at(before).next;
  for (; next != kNoTask && !is_behind(next); next = entries_.at(next).next) before = next;
  Entry& entry = entries_.at(index);
  entry.previous = before;
  entry.next = next;
  (before == kNoTask ? queue.first : entries_.at(before).next) = index;
  (next == kNoTask ? queue.last : entries_.at(next).previous) = index;
  queue.latest = index;
}

void Admission::Remove(TaskIndex index, KeyNumber ordering) {
  OrderingQueue& queue = orderings_.at(ordering);
  const Entry& entry = entries_.at(index);
  const TaskIndex next = entry.next;
  (entry.previous == kNoTask ? queue.first : entries_.at(entry.previous).next) = next;
  (next == kNoTask ? queue.last : entries_.at(next).previous) = entry.previous;
  if (queue.latest == index) queue.latest = entry.previous;
  if (queue.first == kNoTask) {
    orderings_.erase(ordering);
  } else if (queue.first == next && tasks_.at(next).queued()) {
    LineUp(next, entries_.at(next));
  }
}

// ---- Waiting ----

void Admission::Ready(TaskIndex index) {
  Entry& entry = entries_.at(index);
  entry.refusals = 0;
  entry.passed = 0;
  if (entry.keys.ordering != kNoKey && orderings_.at(entry.keys.ordering).first != index) {
    return Move(index, entry, Place::kBehind, entry.keys.ordering);
  }
  LineUp(index, entry);
}

bool Admission::AreAmple(const Entry& entry) const {
  return std::ranges::all_of(entry.keys.uses, [this](const Use& use) {
    return keys_.IsAmple(use.key, now_) && FindParking(use.key) == nullptr;
  });
}

// At the first key that has nothing left. One that finds room everywhere lines up as well, unless
// there is enough for all: it would pass those that have waited.
void Admission::LineUp(TaskIndex index, Entry& entry) {
  if (AreAmple(entry)) {
    entry.passed = UINT16_MAX;  // Whoever waits there by then came after it.
    return Move(index, entry, Place::kLetIn, kNoKey);
  }
  const auto blocked =
      std::ranges::find_if_not(entry.keys.uses, [this](const Use& use) { return HasRoom(use); });
  Park(index, entry, blocked == entry.keys.uses.end() ? entry.keys.uses.front().key : blocked->key);
}

void Admission::Unready(TaskIndex index) {
  Entry& entry = entries_.at(index);
  const Place place = std::exchange(entry.place, Place::kNone);
  const Task& task = tasks_.at(index);
  if (place == Place::kLetIn) matcher_.Gone(task.lane, task.priority, entry.keys.fairness);
  if (IsElder(index)) {
    EndElder(index, entry);
  } else if (place == Place::kLetIn) {
    LeaveLane(index, entry);
  } else if (place == Place::kParked) {
    Unpark(index, entry);
  }
}

void Admission::Free(TaskIndex index) {
  Entry& entry = entries_.at(index);
  if (!std::exchange(entry.counts, false)) return;
  if (KANTOKU_PLANTED("slot leaked on cancel") && tasks_.at(index).cancel_requested) return;
  for (const Use& use : entry.keys.uses) {
    keys_.Free(use.key);
    Touch(use.key);
  }
}

void Admission::CountDispatch(TaskIndex index) {
  Entry& entry = entries_.at(index);
  entry.counts = true;
  for (const Use& use : entry.keys.uses) {
    if (keys_.at(use.key).kind == KeyKind::kConcurrency) keys_.Take(use.key, use.cost, now_);
  }
}

void Admission::Move(TaskIndex index, Entry& entry, Place place, KeyNumber key) {
  entry.place = place;
  entry.place_key = key;
  Task& task = tasks_.at(index);
  task.withheld = place != Place::kLetIn;
  if (place == Place::kBehind) return waits_.Change(task, WaitCause::kOrderingKey);
  if (place == Place::kParked) return waits_.Join(task, ParkingOf(key).group);
  matcher_.Push(task.lane, index, entry.keys.fairness, WeightOf(entry.keys.fairness));
  const WaitGroup group = matcher_.GroupOf(task.lane, task.priority, entry.keys.fairness);
  if (group == kNoGroup) return waits_.Change(task, WaitCause::kNoCredit);
  waits_.Join(task, group);
}

void Admission::Park(TaskIndex index, Entry& entry, KeyNumber key) {
  Move(index, entry, Place::kParked, key);
  const Task& task = tasks_.at(index);
  Parking& parking = *FindParking(key);
  if (parking.parked == 0 && parking.elder == kNoTask) {
    Tell(parking, key, /*blocked=*/!HasRoom(entry.keys.uses[UseOf(entry, key)]));
  }
  auto& line = parking.lines[task.lane];
  if (line == nullptr) line = std::make_unique<Line>();
  line->queue.Push(index, tasks_.OrderOf(task), task.priority, entry.keys.fairness,
                   WeightOf(entry.keys.fairness));
  ++parking.parked;
  if (!line->rank.has_value() || line->rank->priority < task.priority) {
    List(parking, key, task.lane, *line);
  }
  Touch(key);
}

void Admission::Unpark(TaskIndex index, Entry& entry) {
  const KeyNumber key = entry.place_key;
  const LaneIndex lane = tasks_.at(index).lane;
  Parking& parking = *FindParking(key);
  Line& line = *parking.lines.at(lane);
  --parking.parked;
  line.queue.NoteGone(tasks_.at(index).priority, entry.keys.fairness,
                      [&](TaskIndex task, TaskKey of) { return IsParked(task, of, key); });
  if (line.queue.empty()) List(parking, key, lane, line);
  Touch(key);  // The one behind it may need less.
  DropIfEmpty(key);
}

void Admission::LeaveLane(TaskIndex index, const Entry& entry) {
  if (entry.place_key == kNoKey) return;
  Parking& parking = *FindParking(entry.place_key);
  if (parking.expected == index) parking.expected = kNoTask;
  const LaneIndex lane = tasks_.at(index).lane;
  Line& line = *parking.lines.at(lane);
  line.let_in = false;
  List(parking, entry.place_key, lane, line);
  Touch(entry.place_key);
  DropIfEmpty(entry.place_key);
}

// ---- Dispatching ----

void Admission::Begin(absl::Duration now) {
  now_ = now;
  while (!alarms_.empty() && alarms_.top_time() <= absl::ToInt64Nanoseconds(now)) {
    const KeyNumber key = alarms_.top();
    StopAlarm(key);
    Touch(key);
  }
  OfferTouched();
}

void Admission::Popped(TaskIndex index) {
  Entry& entry = entries_.at(index);
  entry.place = Place::kNone;
  tasks_.at(index).withheld = true;
  LeaveLane(index, entry);
}

bool Admission::Take(TaskIndex index) {
  Entry& entry = entries_.at(index);
  for (size_t i = 0; i < entry.keys.uses.size(); ++i) {
    const Use& use = entry.keys.uses[i];
    const bool held = (entry.held >> i & 1U) != 0;
    if (held && keys_.MayTakeHeld(use.key, use.cost, now_)) continue;
    const bool has_room = HasRoom(use);
    if (!held && has_room && !MustQueue(index, entry, i)) continue;
    GiveBackTurns(index, entry);
    if (held) {  // Less may be taken by now: it starts anew.
      EndElder(index, entry);
      LineUp(index, entry);
      OfferTouched();
      return false;
    }
    if (!has_room && entry.keys.uses.size() > 1 && ++entry.refusals >= kPatience &&
        BecomesElder(index, entry)) {
      ServeElder(index, entry);
    } else {
      const bool was_let_in_at_once = entry.place_key == kNoKey;
      if (was_let_in_at_once) entry.passed = 0;
      Park(index, entry, use.key);
      FindParking(use.key)->turned_away |= was_let_in_at_once;
    }
    OfferTouched();
    return false;
  }
  for (size_t i = 0; i < entry.keys.uses.size(); ++i) {
    const Use& use = entry.keys.uses[i];
    if ((entry.held >> i & 1U) == 0) {
      keys_.Take(use.key, use.cost, now_);
    } else {
      keys_.TakeHeld(use.key, use.cost, now_);
      Touch(use.key);
    }
  }
  if (IsElder(index)) elders_.erase(NamespaceOf(index));
  entry.held = 0;
  entry.counts = true;
  OfferTouched();
  return true;
}

void Admission::GiveBackTurns(TaskIndex index, const Entry& entry) {
  const Task& task = tasks_.at(index);
  const auto weight_of = [this](FlowNumber flow) { return WeightOf(flow); };
  matcher_.GiveBackTurn(task.lane, task.priority, entry.keys.fairness, weight_of);
  const Parking* const parking = FindParking(entry.place_key);
  if (parking == nullptr) return;
  const auto line = parking->lines.find(task.lane);
  if (line == parking->lines.end()) return;
  line->second->queue.GiveBackTurn(task.priority, entry.keys.fairness, weight_of);
}

// Each task has been the first once, where others wait for what it needs; and higher priorities
// come first whenever they come, also on their way to an executor. Of those that were let in
// because there was enough for all, the first one that finds too little has the others behind it.
bool Admission::MustQueue(TaskIndex index, const Entry& entry, size_t use) const {
  const Parking* const parking = FindParking(entry.keys.uses[use].key);
  if (parking == nullptr) return false;
  if (parking->elder != kNoTask) return true;
  if (parking->turned_away && entry.place_key == kNoKey) return true;
  const int priority = tasks_.at(index).priority;
  if (parking->expected != kNoTask && tasks_.at(parking->expected).priority > priority) return true;
  if (parking->order.empty()) return false;
  return (entry.passed >> use & 1U) == 0 || parking->order.begin()->priority > priority;
}

bool Admission::Rest() {
  for (const KeyNumber key : std::exchange(expecting_, {})) {
    Parking* const parking = FindParking(key);
    if (parking == nullptr || parking->expected == kNoTask) continue;
    parking->expected = kNoTask;
    Touch(key);
  }
  ReviewElders();
  return OfferTouched();
}

absl::Duration Admission::NextWake() const {
  absl::Duration wake = absl::InfiniteDuration();
  if (!alarms_.empty()) wake = absl::Nanoseconds(alarms_.top_time());
  for (const auto& [name_space, elder] : elders_) {
    wake = std::min(wake, elder.has_all_since + kElderPatience);
  }
  return wake;
}

// ---- Parked tasks ----

void Admission::Touch(KeyNumber key) {
  Parking* const parking = FindParking(key);
  if (parking == nullptr || std::exchange(parking->touched, true)) return;
  touched_.push_back(key);
}

bool Admission::OfferTouched() {
  bool any = false;
  while (!touched_.empty()) {
    for (const KeyNumber key : std::exchange(touched_, {})) {
      if (Parking* const parking = FindParking(key)) parking->touched = false;
      any |= Offer(key);
    }
  }
  return any;
}

bool Admission::Offer(KeyNumber key) {
  bool any = false;
  while (Parking* const parking = FindParking(key)) {
    if (const TaskIndex elder = parking->elder; elder != kNoTask) {
      Entry& entry = entries_.at(elder);
      const Use& use = entry.keys.uses[UseOf(entry, key)];
      if (!HasRoom(use)) {
        Block(*parking, use);
        return any;
      }
      parking->elder = kNoTask;
      ServeElder(elder, entry);
      any = true;
      DropIfEmpty(key);
      continue;
    }
    if (parking->expected != kNoTask || parking->order.empty()) {
      Tell(*parking, key, /*blocked=*/false);
      return any;
    }
    const Rank rank = *parking->order.begin();
    Line& line = *parking->lines.at(rank.lane);
    const auto is_parked = [&](TaskIndex task, TaskKey of) { return IsParked(task, of, key); };
    const TaskIndex first = line.queue.Top(is_parked);
    if (first == kNoTask || tasks_.at(first).priority != rank.priority) {  // Others have left.
      List(*parking, key, rank.lane, line);
      DropIfEmpty(key);
      continue;
    }
    Entry& entry = entries_.at(first);
    const size_t use = UseOf(entry, key);
    if (!HasRoom(entry.keys.uses[use])) {
      Block(*parking, entry.keys.uses[use]);
      return any;
    }
    line.queue.Pop(is_parked, [this](FlowNumber flow) { return WeightOf(flow); });
    --parking->parked;
    line.let_in = true;
    List(*parking, key, rank.lane, line);
    entry.passed = static_cast<uint16_t>(entry.passed | 1U << use);
    Move(first, entry, Place::kLetIn, key);
    any = true;
    if (!matcher_.HasSeat(rank.lane)) continue;
    parking->expected = first;
    expecting_.push_back(key);
  }
  return any;
}

void Admission::Tell(const Parking& parking, KeyNumber key, bool blocked) {
  const bool is_rate = keys_.at(key).kind == KeyKind::kRate;
  waits_.SetGroup(parking.group, !blocked  ? WaitCause::kNoCredit
                                 : is_rate ? WaitCause::kRateKey
                                           : WaitCause::kConcurrencyKey);
}

void Admission::Block(const Parking& parking, const Use& use) {
  Tell(parking, use.key, /*blocked=*/true);
  if (keys_.at(use.key).kind != KeyKind::kRate) return;  // Somebody has to end.
  StopAlarm(use.key);
  const absl::Duration at = keys_.at(use.key).bucket.WhenHas(use.cost, now_);
  if (at == absl::InfiniteDuration()) return;  // An elder has to be dispatched, or to give up.
  alarms_.Push(absl::ToInt64Nanoseconds(at), use.key);
}

void Admission::StopAlarm(KeyNumber key) {
  if (!alarm_places_.contains(key)) return;
  alarms_.Remove(key);
  alarm_places_.erase(key);
}

Admission::Parking* Admission::FindParking(KeyNumber key) const {
  if (parkings_.empty()) return nullptr;  // As where no key binds; each use is asked for often.
  const auto parking = parkings_.find(key);
  return parking == parkings_.end() ? nullptr : parking->second.get();
}

Admission::Parking& Admission::ParkingOf(KeyNumber key) {
  auto& parking = parkings_[key];
  if (parking == nullptr) {
    parking = std::make_unique<Parking>();
    parking->group = waits_.AddGroup(WaitCause::kNoCredit);
  }
  return *parking;
}

bool Admission::IsParked(TaskIndex index, TaskKey key, KeyNumber at) const {
  const Task& task = tasks_.at(index);
  if (tasks_.OrderOf(task) != key || !task.queued()) return false;
  const auto entry = entries_.find(index);
  return entry != entries_.end() && entry->second.place == Place::kParked &&
         entry->second.place_key == at;
}

size_t Admission::UseOf(const Entry& entry, KeyNumber key) {
  const auto use = std::ranges::find(entry.keys.uses, key, &Use::key);
  KANTOKU_CHECK(use != entry.keys.uses.end());
  return static_cast<size_t>(use - entry.keys.uses.begin());
}

// Where the line is in the order now; one that nobody can be let in of is in none.
void Admission::List(Parking& parking, KeyNumber key, LaneIndex lane, Line& line) {
  const uint64_t turn = line.rank.has_value() ? line.rank->turn : next_turn_++;
  if (line.rank.has_value()) parking.order.erase(*line.rank);
  line.rank.reset();
  if (line.let_in) return;
  const TaskIndex first =
      line.queue.Top([&](TaskIndex task, TaskKey of) { return IsParked(task, of, key); });
  if (first == kNoTask) {
    parking.lines.erase(lane);
    return;
  }
  line.rank = Rank{tasks_.at(first).priority, turn, lane};
  parking.order.insert(*line.rank);
}

void Admission::DropIfEmpty(KeyNumber key) {
  const Parking* const parking = FindParking(key);
  if (parking == nullptr || !parking->lines.empty() || parking->elder != kNoTask) return;
  waits_.FreeGroup(parking->group);
  parkings_.erase(key);
  StopAlarm(key);
}

// ---- Elders ----

std::string Admission::NamespaceOf(TaskIndex index) const {
  return std::string(matcher_.name_space(tasks_.at(index).lane));
}

bool Admission::IsElder(TaskIndex index) const {
  if (elders_.empty()) return false;
  const auto elder = elders_.find(NamespaceOf(index));
  return elder != elders_.end() && elder->second.task == index;
}

bool Admission::BecomesElder(TaskIndex index, Entry& entry) {
  entry.refusals = 0;
  return elders_.try_emplace(NamespaceOf(index), Elder{index, absl::InfiniteDuration()}).second;
}

size_t Admission::NextToHold(const Entry& entry) const {
  size_t next = entry.keys.uses.size();
  double longest = -1;
  for (size_t i = 0; i < entry.keys.uses.size(); ++i) {
    if ((entry.held >> i & 1U) != 0) continue;
    const Use& use = entry.keys.uses[i];
    const KeyTable::Key& key = keys_.at(use.key);
    if (key.kind == KeyKind::kConcurrency) return i;
    const double seconds = key.bucket.rate().SecondsFor(use.cost);
    if (seconds <= longest) continue;
    next = i;
    longest = seconds;
  }
  return next;
}

void Admission::ServeElder(TaskIndex index, Entry& entry) {
  for (size_t i = NextToHold(entry); i < entry.keys.uses.size(); i = NextToHold(entry)) {
    const Use& use = entry.keys.uses[i];
    if (!HasRoom(use)) {
      Move(index, entry, Place::kParked, use.key);
      FindParking(use.key)->elder = index;
      return Touch(use.key);
    }
    keys_.Hold(use.key, use.cost, now_);
    entry.held = static_cast<uint16_t>(entry.held | 1U << i);
  }
  elders_.at(NamespaceOf(index)).has_all_since = now_;
  Move(index, entry, Place::kLetIn, kNoKey);
}

// What it has is free again.
void Admission::EndElder(TaskIndex index, Entry& entry) {
  elders_.erase(NamespaceOf(index));
  for (size_t i = 0; i < entry.keys.uses.size(); ++i) {
    const Use& use = entry.keys.uses[i];
    if ((entry.held >> i & 1U) != 0) {
      keys_.Release(use.key, use.cost, now_);
      Touch(use.key);
    }
    Parking* const parking = FindParking(use.key);
    if (parking == nullptr || parking->elder != index) continue;
    parking->elder = kNoTask;
    Touch(use.key);
    DropIfEmpty(use.key);
  }
  entry.held = 0;
}

// Nobody can be matched: of those that have all they need, no executor has room.
void Admission::ReviewElders() {
  std::vector<TaskIndex> over;
  for (const auto& [name_space, elder] : elders_) {
    const LaneIndex lane = tasks_.at(elder.task).lane;
    if (waits_.CauseOfLane(lane) != WaitCause::kNoCredit ||
        now_ >= elder.has_all_since + kElderPatience) {
      over.push_back(elder.task);
    }
  }
  for (const TaskIndex index : over) {
    Entry& entry = entries_.at(index);
    Task& task = tasks_.at(index);
    const bool let_in = std::exchange(entry.place, Place::kNone) == Place::kLetIn;
    task.withheld = true;
    if (let_in) matcher_.Gone(task.lane, task.priority, entry.keys.fairness);
    EndElder(index, entry);
    LineUp(index, entry);
  }
}

}  // namespace kantoku::inputs
