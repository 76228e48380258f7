#ifndef KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_TABLE_OF_TASKS_H_
#define KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_TABLE_OF_TASKS_H_

#include <chrono>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/platform/mutex.h"

namespace kantoku::outputs {

// What Outputs asks of Inputs, answered from a table.
//
// Thread-safe.
class TableOfTasks {
 public:
  // UNAVAILABLE while it is not there.
  absl::Status Answer(const inputs::v1::GetTasksRequest& request,
                      inputs::v1::GetTasksResponse& response) {
    platform::MutexLock lock(mutex_);
    ++questions_;
    changed_.SignalAll();
    if (!there_) return absl::UnavailableError("away");
    for (const std::string& id : request.task_ids()) {
      inputs::v1::GetTaskResult& result = *response.add_results();
      if (damaged_.contains(id)) {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kDataLoss));
      } else if (const auto state = states_.find(id); state != states_.end()) {
        result.mutable_info()->set_task_id(id);
        result.mutable_info()->set_state(state->second);
      } else {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
      }
    }
    return absl::OkStatus();
  }

  void SetTask(const std::string& id, task::v1::TaskState state) {
    platform::MutexLock lock(mutex_);
    states_[id] = state;
  }
  void DamageTask(const std::string& id) {
    platform::MutexLock lock(mutex_);
    damaged_.insert(id);
  }
  void SetThere(bool there) {
    platform::MutexLock lock(mutex_);
    there_ = there;
  }
  // Blocks until it was asked so often in all; false when it is not so soon.
  bool AwaitQuestions(int count, std::chrono::seconds patience = std::chrono::minutes(1)) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    platform::MutexLock lock(mutex_);
    while (questions_ < count) {
      const auto left = give_up - std::chrono::steady_clock::now();
      if (left <= std::chrono::nanoseconds(0)) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::map<std::string, task::v1::TaskState> states_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> damaged_ ABSL_GUARDED_BY(mutex_);
  bool there_ ABSL_GUARDED_BY(mutex_) = true;
  int questions_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_TABLE_OF_TASKS_H_
