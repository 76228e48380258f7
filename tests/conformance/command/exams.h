#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::conformance {

// Where somebody is to be examined.
struct Target {
  std::shared_ptr<grpc::Channel> channel;
  std::string name_space;  // For the exam alone; of a store empty.
  // Kills the program and starts it again, for the shell; empty: nobody may.
  std::string crash_command;
};

// An exam that the command can hold.
struct Exam {
  std::string_view name;
  std::string_view what;     // Of whom.
  std::string_view sources;  // What the paths of its cases' files have in common.
  bool is_service = false;   // Asks who one is, and has namespaces.
  // Looks whether there is somebody to sit it, makes whatever the cases ask for be that (as its
  // entries), and says in which place of the target they will be. UNAVAILABLE, UNREACHABLE: nobody
  // is there; any other error: it is somebody else, or will not be examined.
  std::function<absl::StatusOr<std::string>(const Target&)> enter;
  // How many things of its cases could not be taken away so far. Empty: they leave none.
  std::function<size_t()> left_behind = {};
};

// Of a program that serves kantoku.store.v1: in a component of its own, which holds nothing any
// more when the exam is over, as far as the store erases what it is told to.
Exam StoreExam();
// Of Inputs, with an Outputs behind the same address: in the namespace, with names of its own. When
// the exam is over every task of it is told to end, as far as the service listens.
Exam InputsExam();

// UNAVAILABLE, UNREACHABLE, when no connection comes about within some seconds; with the cause.
absl::Status AwaitConnection(grpc::Channel& channel);

// What a first call ended with, of a service of that name; UNIMPLEMENTED says that it is not there.
absl::Status FirstAnswer(const grpc::Status& status, std::string_view service);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
