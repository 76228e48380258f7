#ifndef KANTOKU_PLUGINS_LINEAGE_H_
#define KANTOKU_PLUGINS_LINEAGE_H_

#include <memory>
#include <string>

#include "kantoku/plugin.h"
#include "kantoku/task_id.h"

namespace kantoku {

// Makes every spawn of a client a child of one task, so that whoever cancels or pauses the tree of
// that task reaches what it has spawned, and puts it into that task's context. A spawn with a
// parent (ChildOf) or a context (InContext) of its own keeps it.
//
//   ClientOptions{.plugins = {kantoku::Lineage(parent, root)}}
std::shared_ptr<Plugin> Lineage(TaskId parent, TaskId root, std::string context_id = {});

// The same for the task that this process is run for, if it is a command of `kantoku-executor`, as
// the environment (KANTOKU_TASK_ID, KANTOKU_ROOT_ID,
// KANTOKU_CONTEXT_ID) tells; null when it is none, or they are no
// ids. Command lines of `kantoku` have it.
std::shared_ptr<Plugin> LineageOfProcess();

}  // namespace kantoku

#endif  // KANTOKU_PLUGINS_LINEAGE_H_
