#ifndef KANTOKU_SERVICES_INPUTS_FRAME_READER_H_
#define KANTOKU_SERVICES_INPUTS_FRAME_READER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/inputs/partition/session_frame.h"
#include "services/platform/auth/mac.h"
#include "services/platform/identity/identity.h"
#include "services/platform/rpc/received.h"

namespace kantoku::inputs {

// Checks what an executor sent: ids, names, receipts. A report that does not pass is refused with
// its reason and stops no other. INVALID_ARGUMENT only for a bad hello, for one where none belongs,
// and for a frame that cannot be read or says too much at once: then the stream cannot go on.
//
// What a report says for people is taken also when it is no UTF-8, with '?' in it: the report
// matters more.
absl::StatusOr<SessionFrame> ReadFrame(const platform::Received<v1::PullRequest>& received,
                                       const platform::Identity& caller, bool first,
                                       const platform::MacKeys& keys);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_FRAME_READER_H_
