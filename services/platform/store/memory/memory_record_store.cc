#include "services/platform/store/memory/memory_record_store.h"

#include <array>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

using Table = absl::btree_map<RecordKey, std::string>;

// What outlives the owners of a partition.
struct Partition {
  Partition(const StoreSchema& schema, uint32_t number)
      : name(PartitionName(schema.component, number)) {
    for (const StoreSchema::Kind& kind : schema.kinds) tables[kind.kind].emplace();
  }

  const std::string name;

  Mutex mu;
  uint64_t epoch ABSL_GUARDED_BY(mu) = 0;
  uint64_t last_batch ABSL_GUARDED_BY(mu) = 0;
  std::array<std::optional<Table>, 256> tables ABSL_GUARDED_BY(mu);
};

class MemoryRecordStore final : public RecordStore {
 public:
  MemoryRecordStore(std::shared_ptr<Partition> partition, uint64_t epoch)
      : partition_(std::move(partition)), epoch_(epoch) {}

  uint64_t epoch() const override { return epoch_; }

  absl::StatusOr<uint64_t> LastBatch() override {
    MutexLock lock(partition_->mu);
    if (fenced()) return Fenced();
    return partition_->last_batch;
  }

  absl::Status Commit(const WriteBatch& batch) override {
    KANTOKU_CHECK(batch.number() > 0);
    MutexLock lock(partition_->mu);
    if (fenced()) return Fenced();
    if (batch.number() == partition_->last_batch) return absl::OkStatus();
    if (batch.number() < partition_->last_batch) {
      return BatchOutOfOrderError(batch.number(), partition_->last_batch);
    }
    for (const WriteBatch::Operation& operation : batch.operations()) Apply(batch, operation);
    partition_->last_batch = batch.number();
    return absl::OkStatus();
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    MutexLock lock(partition_->mu);
    if (fenced()) return Fenced();
    const Table& records = table(keys.kind);
    for (const RecordKey key : keys.keys) {
      if (const auto found = records.find(key); found != records.end()) visit(key, found->second);
    }
    return absl::OkStatus();
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    MutexLock lock(partition_->mu);
    if (fenced()) return Fenced();
    if (range.first > range.last) return absl::OkStatus();
    const Table& records = table(range.kind);
    const auto begin = records.lower_bound(range.first);
    const auto end = records.upper_bound(range.last);
    size_t left = range.limit;
    if (range.descending) {
      for (auto it = end; it != begin && left > 0; --left) {
        --it;
        visit(it->first, it->second);
      }
    } else {
      for (auto it = begin; it != end && left > 0; ++it, --left) visit(it->first, it->second);
    }
    return absl::OkStatus();
  }

 private:
  bool fenced() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(partition_->mu) {
    return partition_->epoch != epoch_;
  }

  absl::Status Fenced() const { return Annotate(FencedError(), partition_->name); }

  Table& table(RecordKind kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(partition_->mu) {
    KANTOKU_CHECK(partition_->tables[kind].has_value());
    return *partition_->tables[kind];
  }

  void Apply(const WriteBatch& batch, const WriteBatch::Operation& operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(partition_->mu) {
    Table& records = table(operation.kind);
    switch (operation.type) {
      case WriteBatch::Operation::Type::kPut:
        records.insert_or_assign(operation.first, std::string(batch.value(operation)));
        return;
      case WriteBatch::Operation::Type::kErase:
        if (operation.first == operation.last) {
          records.erase(operation.first);
        } else {
          records.erase(records.lower_bound(operation.first), records.upper_bound(operation.last));
        }
        return;
    }
  }

  const std::shared_ptr<Partition> partition_;
  const uint64_t epoch_;
};

class MemoryRecordStoreFactory final : public RecordStoreFactory {
 public:
  explicit MemoryRecordStoreFactory(StoreSchema schema) : schema_(std::move(schema)) {}

  StoreTraits traits() const override { return {.name = "memory", .durable = false}; }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t number) override {
    std::shared_ptr<Partition> partition = Find(number);
    MutexLock lock(partition->mu);
    return std::make_unique<MemoryRecordStore>(partition, ++partition->epoch);
  }

 private:
  std::shared_ptr<Partition> Find(uint32_t number) {
    MutexLock lock(mu_);
    std::shared_ptr<Partition>& partition = partitions_[number];
    if (partition == nullptr) partition = std::make_shared<Partition>(schema_, number);
    return partition;
  }

  const StoreSchema schema_;

  Mutex mu_;
  std::map<uint32_t, std::shared_ptr<Partition>> partitions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<RecordStoreFactory> MakeMemoryRecordStoreFactory(StoreSchema schema) {
  return std::make_unique<MemoryRecordStoreFactory>(std::move(schema));
}

}  // namespace kantoku::platform
