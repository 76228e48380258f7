#ifndef KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_INPUTS_SERVICE_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_INPUTS_SERVICE_EXAM_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/auth/mac.h"

namespace kantoku::inputs {

// A running InputsService that sits the exam, empty, with an OutputsService behind the same
// channel. Its largest payload is kMaxPayload, the cap on credit kMaxCredit.
class ServiceSubject {
 public:
  static constexpr uint64_t kMaxPayload = 10'000;
  static constexpr uint32_t kMaxCredit = 50;

  virtual ~ServiceSubject() = default;

  virtual std::shared_ptr<grpc::Channel> channel() = 0;
  // The keys under which services prove themselves.
  virtual const platform::MacKeys& keys() = 0;
  // Stops it as an operator does, and starts it on what was left behind.
  virtual void Restart() = 0;
  // Told by a case that would restart it, if it kept what was there.
  virtual void GoOnWithoutRestart() {}
};

// Whether a restart keeps what was there; a case that asks, and hears no, leaves a part out.
class Durable {
 public:
  Durable(ServiceSubject& subject, bool durable) : subject_(subject), durable_(durable) {}
  operator bool() const {  // NOLINT(google-explicit-constructor): cases ask by `if`.
    if (!durable_) subject_.GoOnWithoutRestart();
    return durable_;
  }

 private:
  ServiceSubject& subject_;
  const bool durable_;
};

struct ServiceEntry {
  std::string name;  // Of the backend, as ctest's names have it.
  bool durable;      // Whether a restart keeps what was there.
  std::function<std::unique_ptr<ServiceSubject>()> make;
};

// The service over those of its backends that this run is about (tests/support/backend.h).
std::vector<ServiceEntry> AllServices();

}  // namespace kantoku::inputs

#endif  // KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_INPUTS_SERVICE_EXAM_H_
