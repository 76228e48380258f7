#ifndef KANTOKU_CLIENT_CLI_TEXT_H_
#define KANTOKU_CLIENT_CLI_TEXT_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "kantoku/output.h"
#include "kantoku/task_info.h"
#include "services/platform/utf8.h"

// How things look to people. What executors and other users wrote may hold anything, also what
// would steer a terminal, so it passes OneLine on its way there.
namespace kantoku::cli {

// White space and control characters become single spaces, none at the ends.
std::string OneLine(std::string_view text);
// Whether it can be shown on a terminal as it is: UTF-8 without control characters, but for tabs
// and ends of lines.
bool IsShowable(std::string_view bytes);
using platform::IsUtf8;
// How many columns it takes, as far as a code point is one.
size_t WidthOf(std::string_view text);
// Filled up with spaces.
std::string Padded(std::string_view text, size_t width);

// 2026-11-28T08:15:00.123Z
std::string TimeText(absl::Time time);
// The largest unit alone, as in 0s, 59s, 3m, 5h, 12d.
std::string AgeText(absl::Duration age);
// For durations that differ by orders of magnitude: 0.4ms, 12ms, 1.20s, 3m10s, 2h05m.
std::string TookText(absl::Duration took);

// "3.4 MiB"
std::string SizeText(size_t bytes);

// What a task waits for: "an executor of its type"; empty when it does not wait.
std::string_view WaitText(WaitCause cause);
// "gpu == "true", owner anna"
std::string KeysText(const TaskKeys& keys);
std::string PlacementText(const PlacementPolicy& placement);
// "gpu=true mem_gib=16", without those that the server sets; "-" when there are no others.
std::string LabelsText(const std::map<std::string, std::string>& labels);
// "customer=acme run=7"
std::string EntriesText(const std::map<std::string, std::string>& entries);
// "REASON: message", or what there is of it.
std::string ErrorText(const TaskError& error);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_TEXT_H_
