#include "tests/conformance/outputs_exam/exam_tasks.h"

#include <utility>

#include "absl/time/clock.h"
#include "tests/conformance/outputs_exam/outputs_service_exam.h"

namespace kantoku::outputs {
namespace {

using platform::SessionId;
using platform::TaskId;

// Even ones have a slot of their own, and odd ones another, so that a batch of several is mostly of
// several partitions, where there are such. What partitions do alone is asked of odd ones.
TaskId MadeUp(uint64_t n) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 2 + n % 2, n, 5);
}

ExamTasks& Current() {
  static auto& tasks =
      *new ExamTasks{.task = MadeUp,
                     .session = SessionId(platform::Uuid::FromBytes("0123456789abcdef").value()),
                     .name_space = "default"};
  return tasks;
}

}  // namespace

void UseTasks(ExamTasks tasks) { Current() = std::move(tasks); }

TaskId Task(uint64_t n) { return Current().task(n); }
std::string Id(TaskId task) { return std::string(task.bytes()); }
std::string Id(uint64_t n) { return Id(Task(n)); }
std::string Guess(uint64_t n) {
  std::string id = Id(n);
  id.back() = static_cast<char>(id.back() ^ 1);
  return id;
}

const SessionId& Session() { return Current().session; }
const std::string& Namespace() { return Current().name_space; }
uint64_t Epoch(uint64_t n) { return Current().first_epoch + n; }

platform::Lease LeaseOf(TaskId task, uint32_t dispatch) {
  return {.task = task,
          .dispatch = dispatch,
          .session = Session(),
          .holder = {.subject = "local", .client_id = "local"},
          .name_space = Namespace(),
          .owner = "local",
          .expires = absl::Now() + absl::Hours(1),
          .retention = absl::Hours(24)};
}

std::string ServiceSubject::LeaseToken(uint64_t task, uint32_t dispatch) {
  return platform::SealLease(keys(), LeaseOf(Task(task), dispatch));
}

}  // namespace kantoku::outputs
