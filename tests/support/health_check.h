#ifndef KANTOKU_TESTS_SUPPORT_HEALTH_CHECK_H_
#define KANTOKU_TESTS_SUPPORT_HEALTH_CHECK_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace kantoku::test {

// What the standard health service says of `service`, "" for the whole server: "SERVING",
// "NOT_SERVING", or the message of the call's error. Waits a minute at most.
std::string HealthOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service);

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_HEALTH_CHECK_H_
