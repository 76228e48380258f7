#ifndef KANTOKU_SERVICES_INPUTS_TASK_TOKEN_RULES_H_
#define KANTOKU_SERVICES_INPUTS_TASK_TOKEN_RULES_H_

#include "absl/status/status.h"
#include "services/inputs/engine/types.h"
#include "services/platform/identity/identity.h"

namespace kantoku::inputs {

// What a spec may say that a handler spawns with its task token, as far as the spec tells: its
// parent is the handler's task, also where it names none. What hangs on other tasks the engine
// asks.
//
// PERMISSION_DENIED: TASK_TOKEN_PARENT when it names another one; TASK_TOKEN_FORBIDS names the
// field: `reuse_within`, which would tell what the owner has run before; and every key, as whoever
// holds its slots or drains its bucket holds up others' tasks.
absl::Status ApplyTaskToken(const platform::ActingHandler& handler, TaskSpec& spec);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_TASK_TOKEN_RULES_H_
