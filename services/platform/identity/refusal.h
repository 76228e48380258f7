#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_REFUSAL_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_REFUSAL_H_

#include "absl/status/status.h"

namespace kantoku::platform {

// The same status, as a refusal in disguise: it says that there is nothing, of what is there but
// not for whom it tells. The mark does not leave the program.
absl::Status Hidden(absl::Status status);

// The same status, which another server of ours has said, and told of in its audit trail if it is a
// refusal: here it is none. The mark does not leave the program.
absl::Status ToldElsewhere(absl::Status status);

// Whether a status says that nobody knows who asks, that he may not, or, hidden, that he shall not
// know; unless that was told elsewhere.
bool IsRefusal(const absl::Status& status);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_REFUSAL_H_
