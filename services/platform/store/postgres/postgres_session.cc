#include "services/platform/store/postgres/postgres_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

// Every statement looks a few rows up by the primary key; statistics of a table that was empty a
// moment ago must not lead anywhere else, and nothing is planned twice.
constexpr char kPlans[] =
    "SET plan_cache_mode = force_generic_plan; SET jit = off;"
    "SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off;"
    "SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;";

}  // namespace

std::string SessionsOf(const PostgresTables& place, uint32_t partition) {
  return absl::StrCat("kantoku ", place.schema, " ", PartitionName(place.component, partition));
}

absl::Status WhileOpen(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return Error(absl::StatusCode::kUnavailable, kStoreFailing, ToStd(status.message()));
    default:
      return status;
  }
}

PostgresOptions SessionOptions(const PostgresStoreOptions& options, std::string name) {
  return {.connection = options.connection,
          .password_file = options.password_file,
          .application_name = std::move(name),
          .connect_timeout = options.connect_timeout,
          .statement_timeout = options.statement_timeout,
          .session = kPlans};
}

}  // namespace kantoku::platform
