#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_REVOCABLE_RECORD_STORE_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_REVOCABLE_RECORD_STORE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "services/platform/mutex.h"
#include "services/platform/store/forwarding_record_store.h"

namespace kantoku::inputs {

// A store whose owner can be told by others that it is not the owner any more: the store itself
// does not know.
//
// Guarantees, thread safety and errors are those of the store behind; Revoke may be called from any
// thread.
class RevocableRecordStore final : public platform::ForwardingRecordStore {
 public:
  explicit RevocableRecordStore(std::unique_ptr<platform::RecordStore> behind)
      : ForwardingRecordStore(std::move(behind)) {}

  // From now on every commit does nothing and is `why`, which is ABORTED. The first one counts.
  void Revoke(absl::Status why) {
    platform::MutexLock lock(mutex_);
    revoked_.Update(std::move(why));
  }

  absl::Status Commit(const platform::WriteBatch& batch) override {
    {
      platform::MutexLock lock(mutex_);
      if (!revoked_.ok()) return revoked_;
    }
    return ForwardingRecordStore::Commit(batch);
  }

 private:
  platform::Mutex mutex_;
  absl::Status revoked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_REVOCABLE_RECORD_STORE_H_
