#include "tests/support/postgres_store.h"

#include <string>

#include "tests/support/postgres_database.h"

namespace kantoku::test {

config::v1::StoreConfig StoreOnPostgres() {
  static const PostgresDatabase database;
  static int schemas = 0;
  config::v1::StoreConfig config;
  config.mutable_postgres()->set_connection(database.connection());
  config.mutable_postgres()->set_schema("store_" + std::to_string(++schemas));
  config.mutable_postgres()->set_migrate_on_start(true);
  config.mutable_postgres()->set_partitions(1);
  config.mutable_postgres()->mutable_connect_timeout()->set_seconds(10);
  config.mutable_postgres()->mutable_statement_timeout()->set_seconds(30);
  return config;
}

}  // namespace kantoku::test
