#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kantoku::conformance {

// An exam that the command can hold.
struct Exam {
  std::string_view name;
  std::string_view what;     // Of whom.
  std::string_view sources;  // What the paths of its cases' files have in common.
  // Looks whether there is somebody to sit it, makes whatever the cases ask for be that (as its
  // entries), and says in which place of the target they will be. UNAVAILABLE, UNREACHABLE: nobody
  // is there; any other error: it is somebody else, or will not be examined.
  std::function<absl::StatusOr<std::string>(const std::shared_ptr<grpc::Channel>&)> enter;
};

// Of a program that serves kantoku.store.v1: in a component of its own, which holds nothing any
// more when the exam is over.
Exam StoreExam();

// UNAVAILABLE, UNREACHABLE, when no connection comes about within some seconds; with the cause.
absl::Status AwaitConnection(grpc::Channel& channel);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
