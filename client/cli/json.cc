#include "client/cli/json.h"

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "client/cli/text.h"
#include "kantoku/status.h"

namespace kantoku::cli {
namespace {

Json Word(std::string_view word) { return std::string(word); }

Json TextOrNull(std::string_view text) { return text.empty() ? Json() : Word(text); }

Json IdOrNull(const TaskId& id) { return id.empty() ? Json() : Json(id.ToString()); }

void PutData(const std::string& data, Json& json) {
  if (IsUtf8(data)) {
    json["data"] = data;
  } else {
    json["data_base64"] = absl::Base64Escape(data);
  }
}

Json PlacementJson(const PlacementPolicy& placement) {
  return {{"selector", TextOrNull(placement.selector)},
          {"executor", TextOrNull(placement.executor)},
          {"app", TextOrNull(placement.app)},
          {"owner", TextOrNull(placement.owner)}};
}

std::string_view ScopeWord(KeyScope scope) {
  return scope == KeyScope::kType ? "type" : scope == KeyScope::kOwner ? "owner" : "namespace";
}

Json RateJson(const Rate& rate) {
  return {{"tokens", rate.tokens},
          {"period_ms", absl::ToInt64Milliseconds(rate.period)},
          {"burst", rate.burst}};
}

Json KeysJson(const TaskKeys& keys) {
  Json concurrency = Json::array();
  for (const TaskKeys::Concurrency& key : keys.concurrency) {
    concurrency.push_back(
        {{"name", key.name}, {"scope", Word(ScopeWord(key.scope))}, {"limit", key.limit}});
  }
  Json rates = Json::array();
  for (const TaskKeys::Throttle& key : keys.rates) {
    rates.push_back({{"name", key.name},
                     {"scope", Word(ScopeWord(key.scope))},
                     {"cost", key.cost},
                     {"rate", key.rate.has_value() ? RateJson(*key.rate) : Json()}});
  }
  return {{"ordering", TextOrNull(keys.ordering)},
          {"fairness", TextOrNull(keys.fairness)},
          {"weight", keys.fairness.empty() ? Json() : Json(keys.weight)},
          {"concurrency", concurrency},
          {"rate", rates}};
}

Json ProvenanceJson(const Provenance& provenance) {
  Json ancestors = Json::array();
  for (const TaskId& ancestor : provenance.ancestors) ancestors.push_back(ancestor.ToString());
  return {{"user", TextOrNull(provenance.user)},
          {"app", TextOrNull(provenance.app)},
          {"spawner_app", TextOrNull(provenance.spawner_app)},
          {"spawner_executor_owner", TextOrNull(provenance.spawner_executor_owner)},
          {"ancestors", ancestors}};
}

Json ErrorJson(const TaskError& error) {
  return {{"reason", error.reason}, {"message", error.message}};
}

Json AttemptsJson(const std::vector<FailedAttempt>& attempts) {
  Json json = Json::array();
  for (const FailedAttempt& attempt : attempts) {
    json.push_back({{"dispatch", attempt.dispatch},
                    {"ended_at", TimeText(attempt.ended_at)},
                    {"error", ErrorJson(attempt.error)}});
  }
  return json;
}

}  // namespace

Json WaitsJson(const std::vector<Wait>& waits) {
  Json json = Json::object();
  for (const Wait& wait : waits) {
    json[Word(ToString(wait.cause))] = absl::ToInt64Milliseconds(wait.time);
  }
  return json;
}

Json ToJson(const SpawnedTask& task) {
  return {{"task_id", task.id.ToString()},
          {"created", task.created},
          {"reused", task.reused},
          {"created_at", TimeText(task.created_at)}};
}

Json ToJson(const TaskInfo& info) {
  return {{"task_id", info.id.ToString()},
          {"namespace", info.namespace_name},
          {"type", info.type},
          {"state", Word(ToString(info.state))},
          {"wait_cause", TextOrNull(ToString(info.wait_cause))},
          {"wait_detail", TextOrNull(info.wait_detail)},
          {"open_dependencies", info.open_dependencies},
          {"placement", info.placement.has_value() ? PlacementJson(*info.placement) : Json()},
          {"keys", info.keys.empty() ? Json() : KeysJson(info.keys)},
          {"reference", TextOrNull(info.reference)},
          {"priority", info.priority},
          {"owner", info.owner},
          {"failed_attempts", info.failed_attempts},
          {"dispatch", info.dispatch},
          {"session_id", TextOrNull(info.session_id)},
          {"progress", info.progress.has_value() ? Json(*info.progress) : Json()},
          {"parent_id", IdOrNull(info.parent)},
          {"root_id", IdOrNull(info.root)},
          {"info", info.info.empty() ? Json::object() : Json(info.info)},
          {"info_revision", info.info_revision},
          {"context_id", TextOrNull(info.context_id)},
          {"restarted_from", IdOrNull(info.restarted_from)},
          {"restarted_as", IdOrNull(info.restarted_as)},
          {"provenance", ProvenanceJson(info.provenance)},
          {"created_at", TimeText(info.created_at)},
          {"ended_at", info.ended_at.has_value() ? Json(TimeText(*info.ended_at)) : Json()},
          {"last_error", info.last_error.has_value() ? ErrorJson(*info.last_error) : Json()},
          {"attempts", AttemptsJson(info.attempts)}};
}

Json ToJson(const Item& item) {
  Json json = {{"dispatch", item.dispatch},
               {"sequence", item.sequence},
               {"data", nullptr},
               {"data_base64", nullptr},
               {"content_type", TextOrNull(item.content_type)},
               {"restarted", item.restarted}};
  PutData(item.data, json);
  return json;
}

Json ToJson(const Output& output) {
  Json json = {{"task_id", output.id.ToString()},
               {"status", Word(ToString(output.status))},
               {"dispatch", output.dispatch},
               {"ended_at", TimeText(output.ended_at)},
               {"data", nullptr},
               {"data_base64", nullptr},
               {"content_type", TextOrNull(output.content_type)},
               {"error", nullptr}};
  if (!output.succeeded()) {
    json["error"] = ErrorJson(output.error);
  } else {
    PutData(output.data, json);
  }
  return json;
}

Json ToJson(const ExecutorInfo& executor) {
  return {{"session_id", executor.session_id},
          {"name", executor.name},
          {"executor_owner", executor.executor_owner},
          {"client_id", executor.client_id},
          {"types", executor.types},
          {"labels", executor.labels.empty() ? Json::object() : Json(executor.labels)},
          {"version", TextOrNull(executor.version)},
          {"connected", executor.connected},
          {"max_held", executor.max_held},
          {"held", executor.held},
          {"leaving", executor.leaving},
          {"connected_at", TimeText(executor.connected_at)}};
}

Json ToJson(const Route& route) {
  return {{"type", route.type}, {"selector", TextOrNull(route.selector)}};
}

Json ToJson(const Limit& limit) {
  const bool is_rate = limit.name.kind == LimitKind::kRate;
  const bool is_weight = limit.name.kind == LimitKind::kWeight;
  Json json = {{"kind", is_rate     ? "rate"
                        : is_weight ? "weight"
                                    : "concurrency"},
               {"key", limit.name.key},
               {"scope", Word(ScopeWord(limit.name.scope))},
               {"of", TextOrNull(limit.name.of)}};
  if (is_rate && limit.rate.has_value()) {
    json["rate"] = RateJson(*limit.rate);
  } else if (!is_rate) {
    json[is_weight ? "weight" : "max_running"] = is_weight ? limit.weight : limit.max_running;
  }
  return json;
}

Json ToJson(const LimitInfo& info) {
  Json json = ToJson(info.limit);
  json["transient"] = info.transient;
  json["tasks"] = info.tasks;
  json["waiting"] = info.waiting;
  if (info.limit.name.kind == LimitKind::kConcurrency) json["running"] = info.running;
  if (info.limit.name.kind == LimitKind::kRate) json["tokens"] = info.tokens;
  return json;
}

Json ToJson(const TypePause& pause) {
  return {{"type", TextOrNull(pause.type)}, {"reason", TextOrNull(pause.reason)}};
}

Json ToJson(const RestartedTask& restarted) {
  return {{"task_id", restarted.dead.ToString()},
          {"new_task_id", IdOrNull(restarted.id)},
          {"created", restarted.created}};
}

Json ToJson(const Event& event) {
  return {{"position", event.position},
          {"type", event.type},
          {"at", TimeText(event.at)},
          {"namespace", event.namespace_name},
          {"task_id", IdOrNull(event.task_id)},
          {"task_type", TextOrNull(event.task_type)},
          {"owner", TextOrNull(event.owner)},
          {"dispatch", event.dispatch == 0 ? Json() : Json(event.dispatch)},
          {"session_id", TextOrNull(event.session_id)},
          {"details", event.details.empty() ? Json::object() : Json(event.details)}};
}

Json ToJson(const absl::Status& error) {
  const std::string message(error.message().data(), error.message().size());
  return {{"error", absl::StatusCodeToString(error.code())},
          {"reason", TextOrNull(ReasonOf(error))},
          {"message", message}};
}

}  // namespace kantoku::cli
