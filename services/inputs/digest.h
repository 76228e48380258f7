#ifndef KANTOKU_SERVICES_INPUTS_DIGEST_H_
#define KANTOKU_SERVICES_INPUTS_DIGEST_H_

#include <string_view>

#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// The first 16 bytes of SHA-256: equal on every machine and in every build, because it is stored.
Digest DigestOf(std::string_view bytes);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_DIGEST_H_
