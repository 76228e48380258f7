#ifndef KANTOKU_CLIENT_CLI_KEYS_H_
#define KANTOKU_CLIENT_CLI_KEYS_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "kantoku/keys.h"

// Keys and rates, as they are written on a command line.
namespace kantoku::cli {

// TOKENS/PERIOD or TOKENS/PERIOD:BURST, where the period is s, m, h or a time: 10/s, 600/m:50,
// 5/200ms. INVALID_ARGUMENT names the option.
absl::StatusOr<Rate> ParseRate(std::string_view option, const std::string& text);
std::string RateText(const Rate& rate);

// KEY, or KEY=VALUE: what is behind the last `=`, empty where there is none.
std::pair<std::string, std::string> SplitKey(const std::string& text);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_KEYS_H_
