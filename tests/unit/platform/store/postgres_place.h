#ifndef KANTOKU_TESTS_UNIT_PLATFORM_STORE_POSTGRES_PLACE_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_STORE_POSTGRES_PLACE_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/postgres/postgres_schema.h"
#include "tests/support/private_postgres.h"

namespace kantoku::platform {

// A schema of a test case's own, empty at first, on a server that all cases of a program share.
//
// Thread-compatible.
class PostgresPlace {
 public:
  static constexpr RecordKind kThing = 1;

  static StoreSchema Things(uint32_t format = 3) {
    return {.component = "test", .format = format, .kinds = {{.kind = kThing, .name = "thing"}}};
  }

  static WriteBatch BatchOf(uint64_t number, size_t size = 100) {
    WriteBatch batch;
    batch.set_number(number);
    batch.Put(kThing, number, std::string(size, 'x'));
    return batch;
  }

  PostgresPlace() : PostgresPlace(SharedServer()) {}
  explicit PostgresPlace(test::PrivatePostgres& server)
      : server_(server), options_{.connection = server.connection(), .schema = NextName()} {
    options_.migrate = true;
  }

  test::PrivatePostgres& server() { return server_; }
  PostgresStoreOptions& options() { return options_; }
  const PostgresStoreOptions& options() const { return options_; }
  const std::string& schema() const { return options_.schema; }
  PostgresTables tables() const { return {options_.schema, "test"}; }

  PostgresConnection Connection(const std::string& more = "") const {
    // Also of a server that takes no writes.
    return PostgresConnection(
        {.connection = server_.connection() + " target_session_attrs=any" + more});
  }

  absl::StatusOr<std::unique_ptr<RecordStore>> TryOpen(uint32_t format = 3) const {
    return MakePostgresRecordStoreFactory(Things(format), options_)->Open(0);
  }
  std::unique_ptr<RecordStore> Open() const {
    auto store = TryOpen();
    CAPTURE(store.status().ToString());
    REQUIRE(store.ok());
    return *std::move(store);
  }

  // As superuser. {schema} and {component} are those of this place.
  PostgresRows Ask(const std::string& sql) const {
    PostgresConnection connection = Connection();
    return Ask(connection, sql);
  }
  PostgresRows Ask(PostgresConnection& connection, const std::string& sql) const {
    auto rows = connection.Execute(InPlace(sql, tables()));
    CAPTURE(sql, rows.status().ToString());
    REQUIRE(rows.ok());
    return *std::move(rows);
  }

  static uint64_t Count(RecordStore& store) {
    uint64_t count = 0;
    const absl::Status scanned =
        store.Scan({.kind = kThing}, [&](RecordKey, std::string_view) { ++count; });
    CAPTURE(scanned.ToString());
    REQUIRE(scanned.ok());
    return count;
  }

 private:
  static test::PrivatePostgres& SharedServer() {
    static test::PrivatePostgres server;
    return server;
  }

  static std::string NextName() {
    static int count = 0;
    return "place_" + std::to_string(++count);
  }

  test::PrivatePostgres& server_;
  PostgresStoreOptions options_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_STORE_POSTGRES_PLACE_H_
