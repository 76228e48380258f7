#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_PROVENANCE_PROTO_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_PROVENANCE_PROTO_H_

#include <string>
#include <string_view>

#include "kantoku/task/v1/task.pb.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Who caused a task of this owner, which stands below the root of a tree or does not. All tasks of
// a tree have the owner of its root.
inline void SetProvenance(std::string_view owner, bool below_root, const Provenance& provenance,
                          task::v1::Provenance& proto) {
  proto.mutable_user()->assign(owner);
  proto.set_app(below_root ? provenance.root_app : provenance.app);
  proto.set_spawner_app(provenance.app);
  proto.set_spawner_executor_owner(provenance.executor_owner);
  if (provenance.ancestors == nullptr) return;
  for (const TaskId& ancestor : *provenance.ancestors) {
    proto.add_ancestors(std::string(ancestor.bytes()));
  }
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_PROVENANCE_PROTO_H_
