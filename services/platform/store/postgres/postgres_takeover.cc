#include "services/platform/store/postgres/postgres_takeover.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/status.h"
#include "services/platform/store/postgres/postgres_schema.h"
#include "services/platform/store/postgres/postgres_session.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr int kTakeovers = 3;

// Behind the name of the owner's sessions; with it the name has 63 bytes at most.
constexpr char kSuffix[] = " new";

// A server that a failover sent back in time counts from an older epoch; the clock keeps it from
// giving one twice, which an earlier owner would take for its own.
constexpr char kTakeOver[] =
    "UPDATE {schema}.{component}_partition"
    " SET epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::int8),"
    " format = $2::int8, holder = $3::text, opened = now()"
    " WHERE partition = $1::int8 AND format <= $2::int8 RETURNING epoch";

// In each session, also in one that is made anew.
PostgresOptions OptionsOf(const PostgresStoreOptions& options, std::string name) {
  PostgresOptions session = SessionOptions(options, std::move(name));
  absl::StrAppend(&session.session,
                  "SET lock_timeout = ", absl::ToInt64Milliseconds(options.takeover_timeout), ";");
  return session;
}

std::string Holder() {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  return absl::StrCat(host, " process ", ::getpid());
}

absl::Status TooNew(const PostgresTables& place, int64_t format, uint32_t known) {
  return Error(
      absl::StatusCode::kFailedPrecondition, kStoreTooNew,
      absl::StrCat("records of ", place.component, " in schema ", place.schema, " have format ",
                   format, ", and this program knows none above ", known, "; run a newer one"));
}

class Takeover {
 public:
  Takeover(const StoreSchema& schema, uint32_t partition, const PostgresStoreOptions& options)
      : schema_(schema),
        place_{options.schema, std::string(schema.component)},
        partition_(partition),
        connection_(OptionsOf(options, SessionsOf(place_, partition) + kSuffix)) {
    connection_.Prepare("take_over", InPlace(kTakeOver, place_));
  }

  // The new epoch.
  absl::StatusOr<int64_t> Run() {
    for (int attempt = 1;; ++attempt) {
      auto epoch = Try();
      const bool is_locked = ReasonOf(epoch.status()) == kStoreBusy;
      if (epoch.ok() || !is_locked || attempt == kTakeovers) return epoch;
      KANTOKU_RETURN_IF_ERROR(EndSessionsOfOwner());
    }
  }

 private:
  absl::StatusOr<int64_t> Try() {
    KANTOKU_RETURN_IF_ERROR(
        connection_
            .Execute(
                absl::StrCat(InPlace("INSERT INTO {schema}.{component}_partition VALUES (", place_),
                             partition_, ", 0, 0, '', now()) ON CONFLICT DO NOTHING"))
            .status());
    KANTOKU_ASSIGN_OR_RETURN(
        const PostgresRows rows,
        connection_.Run(
            "take_over",
            PostgresParameters().Integer(partition_).Integer(schema_.format).Text(Holder())));
    if (rows.empty()) return WhyNot();
    return rows.Integer(0, 0);
  }

  absl::Status WhyNot() {
    KANTOKU_ASSIGN_OR_RETURN(
        const PostgresRows rows,
        connection_.Execute(absl::StrCat(
            InPlace("SELECT format FROM {schema}.{component}_partition WHERE partition = ", place_),
            partition_)));
    return TooNew(place_, rows.empty() ? 0 : rows.Integer(0, 0), schema_.format);
  }

  // And of whoever hangs while it takes over, but of nobody who waits as we do.
  absl::Status EndSessionsOfOwner() {
    const std::string owner = SessionsOf(place_, partition_);
    return connection_
        .Execute(absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE datname = current_database() AND usename = current_user"
                              " AND pid <> pg_backend_pid() AND (application_name = ",
                              PostgresLiteral(owner),
                              " OR application_name = ", PostgresLiteral(owner + kSuffix),
                              " AND wait_event_type IS DISTINCT FROM 'Lock')"))
        .status();
  }

  const StoreSchema& schema_;
  const PostgresTables place_;
  const uint32_t partition_;
  PostgresConnection connection_;
};

}  // namespace

absl::StatusOr<int64_t> TakeOver(const StoreSchema& schema, uint32_t partition,
                                 const PostgresStoreOptions& options) {
  return Takeover(schema, partition, options).Run();
}

}  // namespace kantoku::platform
