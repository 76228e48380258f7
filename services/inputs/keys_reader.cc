#include "services/inputs/keys_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/ready_queue.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/audit/why.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/received.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

using platform::ToAbsl;

namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxReason = 256;
constexpr int kMaxKeys = 8;
constexpr int kMaxItems = 1'000;
constexpr uint32_t kMost = 1'000'000;
constexpr absl::Duration kLeastPeriod = absl::Milliseconds(1);
constexpr absl::Duration kMostPeriod = absl::Hours(24);

absl::Status Bad(std::string_view reason, std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

// Printable; what is no UTF-8 at all has been refused before.
absl::Status CheckText(std::string_view field, std::string_view text, size_t most) {
  if (text.size() > most) {
    return Bad("TOO_LONG",
               absl::StrCat(ToAbsl(field), ": ", text.size(), " bytes exceed the limit of ", most));
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) continue;
    return Bad("BAD_KEY", absl::StrCat(ToAbsl(field), ": \"", absl::CHexEscape(ToAbsl(text)),
                                       "\" has a character that cannot be printed"));
  }
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view field, std::string_view name) {
  if (name.empty()) return Bad("EMPTY_KEY", absl::StrCat(ToAbsl(field), ": is empty"));
  return CheckText(field, name, kMaxName);
}

// The field is that of a message that is a field itself, or of none.
absl::Status CheckNumber(std::string_view message, std::string_view field, uint32_t number,
                         uint32_t least, uint32_t most) {
  if (number >= least && number <= most) return absl::OkStatus();
  return Bad("OUT_OF_RANGE",
             absl::StrCat(ToAbsl(message), message.empty() ? "" : ".", ToAbsl(field), ": ", number,
                          " is not from ", least, " to ", most));
}

absl::Status ReadScope(std::string_view field, task::v1::KeyScope proto, KeyScope& scope) {
  if (!task::v1::KeyScope_IsValid(proto)) {
    return Bad("BAD_SCOPE", absl::StrCat(ToAbsl(field), ": ", static_cast<int>(proto),
                                         " is none that this server knows"));
  }
  if (proto != task::v1::KEY_SCOPE_UNSPECIFIED) scope = static_cast<KeyScope>(proto);
  return absl::OkStatus();
}

absl::Status ReadRate(std::string_view field, const task::v1::Rate& proto, Rate& rate) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(CheckNumber(field, "tokens", proto.tokens(), 1, kMost));
  KANTOKU_RETURN_IF_ERROR(CheckNumber(field, "burst", proto.burst(), 0, kMost));
  rate.tokens = proto.tokens();
  rate.burst = proto.burst() > 0 ? proto.burst() : proto.tokens();
  if (!proto.has_period()) return absl::OkStatus();
  const absl::Duration period = platform::FromProto(proto.period());
  const bool sound = std::abs(int64_t{proto.period().nanos()}) < 1'000'000'000;
  if (!sound || period < kLeastPeriod || period > kMostPeriod ||
      period % absl::Milliseconds(1) != absl::ZeroDuration()) {
    return Bad("OUT_OF_RANGE",
               absl::StrCat(ToAbsl(field), ".period: ", absl::FormatDuration(period),
                            " is not from 1 ms to 24 h in whole milliseconds"));
  }
  rate.period_ms = static_cast<uint32_t>(absl::ToInt64Milliseconds(period));
  return absl::OkStatus();
}

// Sorted, and each once.
template <typename Key>
absl::Status Sort(std::string_view field, std::vector<Key>& keys) {
  const auto name = [](const Key& key) { return std::pair(key.scope, std::string_view(key.name)); };
  std::ranges::sort(keys, {}, name);
  const auto twice = std::ranges::adjacent_find(keys, {}, name);
  if (twice == keys.end()) return absl::OkStatus();
  return Bad("NAMED_TWICE", absl::StrCat(ToAbsl(field), ": \"", twice->name, "\" is there twice"));
}

absl::Status CheckCount(std::string_view field, int count) {
  if (count <= kMaxKeys) return absl::OkStatus();
  return Bad("TOO_MANY_KEYS",
             absl::StrCat(ToAbsl(field), ": ", count, " exceed the limit of ", kMaxKeys));
}

absl::Status ReadConcurrency(const task::v1::TaskSpec& spec, TaskKeys& keys) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("concurrency_keys", spec.concurrency_keys_size()));
  for (const task::v1::ConcurrencyKey& proto : spec.concurrency_keys()) {
    KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
    KANTOKU_RETURN_IF_ERROR(CheckName("concurrency_keys.name", proto.name()));
    KANTOKU_RETURN_IF_ERROR(CheckNumber("concurrency_keys", "limit", proto.limit(), 0, kMost));
    TaskKeys::Concurrency& key = keys.concurrency.emplace_back();
    key.name = proto.name();
    key.limit = proto.limit();
    KANTOKU_RETURN_IF_ERROR(ReadScope("concurrency_keys.scope", proto.scope(), key.scope));
  }
  return Sort("concurrency_keys", keys.concurrency);
}

absl::Status ReadRates(const task::v1::TaskSpec& spec, TaskKeys& keys) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("rate_keys", spec.rate_keys_size()));
  for (const task::v1::RateKey& proto : spec.rate_keys()) {
    KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
    KANTOKU_RETURN_IF_ERROR(CheckName("rate_keys.name", proto.name()));
    KANTOKU_RETURN_IF_ERROR(CheckNumber("rate_keys", "cost", proto.cost(), 0, kMost));
    TaskKeys::Throttle& key = keys.rates.emplace_back();
    key.name = proto.name();
    key.cost = std::max(proto.cost(), 1U);
    KANTOKU_RETURN_IF_ERROR(ReadScope("rate_keys.scope", proto.scope(), key.scope));
    if (!proto.has_rate()) continue;
    KANTOKU_RETURN_IF_ERROR(ReadRate("rate_keys.rate", proto.rate(), key.rate));
    // The key stays until its bucket is full: else it could be forgotten, and made anew, in
    // between.
    if (!key.rate.FillsWithin(absl::ToInt64Milliseconds(kMostPeriod))) {
      return Bad("OUT_OF_RANGE",
                 absl::StrCat("rate_keys.rate.burst: \"", key.name, "\" would take more than ",
                              "24 h to fill; such a rate is to be set as a limit"));
    }
    if (key.cost <= key.rate.burst) continue;
    return Bad("COST_EXCEEDS_BURST",
               absl::StrCat("rate_keys.cost: ", key.cost, " of \"", key.name,
                            "\" exceeds the burst of its rate, ", key.rate.burst));
  }
  return Sort("rate_keys", keys.rates);
}

absl::Status ReadFairness(const task::v1::TaskSpec& spec, TaskKeys& keys) {
  if (!spec.has_fairness_key()) return absl::OkStatus();
  const task::v1::FairnessKey& proto = spec.fairness_key();
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(CheckName("fairness_key.name", proto.name()));
  KANTOKU_RETURN_IF_ERROR(
      CheckNumber("fairness_key", "weight", proto.weight(), 0, ReadyQueue::kMostWeight));
  keys.fairness = proto.name();
  keys.weight = proto.weight();
  return absl::OkStatus();
}

absl::Status ReadName(const v1::LimitName& proto, KeyName& name) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  if (proto.kind() == v1::LIMIT_KIND_UNSPECIFIED || !v1::LimitKind_IsValid(proto.kind())) {
    return Bad("BAD_KIND", absl::StrCat("name.kind: ", static_cast<int>(proto.kind()),
                                        " is none that this server knows"));
  }
  KANTOKU_RETURN_IF_ERROR(CheckName("name.key", proto.key()));
  KANTOKU_RETURN_IF_ERROR(ReadScope("name.scope", proto.scope(), name.scope));
  name.kind = static_cast<KeyKind>(proto.kind());
  name.key = proto.key();
  name.of = proto.of();
  if (name.kind == KeyKind::kFairness && name.scope != KeyScope::kNamespace) {
    return Bad("CONTRADICTION", "name.scope: a weight has that of the namespace alone");
  }
  if (name.scope == KeyScope::kType) return CheckType("name.of", name.of);
  if (name.scope == KeyScope::kOwner) return CheckName("name.of", name.of);
  return name.of.empty() ? absl::OkStatus()
                         : Bad("CONTRADICTION", "name.of: goes with the scope TYPE or OWNER");
}

absl::Status ReadLimit(const v1::Limit& proto, KeyName& name, LimitValue& value) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(ReadName(proto.name(), name));
  const auto check_absent = [&](std::string_view field, bool there, KeyKind kind) {
    if (!there || name.kind == kind) return absl::OkStatus();
    return Bad("CONTRADICTION", absl::StrCat(ToAbsl(field), ": does not go with the kind"));
  };
  KANTOKU_RETURN_IF_ERROR(
      check_absent("max_running", proto.max_running() != 0, KeyKind::kConcurrency));
  KANTOKU_RETURN_IF_ERROR(check_absent("rate", proto.has_rate(), KeyKind::kRate));
  KANTOKU_RETURN_IF_ERROR(check_absent("weight", proto.weight() != 0, KeyKind::kFairness));
  if (name.kind == KeyKind::kRate) return ReadRate("rate", proto.rate(), value.rate);
  const bool is_weight = name.kind == KeyKind::kFairness;
  value.number = is_weight ? proto.weight() : proto.max_running();
  return CheckNumber("", is_weight ? "weight" : "max_running", value.number, 1,
                     is_weight ? ReadyQueue::kMostWeight : kMost);
}

void SetRate(const Rate& rate, task::v1::Rate& proto) {
  proto.set_tokens(rate.tokens);
  *proto.mutable_period() = platform::ToProto(absl::Milliseconds(rate.period_ms));
  proto.set_burst(rate.burst);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TaskKeys>> ReadKeys(const task::v1::TaskSpec& spec) {
  if (spec.ordering_key().empty() && !spec.has_fairness_key() && spec.concurrency_keys().empty() &&
      spec.rate_keys().empty()) {
    return std::shared_ptr<const TaskKeys>();
  }
  auto keys = std::make_shared<TaskKeys>();
  KANTOKU_RETURN_IF_ERROR(CheckText("ordering_key", spec.ordering_key(), kMaxName));
  keys->ordering = spec.ordering_key();
  KANTOKU_RETURN_IF_ERROR(ReadFairness(spec, *keys));
  KANTOKU_RETURN_IF_ERROR(ReadConcurrency(spec, *keys));
  KANTOKU_RETURN_IF_ERROR(ReadRates(spec, *keys));
  return std::shared_ptr<const TaskKeys>(std::move(keys));
}

absl::StatusOr<LimitsCommand> ReadLimits(const v1::SetLimitsRequest& request,
                                         std::string name_space) {
  const int items = request.set_size() + request.remove_size();
  if (items < 1 || items > kMaxItems) {
    return Bad("BAD_BATCH_SIZE", absl::StrCat("set, remove: ", items, " are not 1 to ", kMaxItems));
  }
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  LimitsCommand command{.name_space = std::move(name_space), .why = request.why()};
  for (const v1::Limit& proto : request.set()) {
    auto& item = command.set.emplace_back();
    item.status = ReadLimit(proto, item.name, item.value);
  }
  for (const v1::LimitName& proto : request.remove()) {
    auto& item = command.remove.emplace_back();
    item.status = ReadName(proto, item.name);
  }
  return command;
}

absl::StatusOr<PauseCommand> ReadPause(const v1::SetPauseRequest& request, std::string name_space) {
  if (!request.type().empty()) KANTOKU_RETURN_IF_ERROR(CheckType("type", request.type()));
  KANTOKU_RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxReason));
  if (!request.paused() && !request.reason().empty()) {
    return Bad("CONTRADICTION", "reason: goes with a pause alone");
  }
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  return PauseCommand{.name_space = std::move(name_space),
                      .type = request.type(),
                      .paused = request.paused(),
                      .reason = request.reason(),
                      .why = request.why()};
}

void SetKeys(const TaskKeys& keys, task::v1::TaskInfo& proto) {
  proto.set_ordering_key(keys.ordering);
  if (!keys.fairness.empty()) {
    proto.mutable_fairness_key()->set_name(keys.fairness);
    proto.mutable_fairness_key()->set_weight(keys.weight);
  }
  for (const TaskKeys::Concurrency& key : keys.concurrency) {
    task::v1::ConcurrencyKey& added = *proto.add_concurrency_keys();
    added.set_name(key.name);
    added.set_scope(static_cast<task::v1::KeyScope>(key.scope));
    added.set_limit(key.limit);
  }
  for (const TaskKeys::Throttle& key : keys.rates) {
    task::v1::RateKey& added = *proto.add_rate_keys();
    added.set_name(key.name);
    added.set_scope(static_cast<task::v1::KeyScope>(key.scope));
    added.set_cost(key.cost);
    if (!key.rate.empty()) SetRate(key.rate, *added.mutable_rate());
  }
}

void SetLimitInfo(const LimitView& view, v1::LimitInfo& proto) {
  v1::Limit& limit = *proto.mutable_limit();
  limit.mutable_name()->set_kind(static_cast<v1::LimitKind>(view.name.kind));
  limit.mutable_name()->set_key(view.name.key);
  limit.mutable_name()->set_scope(static_cast<task::v1::KeyScope>(view.name.scope));
  limit.mutable_name()->set_of(view.name.of);
  switch (view.name.kind) {
    case KeyKind::kConcurrency:
      limit.set_max_running(view.value.number);
      break;
    case KeyKind::kRate:
      SetRate(view.value.rate, *limit.mutable_rate());
      break;
    case KeyKind::kFairness:
      limit.set_weight(view.value.number);
      break;
    case KeyKind::kOrdering:
      break;
  }
  proto.set_transient(view.transient);
  proto.set_tasks(view.tasks);
  proto.set_waiting(view.waiting);
  proto.set_running(view.running);
  proto.set_tokens(view.tokens);
}

}  // namespace kantoku::inputs
