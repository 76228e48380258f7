#ifndef KANTOKU_TESTS_CONFORMANCE_EXECUTOR_EXAM_EXECUTOR_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_EXECUTOR_EXAM_EXECUTOR_EXAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_services.h"

// The exam of whatever runs tasks: a program that pulls at an Inputs and puts into an Outputs, both
// of which the exam is. It implements three types, connects again when its connection ends, and has
// a credit of at most kMostCredit.
namespace kantoku::executor_exam {

inline constexpr char kEcho[] = "exam.echo";  // Returns its payload.
inline constexpr char kFail[] = "exam.fail";  // Fails.
inline constexpr char kWait[] = "exam.wait";  // Returns nothing before it is told to stop.
inline constexpr uint32_t kMostCredit = 50;

class ExecutorSubject {
 public:
  virtual ~ExecutorSubject() = default;
  // Where it connects.
  virtual testing::FakeServices& services() = 0;
};

struct ExecutorEntry {
  std::string name;
  std::function<std::unique_ptr<ExecutorSubject>()> make;
};

// What Outputs does where a case says nothing else: it takes results of the exam's tasks. All
// others it keeps waiting, so that whoever has them brings them to where they belong.
testing::FakeServices::PutScript TakeOurs(testing::FakeServices& services);

// Who sits the exam.
std::vector<ExecutorEntry> AllExecutors();

}  // namespace kantoku::executor_exam

#endif  // KANTOKU_TESTS_CONFORMANCE_EXECUTOR_EXAM_EXECUTOR_EXAM_H_
