#ifndef KANTOKU_SERVICES_OUTPUTS_ACCESS_H_
#define KANTOKU_SERVICES_OUTPUTS_ACCESS_H_

#include "services/outputs/result_codec.h"
#include "services/platform/auth/tokens.h"

namespace kantoku::outputs {

// Whether `caller` may see this end. To everybody else the task does not exist, but to who has a
// read grant for it.
inline bool MayRead(const platform::Caller& caller, const StoredResult& result) {
  return caller.subject == result.owner;
}

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_ACCESS_H_
