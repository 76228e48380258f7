#ifndef KANTOKU_TESTS_SUPPORT_REPLICA_BOARD_H_
#define KANTOKU_TESTS_SUPPORT_REPLICA_BOARD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/replicas/replica_directory.h"

namespace kantoku::platform {

// What the replicas of one component see when they are all in this process: their directory, in
// memory, whose own clock is the test's.
//
// Thread-safe.
class ReplicaBoard {
 public:
  ReplicaBoard(uint32_t partitions, Clock& clock) : clock_(clock), owners_(partitions) {}

  // One replica's way to it. Thread-compatible as any directory.
  std::unique_ptr<ReplicaDirectory> Connect();

  // Asked before each call of a replica whether it comes through, with its id and the method's
  // name. May block.
  using Gate = std::function<absl::Status(std::string_view id, std::string_view method)>;
  void set_gate(Gate gate);

  // Asked after each call, whose work is done, whether its answer comes through.
  void set_answer_gate(Gate gate);

  std::vector<std::string> owners() const;
  void set_owner(uint32_t partition, std::string id);

 private:
  class Connection;

  Clock& clock_;
  mutable Mutex mu_;
  Gate gate_ ABSL_GUARDED_BY(mu_) = [](auto, auto) { return absl::OkStatus(); };
  Gate answer_gate_ ABSL_GUARDED_BY(mu_) = [](auto, auto) { return absl::OkStatus(); };
  struct Row {
    std::string address;
    bool leaving;
    absl::Duration expires;
  };
  std::map<std::string, Row, std::less<>> rows_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> owners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_SUPPORT_REPLICA_BOARD_H_
