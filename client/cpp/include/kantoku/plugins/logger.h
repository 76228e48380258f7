#ifndef KANTOKU_PLUGINS_LOGGER_H_
#define KANTOKU_PLUGINS_LOGGER_H_

#include <functional>
#include <memory>
#include <string>

#include "kantoku/plugin.h"
#include "kantoku/task.h"

namespace kantoku {

// Writes a line about spawns.
//
//   kantoku::LoggerPlugin logger;
//   auto spec = kantoku::Task("test-task", "Hello world").With(logger.LogEverything());
//
// A task is logged as its own option says, or else as the client's plugin does (LogFailures unless
// told otherwise): ClientOptions{.plugins = {logger.plugin()}}. Payloads are never logged, only
// their sizes.
//
// Thread-safe if `sink` is. A handle: copies share the sink.
class LoggerPlugin {
 public:
  // Takes one line, without its end. Must not block.
  using Sink = std::function<void(const std::string& line)>;

  // To standard error.
  LoggerPlugin();
  explicit LoggerPlugin(Sink sink);

  // A line before the task is sent and one when the server has answered.
  Option LogEverything() const;
  // A line when the server did not accept the task.
  Option LogFailures() const;
  Option LogNothing() const;

  std::shared_ptr<Plugin> plugin() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kantoku

#endif  // KANTOKU_PLUGINS_LOGGER_H_
