#ifndef KANTOKU_TESTS_SUPPORT_POSTGRES_STORE_H_
#define KANTOKU_TESTS_SUPPORT_POSTGRES_STORE_H_

#include "kantoku/config/v1/config.pb.h"

namespace kantoku::test {

// A store in an empty schema of its own, which whoever opens it fills with tables, in a
// database that all stores of this program share (postgres_database.h).
//
// To be called on the main thread.
config::v1::StoreConfig StoreOnPostgres();

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_POSTGRES_STORE_H_
