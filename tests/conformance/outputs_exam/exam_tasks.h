#ifndef KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_TASKS_H_
#define KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_TASKS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "services/platform/auth/tokens.h"
#include "services/platform/ids.h"

// Which tasks the cases of the exam are about, so that one does not meet what another has left
// behind. In our tests each case has a service of its own, and tasks are made up, the same for all.
// Of a service that has seen others, none that it knows may come again.
//
// Confined to the main thread but for Task, Id and Guess, which any may call while none uses other
// tasks.
namespace kantoku::outputs {

struct ExamTasks {
  // The n-th of the case, each time the same.
  std::function<platform::TaskId(uint64_t)> task;
  // Who holds their dispatches.
  platform::SessionId session;
  std::string name_space;
  // Epochs of Inputs are counted from here; later than all that the service has heard of.
  uint64_t first_epoch = 0;
};

// From here on, cases are about those.
void UseTasks(ExamTasks tasks);

platform::TaskId Task(uint64_t n);
std::string Id(platform::TaskId task);
std::string Id(uint64_t n);
// What somebody may take for the id of the n-th task who does not know it: all but the random bits.
std::string Guess(uint64_t n);

const platform::SessionId& Session();
const std::string& Namespace();
// The n-th epoch of the case, from 1.
uint64_t Epoch(uint64_t n);

// What Inputs would mint.
platform::Lease LeaseOf(platform::TaskId task, uint32_t dispatch);

}  // namespace kantoku::outputs

#endif  // KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_TASKS_H_
