#include "services/inputs/spec_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/dependency_reader.h"
#include "services/inputs/digest.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/keys_reader.h"
#include "services/inputs/partition/admission_codec.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/placement_reader.h"
#include "services/inputs/task_token_rules.h"
#include "services/platform/byte_io.h"
#include "services/platform/planted.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

using platform::ToAbsl;

namespace {

// What handlers may spawn is told with each dispatch: who may spawn so many types by name lets them
// spawn nothing.
constexpr size_t kMaxSpawnScope = 1'024;
constexpr char kNothing[] = "-";
constexpr size_t kMaxName = 255;
constexpr std::string_view kSpecs = "specs";
constexpr std::string_view kMarks = "._-/:";
constexpr absl::Duration kMaxDelay = absl::Hours(24 * 366);
constexpr absl::Duration kMaxTotal = absl::Hours(24 * 732);
constexpr absl::Duration kMaxRetention = absl::Hours(24 * 30);
static_assert(kMaxRetention <= absl::Seconds(Task::kMostRetention));
constexpr uint32_t kMaxAttempts = 1'000;
static_assert(kMaxAttempts <= Task::kMostFailedAttempts);
constexpr int kMaxReasons = 16;
constexpr size_t kMaxReason = 63;

absl::Status Bad(std::string_view reason, std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status TooLong(std::string_view field, size_t size, size_t limit) {
  return Bad("TOO_LONG",
             absl::StrCat(ToAbsl(field), ": ", size, " bytes exceed the limit of ", limit));
}

// Printable; what is no UTF-8 at all has been refused before.
absl::Status CheckName(std::string_view field, std::string_view name, std::string_view reason) {
  if (name.size() > kMaxName) return TooLong(field, name.size(), kMaxName);
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) continue;
    return Bad(reason, absl::StrCat(ToAbsl(field), ": \"", absl::CHexEscape(ToAbsl(name)),
                                    "\" has a character that cannot be printed"));
  }
  return absl::OkStatus();
}

// Null when there is none.
absl::Status ReadInfo(const task::v1::TaskSpec& proto, TaskSpec& spec) {
  KANTOKU_RETURN_IF_ERROR(CheckContext("context_id", proto.context_id()));
  if (proto.info().empty() && proto.context_id().empty()) return absl::OkStatus();
  if (proto.info().size() > kMaxInfoEntries) {
    return Bad(kLabelLimit, absl::StrCat("info: ", proto.info().size(),
                                         " entries exceed the limit of ", kMaxInfoEntries));
  }
  std::vector<Label> entries;
  for (const auto& [name, value] : proto.info()) entries.push_back({name, value});
  auto labels = MakeInfo(std::move(entries));
  if (!labels.ok()) return platform::Annotate(labels.status(), "info");
  spec.info = std::make_shared<const Info>(Info{proto.context_id(), *std::move(labels)});
  return absl::OkStatus();
}

uint64_t HashOf(const Labels& labels) {
  std::string bytes;
  for (const Label& label : labels) {
    absl::StrAppend(&bytes, label.name, "=", label.value, "\n");  // No value holds an end of line.
  }
  return bytes.empty() ? 0 : DigestOf(bytes).high;
}

// A proto duration in milliseconds, within [least, most], which the type holds.
template <typename Millis>
absl::Status ReadMillis(std::string_view field, const google::protobuf::Duration& duration,
                        absl::Duration least, absl::Duration most, Millis& millis) {
  const absl::Duration value = platform::FromProto(duration);
  const bool sound = std::abs(int64_t{duration.nanos()}) < 1'000'000'000;
  if (!sound || value < least || value > most) {
    return Bad("OUT_OF_RANGE",
               absl::StrCat(ToAbsl(field), ": ", absl::FormatDuration(value), " is not from ",
                            absl::FormatDuration(least), " to ", absl::FormatDuration(most)));
  }
  millis = static_cast<Millis>(absl::ToInt64Milliseconds(absl::Ceil(value, absl::Milliseconds(1))));
  return absl::OkStatus();
}

absl::Status ReadReasons(const google::protobuf::RepeatedPtrField<std::string>& protos,
                         std::vector<std::string>& reasons) {
  if (protos.size() > kMaxReasons) {
    return Bad("OUT_OF_RANGE", absl::StrCat("retry.non_retryable_reasons: ", protos.size(),
                                            " exceed the limit of ", kMaxReasons));
  }
  for (const std::string& reason : protos) {
    const bool known = std::ranges::all_of(reason, [](unsigned char c) {
      return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == '_';
    });
    if (reason.empty() || reason.size() > kMaxReason || !known) {
      return Bad("BAD_REASON",
                 absl::StrCat("retry.non_retryable_reasons: \"", absl::CHexEscape(reason),
                              "\" is not 1 to ", kMaxReason, " of A to Z, 0 to 9 and _"));
    }
  }
  reasons.assign(protos.begin(), protos.end());
  std::ranges::sort(reasons);
  reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
  return absl::OkStatus();
}

absl::Status ReadRetry(const task::v1::RetryPolicy& proto, RetryPolicy& retry) {
  constexpr absl::Duration kMost = absl::Hours(24);
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  if (proto.max_attempts() > kMaxAttempts) {
    return Bad("OUT_OF_RANGE", absl::StrCat("retry.max_attempts: ", proto.max_attempts(),
                                            " is not from 1 to ", kMaxAttempts));
  }
  if (proto.max_attempts() > 0) retry.max_attempts = proto.max_attempts();
  if (proto.has_initial_backoff()) {
    KANTOKU_RETURN_IF_ERROR(ReadMillis("retry.initial_backoff", proto.initial_backoff(),
                                       absl::ZeroDuration(), kMost, retry.initial_backoff_ms));
    retry.max_backoff_ms = std::max(retry.max_backoff_ms, retry.initial_backoff_ms);
  }
  if (proto.has_max_backoff()) {
    KANTOKU_RETURN_IF_ERROR(ReadMillis("retry.max_backoff", proto.max_backoff(),
                                       absl::Milliseconds(retry.initial_backoff_ms), kMost,
                                       retry.max_backoff_ms));
  }
  if (proto.multiplier() != 0) {
    if (!(proto.multiplier() >= 1 && proto.multiplier() <= 100)) {
      return Bad("OUT_OF_RANGE",
                 absl::StrCat("retry.multiplier: ", proto.multiplier(), " is not from 1 to 100"));
    }
    retry.multiplier = static_cast<float>(proto.multiplier());
  }
  if (proto.has_jitter()) {
    if (!(proto.jitter() >= 0 && proto.jitter() <= 1)) {
      return Bad("OUT_OF_RANGE",
                 absl::StrCat("retry.jitter: ", proto.jitter(), " is not from 0 to 1"));
    }
    retry.jitter = static_cast<float>(proto.jitter());
  }
  return ReadReasons(proto.non_retryable_reasons(), retry.non_retryable);
}

// The effect, and the attempts that go with it.
absl::Status ReadEffect(const task::v1::TaskSpec& proto, TaskSpec& spec) {
  if (!task::v1::Effect_IsValid(proto.effect())) {
    return Bad("BAD_EFFECT", absl::StrCat("effect: ", proto.effect(), " is none"));
  }
  if (proto.effect() != task::v1::EFFECT_UNSPECIFIED) {
    spec.effect = static_cast<Effect>(proto.effect());
  }
  if (spec.effect != Effect::kOnce) return absl::OkStatus();
  if (proto.has_retry()) {
    return Bad("CONTRADICTION", "retry: a task of effect ONCE has one attempt and no retries");
  }
  spec.retry = {.max_attempts = 1};
  return absl::OkStatus();
}

// Once effect and dependencies are read.
absl::Status ReadReuse(const task::v1::TaskSpec& proto, TaskSpec& spec) {
  if (!proto.has_reuse_within()) return absl::OkStatus();
  KANTOKU_RETURN_IF_ERROR(ReadMillis("reuse_within", proto.reuse_within(), absl::Milliseconds(1),
                                     absl::Hours(24 * 30), spec.reuse_within_ms));
  const auto contradicts = [&](const auto&... what) {
    const absl::Duration asked = absl::Milliseconds(spec.reuse_within_ms);
    return Bad("CONTRADICTION",
               absl::StrCat("reuse_within: ", absl::FormatDuration(asked), what...));
  };
  if (spec.effect != Effect::kPure) return contradicts(" goes with effect PURE alone");
  const auto argument = std::ranges::find(spec.dependencies, true, &Dependency::argument);
  if (argument == spec.dependencies.end()) return absl::OkStatus();
  return contradicts(" does not go with an argument, which dependencies[",
                     argument - spec.dependencies.begin(), "] is: tasks are equal by payload");
}

// As it was asked for, also when it has passed: a repeat of the call must look the same.
absl::StatusOr<absl::Time> ReadTime(std::string_view name, const google::protobuf::Timestamp& field,
                                    absl::Time now) {
  const absl::Time time = platform::FromProto(field);
  if (time > now + kMaxDelay || field.nanos() < 0 || field.nanos() >= 1'000'000'000) {
    return Bad("OUT_OF_RANGE", absl::StrCat(ToAbsl(name), ": ", absl::FormatTime(time),
                                            " is more than a year ahead or malformed"));
  }
  return std::max(time, absl::UnixEpoch());
}

// Records keep whole milliseconds. Nothing begins before its time for that, or when it has expired.
absl::Time RoundUp(absl::Time time) {
  return absl::UnixEpoch() + absl::Ceil(time - absl::UnixEpoch(), absl::Milliseconds(1));
}
absl::Time RoundDown(absl::Time time) {
  return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), absl::Milliseconds(1));
}

// Once not_before is read.
absl::Status ReadDeadlines(const task::v1::TaskSpec& proto, absl::Time now, TaskSpec& spec) {
  if (proto.has_total_timeout()) {
    KANTOKU_RETURN_IF_ERROR(ReadMillis("total_timeout", proto.total_timeout(),
                                       absl::Milliseconds(1), kMaxTotal, spec.total_timeout_ms));
  }
  if (!proto.has_expire_at()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(const absl::Time expire_at,
                           ReadTime("expire_at", proto.expire_at(), now));
  spec.expire_at = RoundDown(expire_at);
  const absl::Time not_before = platform::FromProto(proto.not_before());
  if (!proto.has_not_before() || not_before <= expire_at) return absl::OkStatus();
  return Bad("CONTRADICTION",
             absl::StrCat("expire_at: ", absl::FormatTime(expire_at), " is before not_before, ",
                          absl::FormatTime(not_before)));
}

absl::Status ReadTimes(const task::v1::TaskSpec& proto, absl::Time now, TaskSpec& spec) {
  if (proto.has_not_before()) {
    KANTOKU_ASSIGN_OR_RETURN(const absl::Time not_before,
                             ReadTime("not_before", proto.not_before(), now));
    spec.not_before = RoundUp(not_before);
  }
  KANTOKU_RETURN_IF_ERROR(ReadDeadlines(proto, now, spec));
  if (proto.has_timeout()) {
    if (proto.no_timeout()) return Bad("CONTRADICTION", "no_timeout: stands beside a timeout");
    KANTOKU_RETURN_IF_ERROR(ReadMillis("timeout", proto.timeout(), absl::Milliseconds(1),
                                       absl::Hours(24 * 30), spec.timeout_ms));
  } else if (proto.no_timeout()) {
    spec.timeout_ms = kNoTimeout;
  }
  if (proto.has_result_retention()) {
    uint32_t millis = 0;
    KANTOKU_RETURN_IF_ERROR(ReadMillis("result_retention", proto.result_retention(),
                                       absl::Seconds(1), kMaxRetention, millis));
    spec.retention_s = (millis + 999) / 1'000;
  }
  return absl::OkStatus();
}

// A child that names its tree alone has no place in it.
absl::Status ReadKin(const task::v1::TaskSpec& proto, TaskSpec& spec) {
  const auto read = [](std::string_view field, const std::string& bytes, TaskId& id) {
    if (bytes.empty()) return absl::OkStatus();
    auto read = TaskId::FromBytes(bytes);
    if (read.ok()) id = *read;
    return read.ok() ? absl::OkStatus() : platform::Annotate(read.status(), field);
  };
  KANTOKU_RETURN_IF_ERROR(read("parent_id", proto.parent_id(), spec.parent));
  KANTOKU_RETURN_IF_ERROR(read("root_id", proto.root_id(), spec.root));
  if (!spec.root.empty() && spec.parent.empty()) {
    return Bad("CONTRADICTION", "root_id: goes with a parent_id, which is empty");
  }
  return absl::OkStatus();
}

// What a repeated reference is compared by. `not_before` counts as it was asked for.
SpecHashes HashesOf(const task::v1::TaskSpec& proto, const TaskSpec& spec) {
  const auto hash = [](std::string_view bytes) { return DigestOf(bytes).high; };
  const auto hash_time = [&](const google::protobuf::Timestamp& time) {
    return hash(absl::StrCat(time.seconds(), ".", time.nanos()));
  };
  // As it was asked for: the single attempt of ONCE is part of the effect.
  const RetryPolicy asked = proto.has_retry() ? spec.retry : RetryPolicy();
  std::string retry = absl::StrCat(asked.max_attempts, " ", asked.initial_backoff_ms, " ",
                                   asked.max_backoff_ms, " ", asked.multiplier, " ", asked.jitter);
  for (const std::string& reason : asked.non_retryable) absl::StrAppend(&retry, " ", reason);
  const TaskKeys keys = spec.keys == nullptr ? TaskKeys() : *spec.keys;
  const auto hash_part = [&](const TaskKeys& part) {
    return part.empty() ? 0 : hash(EncodeKeys(part));
  };
  // 0 for what was before there were effects, placements, keys and deadlines: recorded hashes stay
  // comparable.
  const bool plain = spec.effect == Effect::kIdempotent;
  return {hash(proto.type()),
          hash(proto.payload()),
          hash(proto.content_type()),
          hash(absl::StrCat(spec.priority)),
          hash_time(proto.not_before()),
          hash(absl::StrCat(spec.timeout_ms)),
          hash(retry),
          hash(absl::StrCat(spec.retention_s)),
          plain ? 0 : hash(absl::StrCat(static_cast<int>(spec.effect))),
          spec.placement == nullptr ? 0 : hash(EncodePlacement(*spec.placement)),
          spec.parent.empty() ? 0 : hash(spec.parent.bytes()),
          0,  // The engine's, which knows the tasks that others depend on.
          keys.ordering.empty() ? 0 : hash(keys.ordering),
          hash_part({.fairness = keys.fairness, .weight = keys.weight}),
          hash_part({.concurrency = keys.concurrency}),
          hash_part({.rates = keys.rates}),
          spec.info == nullptr ? 0 : HashOf(spec.info->labels),
          proto.context_id().empty() ? 0 : hash(proto.context_id()),
          proto.has_expire_at() ? hash_time(proto.expire_at()) : 0,
          spec.total_timeout_ms == 0 ? 0 : hash(absl::StrCat(spec.total_timeout_ms))};
}

// What all specs of a call are read with.
struct Reading {
  const SpecLimits& limits;
  const std::optional<platform::ActingHandler>& handler;  // That spawns with its task token.
  absl::Time now;
  uint32_t count;  // Of the specs.
  PlacementReader placements;
};

absl::Status ReadSpec(const task::v1::TaskSpec& proto, uint32_t place, Reading& reading,
                      TaskSpec& spec) {
  const SpecLimits& limits = reading.limits;
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  KANTOKU_RETURN_IF_ERROR(CheckType("type", proto.type()));
  KANTOKU_RETURN_IF_ERROR(CheckName("reference", proto.reference(), "BAD_REFERENCE"));
  if (proto.payload().size() > limits.max_payload_bytes) {
    return Bad("PAYLOAD_TOO_LARGE",
               absl::StrCat("payload: ", proto.payload().size(), " bytes exceed the limit of ",
                            limits.max_payload_bytes));
  }
  if (proto.content_type().size() > kMaxName) {
    return TooLong("content_type", proto.content_type().size(), kMaxName);
  }
  if (proto.priority() < -1'000 || proto.priority() > 1'000) {
    return Bad("OUT_OF_RANGE",
               absl::StrCat("priority: ", proto.priority(), " is not from -1000 to 1000"));
  }
  spec.type = proto.type();
  spec.reference = proto.reference();
  spec.priority = proto.priority();
  KANTOKU_RETURN_IF_ERROR(ReadTimes(proto, reading.now, spec));
  if (proto.has_retry()) KANTOKU_RETURN_IF_ERROR(ReadRetry(proto.retry(), spec.retry));
  KANTOKU_RETURN_IF_ERROR(ReadEffect(proto, spec));
  if (proto.has_placement()) {
    KANTOKU_ASSIGN_OR_RETURN(spec.placement, reading.placements.Read(proto.placement()));
  }
  KANTOKU_RETURN_IF_ERROR(ReadKin(proto, spec));
  KANTOKU_RETURN_IF_ERROR(
      ReadDependencies(proto.dependencies(), place, reading.count, spec.dependencies));
  KANTOKU_RETURN_IF_ERROR(ReadReuse(proto, spec));
  KANTOKU_ASSIGN_OR_RETURN(spec.keys, ReadKeys(proto));
  KANTOKU_RETURN_IF_ERROR(ReadInfo(proto, spec));
  if (reading.handler.has_value()) {
    KANTOKU_RETURN_IF_ERROR(ApplyTaskToken(*reading.handler, spec));
  }
  if (!spec.reference.empty()) {
    spec.hashes = std::make_shared<const SpecHashes>(HashesOf(proto, spec));
  }
  return absl::OkStatus();
}

// Whether the result follows from type and payload alone, so that equal tasks have the same.
bool IsComparable(const TaskSpec& spec) {
  return spec.effect == Effect::kPure &&
         std::ranges::none_of(spec.dependencies, &Dependency::argument);
}

// What tasks share whose results are the same.
Digest EqualOf(const task::v1::TaskSpec& proto, const SpawnBatch& batch) {
  std::string parts;
  const std::string_view owner =
      KANTOKU_PLANTED("reuse ignores the owner") ? "" : std::string_view(batch.owner);
  for (const std::string_view part :
       {std::string_view(batch.name_space), owner, std::string_view(proto.type()),
        std::string_view(proto.content_type())}) {
    absl::StrAppend(&parts, part.size(), ":", platform::ToAbsl(part));
  }
  const Digest payload = DigestOf(proto.payload());
  absl::StrAppend(&parts, payload.high, ":", payload.low);
  return DigestOf(parts);
}

// Adds the body of a spec of the batch. What a handler spawns answers nobody else: it may choose
// who runs it, and so what comes of it.
void Append(const task::v1::TaskSpec& proto, TaskSpec& spec, SpawnBatch& batch,
            SpecBytes& encoded) {
  if (IsComparable(spec) && !batch.handler.has_value()) spec.equal = EqualOf(proto, batch);
  SpecBytes::Slice slice{};
  slice.body = static_cast<uint32_t>(encoded.bytes.size());
  const SpecPlaces places = EncodeSpecBody(batch.name_space, batch.owner, spec,
                                           proto.content_type(), proto.payload(), encoded.bytes);
  slice.body_size = static_cast<uint32_t>(encoded.bytes.size()) - slice.body;
  spec.stored_bytes = slice.body_size + SpecHeaderBytes(spec);
  slice.payload_size = static_cast<uint32_t>(proto.payload().size());
  slice.payload = static_cast<uint32_t>(places.payload_end) - slice.payload_size;
  slice.content_type_size = static_cast<uint32_t>(proto.content_type().size());
  slice.content_type =
      slice.payload - platform::VarintSize(slice.payload_size) - slice.content_type_size;
  if (places.dependencies > 0) {
    slice.dependencies = static_cast<uint32_t>(places.dependencies) - slice.body;
    batch.has_dependencies = true;
  }
  encoded.slices.push_back(slice);
}

// Those of the places, in that order; most often all as they are.
std::vector<TaskSpec> Ordered(std::vector<TaskSpec> specs, std::span<const uint32_t> places) {
  if (places.size() == specs.size() && std::ranges::is_sorted(places)) return specs;
  std::vector<TaskSpec> ordered;
  ordered.reserve(places.size());
  for (const uint32_t place : places) ordered.push_back(std::move(specs[place]));
  return ordered;
}

// Each by itself, with its status.
std::vector<TaskSpec> ReadSpecs(const platform::Received<v1::SpawnRequest>& received,
                                const platform::Identity& caller, const SpecLimits& limits,
                                absl::Time now, std::vector<absl::Status>& statuses) {
  const v1::SpawnRequest& request = received.message;
  const auto count = static_cast<uint32_t>(request.specs_size());
  Reading reading{
      .limits = limits, .handler = caller.handler, .now = now, .count = count, .placements = {}};
  std::vector<TaskSpec> specs(count);
  statuses.reserve(count);
  auto invalid = received.invalid_texts.begin();  // In the order of the specs.
  for (int i = 0; i < request.specs_size(); ++i) {
    if (invalid != received.invalid_texts.end() && invalid->index == i) {
      statuses.push_back(invalid->ToStatusBelowRoot());
      while (invalid != received.invalid_texts.end() && invalid->index == i) ++invalid;
    } else {
      const auto place = static_cast<uint32_t>(i);
      statuses.push_back(ReadSpec(request.specs(i), place, reading, specs[place]));
      if (statuses.back().ok()) {
        statuses.back() = platform::CheckAllows(caller, platform::Verb::kSpawn, specs[place].type);
      }
    }
    if (!statuses.back().ok()) specs[static_cast<size_t>(i)] = TaskSpec();
  }
  return specs;
}

// What a repeated call is known by. No namespace begins with a zero: what a handler spawns is known
// apart, by the dispatch.
std::string NameOfRequest(const SpawnBatch& batch, const std::string& request_id) {
  const char separator = '\0';
  std::string name;
  if (batch.handler.has_value()) {
    name.push_back(separator);
    absl::StrAppend(&name, ToAbsl(batch.handler->task.bytes()), batch.handler->dispatch, ":");
  }
  name.append(batch.name_space).push_back(separator);
  name.append(batch.owner).push_back(separator);
  name.append(request_id);
  return name;
}

// The fields of the call itself; those of its specs are theirs.
absl::Status CheckCall(const platform::Received<v1::SpawnRequest>& received,
                       const SpecLimits& limits) {
  const v1::SpawnRequest& request = received.message;
  if (received.malformed) return platform::CheckReceived(received);
  for (const platform::InvalidText& text : received.invalid_texts) {
    if (text.root != kSpecs) return text.ToStatus();
  }
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(request));
  if (request.request_id().empty() || request.request_id().size() > 64) {
    return Bad("BAD_REQUEST_ID",
               absl::StrCat("request_id: ", request.request_id().size(), " bytes are not 1 to 64"));
  }
  const auto count = static_cast<size_t>(request.specs_size());
  if (count < 1 || count > limits.max_specs) {
    return Bad("BAD_BATCH_SIZE",
               absl::StrCat("specs: ", count, " are not 1 to ", limits.max_specs));
  }
  if (const size_t bytes = request.ByteSizeLong(); count > 1 && bytes > limits.max_batch_bytes) {
    return Bad("BATCH_TOO_LARGE", absl::StrCat("specs: ", bytes, " bytes exceed the limit of ",
                                               limits.max_batch_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckContext(std::string_view field, std::string_view context) {
  return CheckName(field, context, "BAD_CONTEXT");
}

absl::StatusOr<std::optional<Selector>> ReadFilter(std::string_view field,
                                                   const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto selector = Selector::Parse(text);
  if (!selector.ok()) return platform::Annotate(selector.status(), field);
  return *std::move(selector);
}

absl::Status CheckType(std::string_view field, std::string_view type) {
  if (type.empty()) return Bad("EMPTY_TYPE", absl::StrCat(ToAbsl(field), ": is empty"));
  if (type.size() > kMaxName) return TooLong(field, type.size(), kMaxName);
  for (const char c : type) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != kMarks.npos) {
      continue;
    }
    return Bad("BAD_TYPE", absl::StrCat(ToAbsl(field), ": \"", absl::CHexEscape(ToAbsl(type)),
                                        "\" may hold letters, digits and . _ - / : only"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckedSpawn> ReadSpawn(const platform::Received<v1::SpawnRequest>& received,
                                       const platform::Identity& caller, const SpecLimits& limits,
                                       absl::Time now) {
  KANTOKU_RETURN_IF_ERROR(CheckCall(received, limits));
  const v1::SpawnRequest& request = received.message;
  auto batch = std::make_shared<SpawnBatch>();
  batch->name_space = request.namespace_().empty() ? "default" : request.namespace_();
  batch->owner = caller.subject;
  batch->app = caller.client_id;
  batch->spawn_scope = caller.scopes.WordsThatNarrow(platform::Verb::kSpawn);
  if (batch->spawn_scope.size() > kMaxSpawnScope) batch->spawn_scope = kNothing;
  batch->handler = caller.handler;
  auto encoded = std::make_shared<SpecBytes>();
  encoded->bytes.reserve(request.ByteSizeLong() + static_cast<size_t>(request.specs_size()) * 48);
  encoded->slices.reserve(static_cast<size_t>(request.specs_size()));
  CheckedSpawn checked;
  std::vector<TaskSpec> specs = ReadSpecs(received, caller, limits, now, checked.statuses);
  checked.places = OrderByDependencies(specs, checked.statuses);
  std::vector<uint32_t> behind(specs.size());  // Where in the batch each of the call comes.
  for (uint32_t i = 0; i < checked.places.size(); ++i) {
    const uint32_t place = checked.places[i];
    behind[place] = i;
    for (Dependency& dependency : specs[place].dependencies) {
      if (dependency.task.empty()) dependency.place = behind[dependency.place];
    }
  }
  batch->specs = Ordered(std::move(specs), checked.places);
  for (size_t i = 0; i < checked.places.size(); ++i) {
    Append(request.specs(static_cast<int>(checked.places[i])), batch->specs[i], *batch, *encoded);
  }
  batch->request = DigestOf(NameOfRequest(*batch, request.request_id()));
  // Neither kin nor what may be reused is among the bodies.
  std::string beside;
  for (size_t i = 0; i < batch->specs.size(); ++i) {
    const TaskSpec& spec = batch->specs[i];
    if (!spec.parent.empty()) {
      absl::StrAppend(&beside, i, platform::ToAbsl(spec.parent.bytes()),
                      platform::ToAbsl(spec.root.bytes()));
    }
    if (spec.reuse_within_ms > 0) absl::StrAppend(&beside, i, "reuse", spec.reuse_within_ms, " ");
  }
  batch->content = DigestOf(beside.empty() ? encoded->bytes : absl::StrCat(encoded->bytes, beside));
  batch->encoded = std::move(encoded);
  checked.batch = std::move(batch);
  return checked;
}

}  // namespace kantoku::inputs
