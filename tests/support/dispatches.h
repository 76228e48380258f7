#ifndef KANTOKU_TESTS_SUPPORT_DISPATCHES_H_
#define KANTOKU_TESTS_SUPPORT_DISPATCHES_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/platform/ids.h"

namespace kantoku::testing {

inline std::string IdOf(uint64_t sequence) {
  return std::string(
      platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 1, sequence, 0).bytes());
}

// What Inputs sends for the task with this sequence.
inline inputs::v1::Dispatch DispatchOf(uint64_t sequence, uint32_t dispatch = 1) {
  inputs::v1::Dispatch message;
  message.set_task_id(IdOf(sequence));
  message.set_dispatch(dispatch);
  message.set_attempt(1);
  message.set_type("test.type");
  message.set_payload("payload " + std::to_string(sequence));
  message.mutable_timeout()->set_seconds(60);
  message.set_lease_token("lease " + std::to_string(sequence));
  return message;
}

}  // namespace kantoku::testing

#endif  // KANTOKU_TESTS_SUPPORT_DISPATCHES_H_
