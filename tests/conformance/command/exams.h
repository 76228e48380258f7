#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/auth/mac.h"

namespace kantoku::conformance {

class CallLog;

// Where somebody is to be examined.
struct Target {
  std::string address;
  CallLog* calls = nullptr;                // Of what is said; never null in an exam.
  std::shared_ptr<grpc::Channel> channel;  // To an executor null: it comes to us.
  std::string name_space;                  // For the exam alone; of a store empty.
  // Of Outputs: the Inputs that it works with; that of the target where no other is named.
  std::shared_ptr<grpc::Channel> inputs;
  // Those by which it knows services; null: nobody lends them.
  std::shared_ptr<const platform::MacKeys> keys;
  std::string as_inputs;    // Of Outputs: where the exam is its Inputs; empty: nowhere.
  bool asks_inputs = true;  // Of Outputs: unless it is said to leave that out.
  // Kills the program and starts it again, for the shell; empty: nobody may.
  std::string crash_command;
};

enum class Sitter {
  kStore,
  kService,   // Asks who one is, and has namespaces.
  kExecutor,  // Connects to us.
};

// An exam that the command can hold.
struct Exam {
  std::string_view name;
  std::string_view what;     // Of whom.
  std::string_view sources;  // What the paths of its cases' files have in common.
  Sitter sitter = Sitter::kStore;
  // Looks whether there is somebody to sit it, makes whatever the cases ask for be that (as its
  // entries), and says in which place of the target they will be. UNAVAILABLE, UNREACHABLE: nobody
  // is there; any other error: it is somebody else, or will not be examined.
  std::function<absl::StatusOr<std::string>(const Target&)> enter;
  // Told where that is, waits until whoever sits the exam is there. Empty: he is.
  std::function<absl::Status()> await = {};
  // What it is able to there, as tags (abilities.h). Empty: nothing that a case would have to ask.
  std::function<std::set<std::string>(const Target&)> abilities = {};
  // How many things of its cases could not be taken away so far. Empty: they leave none.
  std::function<size_t()> left_behind = {};
};

// Of a program that serves kantoku.store.v1: in a component of its own, which holds nothing any
// more when the exam is over, as far as the store erases what it is told to.
Exam StoreExam();
// Of Inputs, with an Outputs behind the same address: in the namespace, with names of its own. When
// the exam is over every task of it is told to end, as far as the service listens.
Exam InputsExam();

// Of Outputs. With keys, of one that nobody else uses, whose Inputs the exam is: of tasks that it
// makes up. Else of one beside its Inputs: of tasks that it spawns in the namespace and pulls, as
// an executor does, and which are told to end when the exam is over.
Exam OutputsExam();
// Of Events: in the namespace, of what is appended from now on. With keys it appends, under sources
// that nobody used before; without, it can only ask.
Exam EventsExam();
// Of an executor, of any runtime: the exam is the Inputs and Outputs to which it connects.
Exam ExecutorExam();

// UNAVAILABLE, UNREACHABLE, when no connection comes about within some seconds; with the cause.
absl::Status AwaitConnection(grpc::Channel& channel);

// What a first call ended with, of a service of that name; UNIMPLEMENTED says that it is not there.
absl::Status FirstAnswer(const grpc::Status& status, std::string_view service);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAMS_H_
