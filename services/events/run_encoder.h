#ifndef KANTOKU_SERVICES_EVENTS_RUN_ENCODER_H_
#define KANTOKU_SERVICES_EVENTS_RUN_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "kantoku/events/v1/events.pb.h"

namespace kantoku::events {

// Unfolds a run straight into encoded events, of which each costs little more than copying its
// bytes: what the events of a run share is encoded once.
//
// Thread-compatible. The run outlives it.
class RunEncoder {
 public:
  explicit RunEncoder(const v1::EventRun& run);

  // Appends the event `offset` of the run as one more of a message's `events`; the message is a
  // SubscribeResponse or a ReadResponse.
  void Append(uint32_t offset, std::string_view position, std::string& message) const;

 private:
  const v1::EventRun& run_;
  // Fields of every event, in the order of their numbers, between those that it has of its own.
  std::string before_task_;
  std::string before_dispatch_;
  std::string after_dispatch_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_RUN_ENCODER_H_
