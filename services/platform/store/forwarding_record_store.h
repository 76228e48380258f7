#ifndef KANTOKU_SERVICES_PLATFORM_STORE_FORWARDING_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_FORWARDING_RECORD_STORE_H_

#include <memory>
#include <utility>

#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// Hands every call on. Base of decorators, which override what they change.
//
// Guarantees, thread safety and errors are those of the store behind, which it owns.
class ForwardingRecordStore : public RecordStore {
 public:
  explicit ForwardingRecordStore(std::unique_ptr<RecordStore> behind)
      : behind_(std::move(behind)) {}

  uint64_t epoch() const override { return behind_->epoch(); }
  absl::StatusOr<uint64_t> LastBatch() override { return behind_->LastBatch(); }
  absl::Status Commit(const WriteBatch& batch) override { return behind_->Commit(batch); }
  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    return behind_->Read(keys, visit);
  }
  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    return behind_->Scan(range, visit);
  }

 private:
  const std::unique_ptr<RecordStore> behind_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_FORWARDING_RECORD_STORE_H_
