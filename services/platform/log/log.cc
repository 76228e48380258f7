#include "services/platform/log/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <span>
#include <utility>

#include "services/platform/log/log_formatter.h"

namespace kantoku::platform {
namespace {

// The fields of the line that this thread is writing: spdlog's message has no room for them, and
// its sinks format in the thread that logs.
thread_local std::span<const LogField> fields_of_this_line;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

LogLevel FromSpdlog(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::kDebug;
  if (level == spdlog::level::info) return LogLevel::kInfo;
  return level == spdlog::level::warn ? LogLevel::kWarn : LogLevel::kError;
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const LogLine line{.time = absl::FromChrono(message.time),
                       .level = FromSpdlog(message.level),
                       .message = {message.payload.data(), message.payload.size()},
                       .fields = fields_of_this_line};
    const std::string text = json_ ? FormatJson(line) : FormatText(line);
    out.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(json_);
  }

 private:
  const bool json_;
};

std::shared_ptr<spdlog::logger> MakeLogger(LogLevel level, bool json) {
  auto logger = std::make_shared<spdlog::logger>("kantoku",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>(json));
  logger->set_level(ToSpdlog(level));
  return logger;
}

// Not spdlog's default logger, whose registry is destroyed before other statics of ours.
std::shared_ptr<spdlog::logger>& Logger() {
  static auto* const logger =
      new std::shared_ptr<spdlog::logger>(MakeLogger(LogLevel::kInfo, false));
  return *logger;
}

}  // namespace

void SetUpLog(const LogOptions& options) {
  const bool json = options.format == LogFormat::kJson ||
                    (options.format == LogFormat::kAuto && ::isatty(STDERR_FILENO) == 0);
  Logger() = MakeLogger(options.level, json);
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  spdlog::logger& logger = *Logger();
  const auto spdlog_level = ToSpdlog(level);
  if (!logger.should_log(spdlog_level)) return;
  fields_of_this_line = {fields.begin(), fields.size()};
  logger.log(spdlog_level, spdlog::string_view_t(message.data(), message.size()));
  fields_of_this_line = {};
}

bool LogEnabled(LogLevel level) { return Logger()->should_log(ToSpdlog(level)); }

}  // namespace kantoku::platform
