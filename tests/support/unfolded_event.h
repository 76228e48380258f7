#ifndef KANTOKU_TESTS_SUPPORT_UNFOLDED_EVENT_H_
#define KANTOKU_TESTS_SUPPORT_UNFOLDED_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kantoku/events/v1/events.pb.h"

namespace kantoku::test {

// The event `offset` of a run that ParseEventBatch takes, made the plain way: what the service
// encodes by hand has to be this message.
inline events::v1::Event Unfolded(const events::v1::EventRun& run, uint32_t offset,
                                  std::string_view position) {
  constexpr size_t kIdSize = 16;
  events::v1::Event event;
  event.set_position(std::string(position));
  event.set_type(run.type());
  *event.mutable_at() = run.at();
  if (!run.task_ids().empty()) {
    event.set_task_id(run.task_ids().substr(size_t{offset} * kIdSize, kIdSize));
  }
  event.set_namespace_(run.namespace_());
  event.set_owner(run.owner());
  event.set_task_type(run.task_type());
  if (run.dispatches_size() > 0) event.set_dispatch(run.dispatches(static_cast<int>(offset)));
  event.set_session_id(run.session_id());
  *event.mutable_details() = run.details();
  return event;
}

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_UNFOLDED_EVENT_H_
