#include "tests/simulation/world/faulty_store.h"

#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::simulation {

absl::Status FaultyStore::Commit(const platform::WriteBatch& batch) {
  if (faults_.full_for > 0) {
    --faults_.full_for;
    return platform::Error(absl::StatusCode::kResourceExhausted, platform::kStoreFull, "full");
  }
  const uint64_t fate = faults_.calm ? 1'000 : scene_.random.Pick(1'000);
  if (fate < 2) {
    scene_.Did(faults_.deeds.full);
    faults_.full_for = static_cast<int>(scene_.random.Pick(4));
    return platform::Error(absl::StatusCode::kResourceExhausted, platform::kStoreFull, "full");
  }
  if (fate < 7) {
    scene_.Did(faults_.deeds.fails);
    return platform::Error(absl::StatusCode::kUnavailable, platform::kStoreBusy, "busy");
  }
  absl::Status done = ForwardingRecordStore::Commit(batch);
  scene_.Expect(done.ok(), "the store takes what its owner commits");
  if (batch.number() != faults_.last_batch) {
    faults_.last_batch = batch.number();
    faults_.on_durable(batch);
  }
  if (fate < 12) {
    scene_.Did(faults_.deeds.unknown);
    return platform::Error(absl::StatusCode::kUnavailable, platform::kStoreFailing, "unknown");
  }
  return done;
}

absl::Status FaultyStore::Read(const platform::RecordKeys& keys, platform::RecordVisitor visit) {
  if (!faults_.calm && scene_.random.OneIn(500)) {
    scene_.Did(faults_.deeds.read_fails);
    return platform::Error(absl::StatusCode::kUnavailable, platform::kStoreBusy, "busy");
  }
  return ForwardingRecordStore::Read(keys, visit);
}

}  // namespace kantoku::simulation
