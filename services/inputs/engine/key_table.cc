#include "services/inputs/engine/key_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// Most fit in it.
using Code = absl::InlinedVector<char, 96>;

// Namespace, kind, scope, whose, key: such that keys of a namespace are in the order of their
// names. None of these has a zero byte in it.
Code CodeOf(std::string_view name_space, const KeyView& name) {
  const std::array<char, 3> middle = {'\0', static_cast<char>(name.kind),
                                      static_cast<char>(name.scope)};
  const std::array<std::string_view, 5> parts = {
      name_space, {middle.data(), middle.size()}, name.of, {"\0", 1}, name.key};
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  Code code(size);
  char* to = code.data();
  for (const std::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
  return code;
}

std::string_view TextOf(const Code& code) { return {code.data(), code.size()}; }

}  // namespace

KeyTable::KeyTable() {
  keys_.resize(1);
  uses_.Use(uses_.Add());  // kNoKey is none.
}

KeyNumber KeyTable::Find(std::string_view name_space, const KeyView& name) const {
  const Code code = CodeOf(name_space, name);
  const auto found = numbers_.find(TextOf(code));
  return found == numbers_.end() ? kNoKey : found->second;
}

KeyNumber KeyTable::Intern(std::string_view name_space, const KeyView& name) {
  const Code code = CodeOf(name_space, name);
  const auto known = numbers_.find(TextOf(code));
  if (known != numbers_.end()) return known->second;
  const KeyNumber number = uses_.Add();
  const auto [entry, added] = codes_.emplace(TextOf(code), number);
  numbers_.emplace(entry->first, number);
  if (number == keys_.size()) keys_.emplace_back();
  keys_[number].kind = name.kind;
  keys_[number].code = &entry->first;
  keys_[number].name_space = &*name_spaces_.try_emplace(platform::ToAbsl(name_space)).first;
  ++keys_[number].name_space->second.keys;
  return number;
}

void KeyTable::Use(KeyNumber key) {
  if (uses_.Use(key)) ++keys_[key].name_space->second.used;
}

void KeyTable::Unuse(KeyNumber key) {
  if (uses_.Leave(key)) --keys_[key].name_space->second.used;
}

void KeyTable::Join(KeyNumber key, uint32_t cost) {
  Use(key);
  ++keys_[key].tasks;
  keys_[key].wanted += cost;
}

void KeyTable::Leave(KeyNumber key, uint32_t cost) {
  keys_[key].wanted -= cost;
  if (--keys_[key].tasks == 0 && keys_[key].transient) ListIdle(key);
  Unuse(key);
}

void KeyTable::ListIdle(KeyNumber key) {
  if (std::exchange(keys_[key].idle, true)) return;
  idle_.push_back(key);
}

void KeyTable::Set(KeyNumber number, const LimitValue& value, bool transient, uint64_t record,
                   absl::Duration now) {
  Key& key = keys_[number];
  const bool known = std::exchange(key.set, true);
  if (!known) Use(number);
  key.transient = transient;
  key.record = record;
  const bool lowered = known && value.number < key.number;
  if (!lowered || !KANTOKU_PLANTED("lowered limit not heeded")) key.number = value.number;
  if (key.kind == KeyKind::kRate) {
    key.bucket.SetRate(value.rate, now);
    if (!known) key.bucket.Fill(now);
  }
  if (transient && key.tasks == 0) ListIdle(number);
}

void KeyTable::Unset(KeyNumber number) {
  Key& key = keys_[number];
  key.set = false;
  key.transient = false;
  key.number = 0;
  key.record = 0;
  key.bucket = {};
  Unuse(number);
}

bool KeyTable::HasRoom(KeyNumber number, uint32_t cost, absl::Duration now) const {
  const Key& key = keys_[number];
  if (!key.set) return true;
  return key.kind == KeyKind::kRate ? key.bucket.Has(cost, now) : key.running < key.number;
}

bool KeyTable::IsAmple(KeyNumber number, absl::Duration now) const {
  const Key& key = keys_[number];
  if (!key.set) return true;
  return key.kind == KeyKind::kRate ? key.bucket.HasAll(key.wanted, now) : key.wanted <= key.number;
}

void KeyTable::Take(KeyNumber number, uint32_t cost, absl::Duration now) {
  Key& key = keys_[number];
  if (key.kind == KeyKind::kRate) {
    key.bucket.Take(cost, now);
  } else {
    ++key.running;
  }
}

void KeyTable::Hold(KeyNumber number, uint32_t cost, absl::Duration now) {
  Key& key = keys_[number];
  if (key.kind == KeyKind::kRate) {
    key.bucket.Hold(cost, now);
  } else {
    ++key.running;
  }
}

bool KeyTable::MayTakeHeld(KeyNumber number, uint32_t cost, absl::Duration now) const {
  const Key& key = keys_[number];
  if (!key.set) return true;
  return key.kind == KeyKind::kRate ? key.bucket.HasHeld(cost, now) : key.running <= key.number;
}

void KeyTable::TakeHeld(KeyNumber number, uint32_t cost, absl::Duration now) {
  Key& key = keys_[number];
  if (key.kind == KeyKind::kRate) key.bucket.TakeHeld(cost, now);
}

void KeyTable::Release(KeyNumber number, uint32_t cost, absl::Duration now) {
  Key& key = keys_[number];
  if (key.kind == KeyKind::kRate) key.bucket.Release(cost, now);
  Free(number);
}

void KeyTable::DrainBuckets(absl::Duration now) {
  for (Key& key : keys_) key.bucket.Drain(now);
}

void KeyTable::FreeUnused(size_t keep) {
  uses_.FreeUnused(keep, [this](KeyNumber number) {
    numbers_.erase(*keys_[number].code);
    codes_.erase(*keys_[number].code);
    NameSpaces::value_type& name_space = *keys_[number].name_space;
    if (--name_space.second.keys == 0) name_spaces_.erase(std::string(name_space.first));
    const bool idle = keys_[number].idle;  // It stays in the list until that comes to it.
    keys_[number] = {};
    keys_[number].idle = idle;
  });
}

KeyName KeyTable::NameOf(KeyNumber key) const {
  const std::string_view code = *keys_[key].code;
  const size_t kind = code.find('\0') + 1;
  const size_t end = code.find('\0', kind + 2);
  return {.kind = static_cast<KeyKind>(code[kind]),
          .scope = static_cast<KeyScope>(code[kind + 1]),
          .of = std::string(code.substr(kind + 2, end - kind - 2)),
          .key = std::string(code.substr(end + 1))};
}

LimitValue KeyTable::ValueOf(KeyNumber key) const {
  return {keys_[key].number, keys_[key].bucket.rate()};
}

size_t KeyTable::used(std::string_view name_space) const {
  const auto counts = name_spaces_.find(platform::ToAbsl(name_space));
  return counts == name_spaces_.end() ? 0 : counts->second.used;
}

std::vector<KeyNumber> KeyTable::List(std::string_view name_space, size_t limit, size_t budget,
                                      std::optional<std::string>& from) const {
  const std::string first = std::string(name_space) + '\0';
  auto entry = from.has_value() ? codes_.upper_bound(first + *from) : codes_.lower_bound(first);
  std::vector<KeyNumber> keys;
  from.reset();
  for (; entry != codes_.end() && entry->first.starts_with(first); ++entry) {
    if (keys.size() == limit || budget-- == 0) {
      from = std::prev(entry)->first.substr(first.size());
      break;
    }
    if (keys_[entry->second].set) keys.push_back(entry->second);
  }
  return keys;
}

}  // namespace kantoku::inputs
