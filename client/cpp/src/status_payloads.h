#ifndef KANTOKU_CLIENT_CPP_SRC_STATUS_PAYLOADS_H_
#define KANTOKU_CLIENT_CPP_SRC_STATUS_PAYLOADS_H_

namespace kantoku::internal {

// Names the payload in which a status carries the task that it is about, as text.
inline constexpr char kTaskIdPayload[] = "kantoku.task_id";
// ... and the revision of its info, in digits.
inline constexpr char kRevisionPayload[] = "kantoku.revision";
// ... and after how long, in milliseconds, an item may be sent again.
inline constexpr char kRetryAfterPayload[] = "kantoku.retry_after_ms";

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_STATUS_PAYLOADS_H_
