#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAM_CLEANUP_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_EXAM_CLEANUP_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace kantoku::conformance {

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
