#include "kantoku/plugins/lineage.h"

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"

namespace kantoku {
namespace {

class LineagePlugin final : public Plugin {
 public:
  LineagePlugin(TaskId parent, TaskId root, std::string context_id)
      : parent_(parent), root_(root), context_id_(std::move(context_id)) {}

  std::string_view name() const override { return "lineage"; }
  absl::Status BeforeInitialized(TaskSpec& spec, PluginData* /*data*/) override {
    if (spec.context_id.empty()) spec.context_id = context_id_;
    if (!spec.parent.empty()) return absl::OkStatus();
    spec.parent = parent_;
    spec.root = root_;
    return absl::OkStatus();
  }

 private:
  const TaskId parent_;
  const TaskId root_;
  const std::string context_id_;
};

TaskId IdIn(const char* variable) {
  const char* const text = std::getenv(variable);
  return TaskId::Parse(text == nullptr ? "" : text).value_or(TaskId());
}

}  // namespace

std::shared_ptr<Plugin> Lineage(TaskId parent, TaskId root, std::string context_id) {
  return std::make_shared<LineagePlugin>(parent, root, std::move(context_id));
}

std::shared_ptr<Plugin> LineageOfProcess() {
  const TaskId parent = IdIn("KANTOKU_TASK_ID");
  const TaskId root = IdIn("KANTOKU_ROOT_ID");
  const char* const context = std::getenv("KANTOKU_CONTEXT_ID");
  return parent.empty() || root.empty() ? nullptr
                                        : Lineage(parent, root, context == nullptr ? "" : context);
}

}  // namespace kantoku
