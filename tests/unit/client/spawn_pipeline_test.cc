#include "client/cpp/src/spawn_pipeline.h"

#include <catch2/catch.hpp>
#include <string>

#include "kantoku/status.h"

namespace kantoku {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

// Writes down what is called, and refuses where it is told to.
class RecordingPlugin final : public Plugin {
 public:
  RecordingPlugin(std::string name, std::vector<std::string>& log)
      : name_(std::move(name)), log_(log) {}

  struct Data final : PluginData {
    explicit Data(RecordingPlugin& plugin) : plugin(plugin) { ++plugin.living_data; }
    ~Data() override { --plugin.living_data; }
    RecordingPlugin& plugin;
    std::string note;
  };

  std::string_view name() const override { return name_; }
  std::unique_ptr<PluginData> MakeData() override { return std::make_unique<Data>(*this); }
  absl::Status BeforeInitialized(TaskSpec& spec, PluginData* data) override {
    spec.payload += "+" + name_;
    return Log("BeforeInitialized", data);
  }
  void AfterInitialized(const TaskSpec&, PluginData* data) override {
    CHECK(Log("AfterInitialized", data).ok());
  }
  absl::Status BeforeScheduled(const TaskSpec&, PluginData* data) override {
    return Log("BeforeScheduled", data);
  }
  void AfterScheduled(const TaskSpec& spec, const absl::StatusOr<SpawnedTask>&,
                      PluginData* data) override {
    CHECK(Log("AfterScheduled " + spec.payload, data).ok());
  }

  std::string refuse_at;
  int living_data = 0;

 private:
  absl::Status Log(const std::string& hook, PluginData* data) {
    log_.push_back(name_ + " " + hook + static_cast<Data*>(data)->note);
    return hook == refuse_at ? absl::PermissionDeniedError("not today") : absl::OkStatus();
  }

  const std::string name_;
  std::vector<std::string>& log_;
};

Option Note(const std::shared_ptr<RecordingPlugin>& plugin, const std::string& note) {
  return Option::ForPlugin(plugin, [note](PluginData& data) {
    static_cast<RecordingPlugin::Data&>(data).note += " (" + note + ")";
    return absl::OkStatus();
  });
}

TEST_CASE("Hooks of all plugins run stage by stage, in the order of the plugins") {
  std::vector<std::string> log;
  const auto a = std::make_shared<RecordingPlugin>("a", log);
  const auto b = std::make_shared<RecordingPlugin>("b", log);
  {
    auto pipeline = SpawnPipeline::Prepare(Task("t", "p"), {a, b}, kNow);
    REQUIRE(pipeline.ok());
    CHECK(pipeline->TakeSpec().payload == "p+a+b");
    pipeline->Scheduled(SpawnedTask{});
  }
  CHECK(log == std::vector<std::string>{"a BeforeInitialized", "b BeforeInitialized",
                                        "a AfterInitialized", "b AfterInitialized",
                                        "a BeforeScheduled", "b BeforeScheduled",
                                        "a AfterScheduled p+a+b", "b AfterScheduled p+a+b"});
  CHECK(a->living_data == 0);
}

TEST_CASE("A plugin that refuses aborts the spawn, and no data of any plugin is left") {
  std::vector<std::string> log;
  const auto a = std::make_shared<RecordingPlugin>("a", log);
  const auto b = std::make_shared<RecordingPlugin>("b", log);
  SECTION("before it is initialised") {
    a->refuse_at = "BeforeInitialized";
    const auto pipeline = SpawnPipeline::Prepare(Task("t"), {a, b}, kNow);
    CHECK(pipeline.status() == absl::PermissionDeniedError("plugin a: not today"));
    CHECK(log == std::vector<std::string>{"a BeforeInitialized"});
  }
  SECTION("before it is scheduled") {
    b->refuse_at = "BeforeScheduled";
    const auto pipeline = SpawnPipeline::Prepare(Task("t"), {a, b}, kNow);
    CHECK(pipeline.status() == absl::PermissionDeniedError("plugin b: not today"));
    CHECK(log.back() == "b BeforeScheduled");
  }
  CHECK(a->living_data == 0);
  CHECK(b->living_data == 0);
}

TEST_CASE("An option brings its plugin, gives it data of this spawn alone, and may come twice") {
  std::vector<std::string> log;
  const auto a = std::make_shared<RecordingPlugin>("a", log);
  const Task noted = Task("t").With(Note(a, "one"), Note(a, "two"));
  REQUIRE(SpawnPipeline::Prepare(Task(noted), {}, kNow).ok());
  CHECK(log.front() == "a BeforeInitialized (one) (two)");
  CHECK(log.size() == 3);
  log.clear();
  REQUIRE(SpawnPipeline::Prepare(Task(noted), {a}, kNow).ok());
  CHECK(log.front() == "a BeforeInitialized (one) (two)");
  CHECK(log.size() == 3);
  log.clear();
  REQUIRE(SpawnPipeline::Prepare(Task("t"), {a}, kNow).ok());
  CHECK(log.front() == "a BeforeInitialized");
}

TEST_CASE("An option that fails refuses the spawn before any hook") {
  std::vector<std::string> log;
  const auto a = std::make_shared<RecordingPlugin>("a", log);
  const auto pipeline = SpawnPipeline::Prepare(Task("t").With(Delay(-absl::Seconds(1))), {a}, kNow);
  CHECK(ReasonOf(pipeline.status()) == "INVALID_DELAY");
  CHECK(log.empty());
  CHECK(a->living_data == 0);
}

TEST_CASE("Options set what they say, the later one wins, and delays count from now") {
  auto pipeline = SpawnPipeline::Prepare(
      Task("t", "p")
          .With(ContentType("text/plain"), Reference("r"), Priority(1), Priority(2))
          .With(Delay(absl::Minutes(1)), Timeout(absl::Seconds(9)), Retry({.max_attempts = 1}),
                ResultRetention(absl::Hours(1)), ExpireAt(kNow), ExpireAfter(absl::Minutes(2)),
                TotalTimeout(absl::Minutes(3))),
      {}, kNow);
  REQUIRE(pipeline.ok());
  const TaskSpec spec = pipeline->TakeSpec();
  CHECK(spec.type == "t");
  CHECK(spec.payload == "p");
  CHECK(spec.content_type == "text/plain");
  CHECK(spec.reference == "r");
  CHECK(spec.priority == 2);
  CHECK(spec.not_before == kNow + absl::Minutes(1));
  CHECK(spec.timeout == absl::Seconds(9));
  CHECK(spec.retry->max_attempts == 1u);
  CHECK(spec.result_retention == absl::Hours(1));
  CHECK(spec.expire_at == kNow + absl::Minutes(2));
  CHECK(spec.total_timeout == absl::Minutes(3));
}

}  // namespace
}  // namespace kantoku
