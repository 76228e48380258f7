#include "client/cli/keys.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "services/platform/status.h"

namespace kantoku::cli {
namespace {

absl::Status NoRate(std::string_view option, const std::string& text) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_RATE",
                         absl::StrCat(platform::ToAbsl(option), ": \"", text,
                                      "\" is no rate such as 10/s, 600/m:50 or 5/200ms"));
}

}  // namespace

absl::StatusOr<Rate> ParseRate(std::string_view option, const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return NoRate(option, text);
  Rate rate;
  if (!absl::SimpleAtoi(text.substr(0, slash), &rate.tokens)) return NoRate(option, text);
  const size_t colon = text.find(':', slash);
  if (colon != std::string::npos && !absl::SimpleAtoi(text.substr(colon + 1), &rate.burst)) {
    return NoRate(option, text);
  }
  std::string period =
      text.substr(slash + 1, colon == std::string::npos ? colon : colon - slash - 1);
  if (!period.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(period.front()))) {
    period.insert(0, "1");
  }
  const auto parsed = ParseDuration(option, period);
  if (!parsed.ok()) return NoRate(option, text);
  rate.period = *parsed;
  return rate;
}

std::string RateText(const Rate& rate) {
  std::string period = absl::FormatDuration(rate.period);
  for (const char* const unit : {"1s", "1m", "1h"}) {
    if (period == unit) period.erase(0, 1);
  }
  return absl::StrCat(rate.tokens, "/", period, ":", rate.burst == 0 ? rate.tokens : rate.burst);
}

std::pair<std::string, std::string> SplitKey(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos) return {text, ""};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace kantoku::cli
