#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAM_CLEANUP_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAM_CLEANUP_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "tests/conformance/command/exams.h"

namespace kantoku::conformance {

// Of the exam that this process holds, there is one: whom the subjects of its cases are made of.
// Confined to the main thread until Use has returned; then it stays as it is.
const Target& TheTarget();
// From here on, that is this one. UNAVAILABLE, UNREACHABLE, where it is not there.
absl::Status Use(const Target& target);

// How many tasks and pauses of the exam may live on. Confined to the main thread.
size_t& LeftBehind();

// What a call of the command itself may take.
void SetDeadline(grpc::ClientContext& context);

// Whether an Inputs is there, and lets one into the namespace.
absl::Status KnockAtInputs(const std::shared_ptr<grpc::Channel>& inputs,
                           const std::string& name_space);

// Tells what lives of that type to be cancelled. How many tasks may live on.
size_t CancelTasks(const std::shared_ptr<grpc::Channel>& inputs, const std::string& name_space,
                   const std::string& type);

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAM_CLEANUP_H_
