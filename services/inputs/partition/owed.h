#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_OWED_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_OWED_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

// What callers are told of a store's error. That this server has lost the partition is no answer to
// their question: another one has it, or this one after a restart.
inline absl::Status ForCaller(const absl::Status& error) {
  if (platform::Judge(error) != platform::CommitVerdict::kLost) return error;
  return platform::Error(absl::StatusCode::kUnavailable, "PARTITION_LOST",
                         absl::StrCat("this server has lost the partition: ", error.message()));
}

// An answer that is owed: commands that wait when a partition is lost are dropped without having
// run.
//
// Thread-compatible.
template <typename Result>
class Owed {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<Result>)>;

  explicit Owed(Done done) : done_(std::move(done)) {}
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;
  ~Owed() {
    if (done_)
      Answer(platform::Error(absl::StatusCode::kUnavailable, "PARTITION_LOST",
                             "this server has lost the partition"));
  }

  void Answer(absl::StatusOr<Result> result) { std::exchange(done_, nullptr)(std::move(result)); }

 private:
  Done done_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_OWED_H_
