#ifndef KANTOKU_SERVICES_INPUTS_INBOX_READER_H_
#define KANTOKU_SERVICES_INPUTS_INBOX_READER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/spawn_batch.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/identity/identity.h"

namespace kantoku::inputs {

// A role of the database, and whom its tasks belong to.
struct DatabaseRole {
  std::string name;
  std::string name_space;
  std::string owner;
  std::string scope;  // As in access tokens.
};

// Checks what was spawned by SQL, as a call of Spawn by the owner of its role would be.
//
// Thread-safe. The book outlives it.
class InboxReader {
 public:
  InboxReader(const std::vector<DatabaseRole>& roles, const SpecLimits& limits,
              const platform::BlockBook& blocks);

  // The batch of it alone, or what is wrong with it: UNAVAILABLE, ROLE_UNKNOWN when we know of no
  // such role for its owner and namespace, which others may, as they have another configuration
  // until they are restarted; INVALID_ARGUMENT, BAD_OPTIONS when the options are not those of a
  // task, NOT_FROM_SQL of those that only a call may have; that the owner is blocked; and what
  // ReadSpawn says of a spec.
  absl::StatusOr<std::shared_ptr<const SpawnBatch>> Read(const StoredInbox& record,
                                                         absl::Time now) const;

 private:
  absl::StatusOr<const platform::Identity*> Spawner(const StoredInbox& record) const;

  const SpecLimits limits_;
  const platform::BlockBook& blocks_;
  std::map<std::string, platform::Identity, std::less<>> spawners_;  // By role.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_INBOX_READER_H_
