#ifndef KANTOKU_SERVICES_INPUTS_STORE_H_
#define KANTOKU_SERVICES_INPUTS_STORE_H_

#include "services/platform/store/record_store.h"

namespace kantoku::inputs {

// The records of Inputs. What each holds is in record_codec.h, byte for byte in README.md. Keys are
// handed out in sequence, so stores write at their end.
enum class RecordKind : platform::RecordKind {
  kSpec = 1,         // By task key: what was asked for, payload included; written once.
  kState = 2,        // By task key: what happened to it since; only when something unusual did.
  kGroup = 3,        // By group number: dispatches that were decided together.
  kSession = 4,      // By session number: executor sessions that hold something.
  kReference = 5,    // By the holder's task key.
  kRequest = 6,      // By number: spawn calls that may be repeated.
  kHighWater = 7,    // By slot: sequences below are used or reserved.
  kHistory = 8,      // By row number: succeeded tasks, one row a commit.
  kDead = 9,         // By row number: failed and cancelled tasks, one row a commit.
  kOutbox = 10,      // By number: lines for Events that it has not confirmed, one row a commit.
  kMeta = 11,        // By MetaKey.
  kObject = 12,      // By number: what operators have set, such as routes.
  kCheckpoint = 13,  // By task key: what a dispatch left to the next one.
  kTree = 14,        // By the root's task key: what was asked of a whole tree.
  kEndedDependency = 15,  // By its task key: ended badly, and not all that wait for it know.
  kAdmission = 16,        // By number: limits of keys, and pauses of types and namespaces.
  kRestart = 17,          // By the dead task's key: what it was restarted as.
  kReuse = 18,            // By task key: results of PURE tasks that may be reused.
  kInfo = 20,             // By task key: its info since the first patch.
  kInbox = 21,            // By task key: spawned by SQL, and not admitted yet.
};

enum class MetaKey : platform::RecordKey {
  kIncarnation = 1,  // Random, made with the store: tells Events its batches from another store's.
  kNextOutbox = 2,   // Outbox lines below are used or reserved.
  kSlotCount = 3,    // Made with the store: which slot a namespace has follows from it.
};

constexpr platform::RecordKind ToKind(RecordKind kind) {
  return static_cast<platform::RecordKind>(kind);
}

inline platform::StoreSchema InputsSchema() {
  return {.component = "inputs",
          .format = 6,  // Rises with each new format of a record, so that older programs refuse it.
          .kinds = {{ToKind(RecordKind::kSpec), "spec"},
                    {ToKind(RecordKind::kState), "state"},
                    {ToKind(RecordKind::kGroup), "dispatch_group"},
                    {ToKind(RecordKind::kSession), "session"},
                    {ToKind(RecordKind::kReference), "reference"},
                    {ToKind(RecordKind::kRequest), "request"},
                    {ToKind(RecordKind::kHighWater), "high_water"},
                    {ToKind(RecordKind::kHistory), "history"},
                    {ToKind(RecordKind::kDead), "dead"},
                    {ToKind(RecordKind::kOutbox), "outbox"},
                    {ToKind(RecordKind::kMeta), "meta"},
                    {ToKind(RecordKind::kObject), "object"},
                    {ToKind(RecordKind::kCheckpoint), "checkpoint"},
                    {ToKind(RecordKind::kTree), "tree"},
                    {ToKind(RecordKind::kEndedDependency), "ended_dependency"},
                    {ToKind(RecordKind::kAdmission), "admission"},
                    {ToKind(RecordKind::kRestart), "restart"},
                    {ToKind(RecordKind::kInfo), "info"},
                    {ToKind(RecordKind::kReuse), "reuse"},
                    {ToKind(RecordKind::kInbox), "inbox", /*from_others=*/true}}};
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_STORE_H_
