#ifndef KANTOKU_TESTS_CONFORMANCE_ANSWER_H_
#define KANTOKU_TESTS_CONFORMANCE_ANSWER_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::conformance {

// What a call is answered with, or why not. Who looks into an answer that there is not fails the
// case, with the status, and not the program: others follow.
template <typename T>
class Answer {
 public:
  // As a StatusOr is made of either.
  Answer(absl::Status status)  // NOLINT(google-explicit-constructor)
      : answer_(std::move(status)) {}
  Answer(T answer)  // NOLINT(google-explicit-constructor)
      : answer_(std::move(answer)) {}

  bool ok() const { return answer_.ok(); }
  const absl::Status& status() const { return answer_.status(); }
  const T& operator*() const& { return answer_.value(); }
  const T* operator->() const { return &answer_.value(); }

 private:
  absl::StatusOr<T> answer_;
};

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_ANSWER_H_
