#ifndef KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_OUTPUTS_SERVICE_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_OUTPUTS_SERVICE_EXAM_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/task/v1/task.pb.h"
#include "services/platform/auth/mac.h"

namespace kantoku::outputs {

// A running OutputsService that sits the exam, which holds nothing of the case's tasks, beside an
// Inputs that says what it is told to.
class ServiceSubject {
 public:
  virtual ~ServiceSubject() = default;

  virtual std::shared_ptr<grpc::Channel> channel() = 0;
  // The keys under which leases are minted and services prove themselves; what is asked for only
  // by cases that need them.
  virtual const platform::MacKeys& keys() = 0;
  // Whether there are keys; a case that asks, and hears no, leaves a part out.
  virtual bool HasKeys() { return true; }
  // Of the n-th task of the case, for its session. Without keys there is but the first dispatch.
  virtual std::string LeaseToken(uint64_t task, uint32_t dispatch);

  // Stops it as an operator does.
  virtual void Stop() = 0;
  // Starts it again on what was left behind.
  virtual void Start() = 0;
  // Told by a case that would restart it, if it kept what was there.
  virtual void GoOnWithoutRestart() {}
  // From the next start on it keeps so many bytes, and no more; else more than any test puts.
  virtual void SetMaxBytes(uint64_t bytes) = 0;

  // What Inputs says of a task from now on; it knows no others.
  virtual void SetTask(const std::string& id, task::v1::TaskState state) = 0;
  // From now on Inputs cannot say anything of a task, whose record is damaged.
  virtual void DamageTask(const std::string& id) = 0;
  // Whether Inputs answers at all. True at first.
  virtual void SetInputsThere(bool there) = 0;
  // Blocks until Inputs was asked so often in all, in vain or not.
  virtual void AwaitQuestions(int count) = 0;
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

}  // namespace kantoku::outputs

#endif  // KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_OUTPUTS_SERVICE_EXAM_H_
