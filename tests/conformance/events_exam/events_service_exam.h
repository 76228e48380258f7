#ifndef KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENTS_SERVICE_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENTS_SERVICE_EXAM_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/auth/mac.h"

namespace kantoku::events {

// A running EventsService that sits the exam, on an empty log, or in a
// place of its own (exam_place.h).
class ServiceSubject {
 public:
  virtual ~ServiceSubject() = default;

  virtual std::shared_ptr<grpc::Channel> channel() = 0;
  // The keys under which services prove themselves to it.
  virtual const platform::MacKeys& keys() = 0;

  // Whether nobody else appends; a case that asks, and hears no, leaves a part out.
  virtual bool IsAlone() { return true; }

  // Stops it as an operator does.
  virtual void Stop() = 0;
  // Starts it again on what was left behind.
  virtual void Start() = 0;
};

struct ServiceEntry {
  std::string name;  // Of the backend, as ctest's names have it.
  bool durable;      // Whether a restart keeps what was there.
  std::function<std::unique_ptr<ServiceSubject>()> make;
};

// The service over those of its backends that this run is about (tests/support/backend.h).
std::vector<ServiceEntry> AllServices();

}  // namespace kantoku::events

#endif  // KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENTS_SERVICE_EXAM_H_
