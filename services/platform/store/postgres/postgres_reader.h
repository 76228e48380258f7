#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_READER_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_READER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/store/postgres/key_spans.h"
#include "services/platform/store/postgres/postgres_session.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// The connection that reads, page by page.
//
// Thread-compatible. Errors as RecordStore.
class PostgresReader {
 public:
  static absl::StatusOr<PostgresReader> Open(const PostgresPartition& partition,
                                             std::shared_ptr<const FirstKeys> first_keys,
                                             const PostgresStoreOptions& options);

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit);
  absl::Status Scan(const RecordRange& range, RecordVisitor visit);

 private:
  PostgresReader(const PostgresPartition& partition, std::shared_ptr<const FirstKeys> first_keys,
                 const PostgresStoreOptions& options);

  template <typename Walk>
  absl::Status Follow(const Walk& whole, RecordVisitor visit);
  template <typename Walk>
  absl::Status FollowPages(const Walk& whole, RecordVisitor visit);
  template <typename Walk>
  absl::StatusOr<PostgresRows> AskFirst(Walk& walk);
  template <typename Walk>
  absl::StatusOr<PostgresRows> Ask(const Walk& walk);
  template <typename Walk>
  void Visit(const Walk& walk, const PostgresRows& rows, RecordVisitor visit);

  PostgresPartition partition_;
  std::shared_ptr<const FirstKeys> first_keys_;
  PostgresConnection connection_;
  std::string value_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_READER_H_
