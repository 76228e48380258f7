#include "kantoku/plugins/logger.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kantoku {
namespace {

enum class Level { kNothing, kFailures, kEverything };

struct LevelData final : PluginData {
  Level level = Level::kFailures;
};

void WriteToStandardError(const std::string& line) {
  // One call, so that lines of two threads do not mix.
  std::fputs(absl::StrCat(line, "\n").c_str(), stderr);
}

std::string Describe(const TaskSpec& spec) {
  std::string text = absl::StrCat("task of type ", spec.type, ", ", spec.payload.size(), " bytes");
  if (!spec.reference.empty()) absl::StrAppend(&text, ", reference ", spec.reference);
  if (spec.priority != 0) absl::StrAppend(&text, ", priority ", spec.priority);
  return text;
}

}  // namespace

class LoggerPlugin::Impl final : public Plugin {
 public:
  explicit Impl(Sink sink) : sink_(std::move(sink)) {}

  std::string_view name() const override { return "logger"; }
  std::unique_ptr<PluginData> MakeData() override { return std::make_unique<LevelData>(); }

  absl::Status BeforeScheduled(const TaskSpec& spec, PluginData* data) override {
    if (LevelOf(data) == Level::kEverything) sink_(absl::StrCat("spawning ", Describe(spec)));
    return absl::OkStatus();
  }

  void AfterScheduled(const TaskSpec& spec, const absl::StatusOr<SpawnedTask>& result,
                      PluginData* data) override {
    if (LevelOf(data) == Level::kNothing) return;
    if (!result.ok()) {
      sink_(absl::StrCat("not spawned: ", Describe(spec), ": ", result.status().ToString()));
    } else if (LevelOf(data) == Level::kEverything) {
      sink_(absl::StrCat(result->created  ? "spawned "
                         : result->reused ? "reuses the result of "
                                          : "was there already: ",
                         result->id.ToString(), ": ", Describe(spec)));
    }
  }

  static Level LevelOf(const PluginData* data) {
    return static_cast<const LevelData*>(data)->level;
  }

  static Option LogAt(const std::shared_ptr<Impl>& plugin, Level level) {
    return Option::ForPlugin(plugin, [level](PluginData& data) {
      static_cast<LevelData&>(data).level = level;
      return absl::OkStatus();
    });
  }

 private:
  const Sink sink_;
};

LoggerPlugin::LoggerPlugin() : LoggerPlugin(WriteToStandardError) {}

LoggerPlugin::LoggerPlugin(Sink sink) : impl_(std::make_shared<Impl>(std::move(sink))) {}

Option LoggerPlugin::LogEverything() const { return Impl::LogAt(impl_, Level::kEverything); }

Option LoggerPlugin::LogFailures() const { return Impl::LogAt(impl_, Level::kFailures); }

Option LoggerPlugin::LogNothing() const { return Impl::LogAt(impl_, Level::kNothing); }

std::shared_ptr<Plugin> LoggerPlugin::plugin() const { return impl_; }

}  // namespace kantoku
