#ifndef KANTOKU_CLIENT_CLI_JSON_H_
#define KANTOKU_CLIENT_CLI_JSON_H_

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "kantoku/event.h"
#include "kantoku/item.h"
#include "kantoku/output.h"
#include "kantoku/task.h"
#include "kantoku/task_info.h"

// What --json prints. Part of the interface, as client/cli/README.md describes it: an object always
// has all its fields, null where there is nothing to say; versions may add fields.
namespace kantoku::cli {

using Json = nlohmann::ordered_json;

Json ToJson(const SpawnedTask& task);
Json ToJson(const TaskInfo& info);
// Milliseconds by cause.
Json WaitsJson(const std::vector<Wait>& waits);
Json ToJson(const Item& item);
Json ToJson(const Output& output);
Json ToJson(const ExecutorInfo& executor);
Json ToJson(const Route& route);
Json ToJson(const Limit& limit);
Json ToJson(const LimitInfo& info);
Json ToJson(const TypePause& pause);
Json ToJson(const RestartedTask& restarted);
Json ToJson(const Event& event);
Json ToJson(const absl::Status& error);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_JSON_H_
