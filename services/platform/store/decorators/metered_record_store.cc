#include "services/platform/store/decorators/metered_record_store.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <string>
#include <utility>

#include "services/platform/status.h"
#include "services/platform/store/forwarding_record_store.h"

namespace kantoku::platform {
namespace {

using Labels = std::map<std::string, std::string>;

// From a commit in memory to a disk that stalls.
prometheus::Histogram::BucketBoundaries SecondsBuckets() {
  return {1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
}

// The figures of one partition. Registering a name again finds what is there.
struct Meters {
  Meters(prometheus::Registry& registry, const Labels& labels)
      : labels(labels),
        commit_seconds(prometheus::BuildHistogram()
                           .Name("kantoku_store_commit_seconds")
                           .Help("Time that a successful commit took")
                           .Register(registry)
                           .Add(labels, SecondsBuckets())),
        read_seconds(prometheus::BuildHistogram()
                         .Name("kantoku_store_read_seconds")
                         .Help("Time that a successful read or scan took")
                         .Register(registry)
                         .Add(labels, SecondsBuckets())),
        commit_bytes(prometheus::BuildCounter()
                         .Name("kantoku_store_commit_bytes_total")
                         .Help("Bytes of the batches that were committed")
                         .Register(registry)
                         .Add(labels)),
        commit_records(prometheus::BuildCounter()
                           .Name("kantoku_store_commit_records_total")
                           .Help("Changes of records that were committed")
                           .Register(registry)
                           .Add(labels)),
        failures(prometheus::BuildCounter()
                     .Name("kantoku_store_failures_total")
                     .Help("Operations that failed, by operation and status code")
                     .Register(registry)) {}

  void CountFailure(const std::string& operation, const absl::Status& status) {
    Labels with_code = labels;
    with_code["operation"] = operation;
    with_code["code"] = absl::StatusCodeToString(status.code());
    failures.Add(with_code).Increment();
  }

  const Labels labels;
  prometheus::Histogram& commit_seconds;
  prometheus::Histogram& read_seconds;
  prometheus::Counter& commit_bytes;
  prometheus::Counter& commit_records;
  prometheus::Family<prometheus::Counter>& failures;
};

class MeteredRecordStore final : public ForwardingRecordStore {
 public:
  MeteredRecordStore(std::unique_ptr<RecordStore> behind, const Meters& meters, const Clock& clock)
      : ForwardingRecordStore(std::move(behind)), meters_(meters), clock_(clock) {}

  absl::Status Commit(const WriteBatch& batch) override {
    const absl::Duration start = clock_.Read().steady;
    absl::Status status = ForwardingRecordStore::Commit(batch);
    if (status.ok()) {
      meters_.commit_seconds.Observe(SecondsSince(start));
      meters_.commit_bytes.Increment(static_cast<double>(batch.bytes()));
      meters_.commit_records.Increment(static_cast<double>(batch.operations().size()));
    } else {
      meters_.CountFailure("commit", status);
    }
    return status;
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    const absl::Duration start = clock_.Read().steady;
    return NoteRead(start, ForwardingRecordStore::Read(keys, visit));
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    const absl::Duration start = clock_.Read().steady;
    return NoteRead(start, ForwardingRecordStore::Scan(range, visit));
  }

 private:
  double SecondsSince(absl::Duration start) const {
    return absl::ToDoubleSeconds(clock_.Read().steady - start);
  }

  absl::Status NoteRead(absl::Duration start, absl::Status status) {
    if (status.ok()) {
      meters_.read_seconds.Observe(SecondsSince(start));
    } else {
      meters_.CountFailure("read", status);
    }
    return status;
  }

  Meters meters_;
  const Clock& clock_;
};

class MeteredRecordStoreFactory final : public RecordStoreFactory {
 public:
  MeteredRecordStoreFactory(std::unique_ptr<RecordStoreFactory> behind, std::string_view component,
                            prometheus::Registry& registry, Clock& clock)
      : behind_(std::move(behind)), component_(component), registry_(registry), clock_(clock) {}

  StoreTraits traits() const override { return behind_->traits(); }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    KANTOKU_ASSIGN_OR_RETURN(std::unique_ptr<RecordStore> store, behind_->Open(partition));
    const Labels labels{{"component", component_}, {"partition", std::to_string(partition)}};
    return std::make_unique<MeteredRecordStore>(std::move(store), Meters(registry_, labels),
                                                clock_);
  }

 private:
  const std::unique_ptr<RecordStoreFactory> behind_;
  const std::string component_;
  prometheus::Registry& registry_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<RecordStoreFactory> MakeMeteredRecordStoreFactory(
    std::unique_ptr<RecordStoreFactory> behind, std::string_view component,
    prometheus::Registry& registry, Clock& clock) {
  return std::make_unique<MeteredRecordStoreFactory>(std::move(behind), component, registry, clock);
}

}  // namespace kantoku::platform
