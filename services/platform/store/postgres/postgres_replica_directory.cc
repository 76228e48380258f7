#include "services/platform/store/postgres/postgres_replica_directory.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/postgres/connection_string.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/status.h"
#include "services/platform/store/postgres/postgres_schema.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(1);  // Half a lease; libpq connects within two.

constexpr char kCount[] = "SELECT {schema}.{component}_count($1)";

constexpr char kBeat[] =
    "SELECT of_partition, of_replica, at_address, is_leaving::int4"
    " FROM {schema}.{component}_beat($1,$2,$3,$4)"
    " ORDER BY of_partition, of_replica COLLATE \"C\"";

constexpr char kClaim[] = "SELECT {schema}.{component}_claim($1,$2)::int4";

constexpr char kRelease[] =
    "UPDATE {schema}.{component}_owner SET replica = ''"
    " WHERE partition = $2::int8 AND replica = $1::text";

constexpr char kLeave[] =
    "WITH gone AS (DELETE FROM {schema}.{component}_replica WHERE id = $1::text)"
    " UPDATE {schema}.{component}_owner SET replica = '' WHERE replica = $1::text";

PostgresOptions ToSession(const PostgresStoreOptions& options, const PostgresTables& place) {
  return {.connection = options.connection,
          .password_file = options.password_file,
          .application_name = absl::StrCat("kantoku ", place.schema, " ", place.component, " beat"),
          .connect_timeout = kPatience,
          .statement_timeout = kPatience,
          .network_timeout = kPatience,
          .session = "SET synchronous_commit = off; SET jit = off;"};
}

class PostgresReplicaDirectory final : public ReplicaDirectory {
 public:
  PostgresReplicaDirectory(StoreSchema schema, PostgresStoreOptions options)
      : schema_(std::move(schema)),
        options_(std::move(options)),
        place_{options_.schema, std::string(schema_.component)},
        connection_(ToSession(options_, place_)) {
    connection_.Prepare("count", InPlace(kCount, place_));
    connection_.Prepare("beat", InPlace(kBeat, place_));
    connection_.Prepare("claim", InPlace(kClaim, place_));
    connection_.Prepare("release", InPlace(kRelease, place_));
    connection_.Prepare("leave", InPlace(kLeave, place_));
  }

  absl::StatusOr<uint32_t> CountPartitions(uint32_t wanted) override {
    auto count = Count(wanted);
    if (!count.ok()) return Annotated(count.status());
    return count;
  }

  absl::StatusOr<ReplicaView> Beat(const Replica& self, absl::Duration lease) override {
    const auto rows = connection_.Run("beat", PostgresParameters()
                                                  .Text(self.id)
                                                  .Text(self.address)
                                                  .Integer(self.leaving ? 1 : 0)
                                                  .Integer(absl::ToInt64Milliseconds(lease)));
    if (!rows.ok()) return Annotated(rows.status());
    ReplicaView view;
    for (size_t row = 0; row < rows->size(); ++row) {
      const std::string replica(rows->Text(row, 1));
      if (rows->IsNull(row, 0)) {
        view.living.push_back({.id = replica,
                               .address = std::string(rows->Text(row, 2)),
                               .leaving = rows->Integer(row, 3) != 0});
      } else {
        view.owners.push_back(replica);
      }
    }
    return view;
  }

  absl::StatusOr<bool> Claim(std::string_view id, uint32_t partition) override {
    const auto rows = connection_.Run("claim", PostgresParameters().Text(id).Integer(partition));
    if (!rows.ok()) return Annotated(rows.status());
    return rows->Integer(0, 0) != 0;
  }

  absl::Status Release(std::string_view id, uint32_t partition) override {
    return Annotated(
        connection_.Run("release", PostgresParameters().Text(id).Integer(partition)).status());
  }

  absl::Status Leave(std::string_view id) override {
    return Annotated(connection_.Run("leave", PostgresParameters().Text(id)).status());
  }

 private:
  absl::StatusOr<uint32_t> Count(uint32_t wanted) {
    KANTOKU_RETURN_IF_ERROR(CheckPostgresSchemaName(options_.schema));
    if (options_.migrate) {
      KANTOKU_RETURN_IF_ERROR(MigratePostgresStore(schema_, options_).status());
    }
    KANTOKU_RETURN_IF_ERROR(CheckPostgresMigrated(connection_, place_, PostgresMigrations()));
    KANTOKU_ASSIGN_OR_RETURN(const PostgresRows rows,
                             connection_.Run("count", PostgresParameters().Integer(wanted)));
    const auto count = static_cast<uint32_t>(rows.Integer(0, 0));
    if (wanted == 0 || wanted == count) return count;
    return Error(absl::StatusCode::kFailedPrecondition, kPartitionCountDiffers,
                 absl::StrCat("there are ", count, " partitions, and ", wanted,
                              " are configured; the number is fixed when they are first used"));
  }

  absl::Status Annotated(const absl::Status& status) const {
    return Annotate(status, absl::StrCat("replicas of ", place_.component));
  }

  const StoreSchema schema_;
  const PostgresStoreOptions options_;
  const PostgresTables place_;
  PostgresConnection connection_;
};

}  // namespace

std::unique_ptr<ReplicaDirectory> MakePostgresReplicaDirectory(StoreSchema schema,
                                                               PostgresStoreOptions options) {
  return std::make_unique<PostgresReplicaDirectory>(std::move(schema), std::move(options));
}

}  // namespace kantoku::platform
