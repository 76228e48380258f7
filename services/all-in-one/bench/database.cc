#include "services/all-in-one/bench/database.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/child.h"
#include "services/platform/log/log.h"
#include "services/platform/random.h"
#include "services/platform/status.h"

namespace kantoku::bench {

absl::StatusOr<std::unique_ptr<Database>> Database::Make(const std::string& connection) {
  platform::PostgresConnection session(
      {.connection = connection, .application_name = "kantoku bench"});
  KANTOKU_ASSIGN_OR_RETURN(
      const auto rows,
      session.Execute("SELECT coalesce((SELECT pid FROM pg_catalog.pg_stat_activity "
                      "WHERE backend_type = 'checkpointer' AND inet_server_addr() IS NULL), 0)"));
  std::unique_ptr<Database> made(new Database(
      connection, std::move(session), absl::StrCat("bench_", absl::Hex(platform::SystemRandom()))));
  const auto checkpointer = static_cast<pid_t>(rows.Integer(0, 0));
  // Behind a socket from a container it is the number of some other process here.
  if (NameOf(checkpointer) == "postgres") made->server_pid_ = ParentOf(checkpointer);
  return made;
}

Database::~Database() {
  const auto dropped =
      session_.Execute(absl::StrCat("DROP SCHEMA IF EXISTS ", schema_, " CASCADE"));
  if (dropped.ok()) return;
  platform::Log(platform::LogLevel::kWarn, "bench: a schema is left behind",
                {{"schema", schema_}, {"why", dropped.status()}});
}

absl::Status Database::AwaitSpread(size_t servers, absl::Duration within) {
  const absl::Time until = absl::Now() + within;
  const std::string spread = absl::StrCat(
      "SELECT coalesce(sum(owned), 0)::int8, count(*), min(owned), max(owned) FROM ("
      "SELECT count(*) AS owned FROM ",
      schema_, ".inputs_owner WHERE replica <> '' GROUP BY replica UNION ALL ",
      "SELECT count(*) FROM ", schema_,
      ".outputs_owner WHERE replica <> '' GROUP BY replica) AS each");
  const auto fewest = static_cast<int64_t>(kPartitions / servers);
  const auto most = static_cast<int64_t>((kPartitions + servers - 1) / servers);
  while (absl::Now() < until) {
    KANTOKU_ASSIGN_OR_RETURN(const auto rows, session_.Execute(spread));
    const bool all_have = rows.Integer(0, 0) == static_cast<int64_t>(2 * kPartitions) &&
                          rows.Integer(0, 1) == static_cast<int64_t>(2 * servers);
    if (all_have && rows.Integer(0, 2) >= fewest && rows.Integer(0, 3) <= most) {
      return absl::OkStatus();
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::DeadlineExceededError("the servers do not come to share the partitions");
}

absl::StatusOr<std::vector<std::string>> Database::Owners() {
  KANTOKU_ASSIGN_OR_RETURN(
      const auto rows,
      session_.Execute(absl::StrCat("SELECT coalesce(address, '') FROM ", schema_,
                                    ".inputs_owner LEFT JOIN ", schema_,
                                    ".inputs_replica ON id = replica ORDER BY partition")));
  std::vector<std::string> owners;
  owners.reserve(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) owners.emplace_back(rows.Text(row, 0));
  return owners;
}

std::vector<std::string> Database::Settings() const {
  std::vector<std::string> settings;
  for (const char* const component : {"inputs", "outputs", "events"}) {
    const std::string store = absl::StrCat(component, ".store.postgres.");
    settings.push_back(absl::StrCat(store, "connection=", connection_));
    settings.push_back(absl::StrCat(store, "schema=", schema_));
    settings.push_back(absl::StrCat(store, "migrate_on_start=true"));
  }
  for (const char* const component : {"inputs", "outputs"}) {
    settings.push_back(absl::StrCat(component, ".store.postgres.partitions=", kPartitions));
  }
  return settings;
}

}  // namespace kantoku::bench
