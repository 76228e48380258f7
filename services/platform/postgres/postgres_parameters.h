#ifndef KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_PARAMETERS_H_
#define KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_PARAMETERS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kantoku::platform {

// What a prepared statement is run with, $1 first, in the binary format of each type: arrays of
// bytes could not be said otherwise, and the server parses no text.
//
// Thread-compatible.
class PostgresParameters {
 public:
  PostgresParameters& Integer(int64_t value);                           // int8
  PostgresParameters& Text(std::string_view value);                     // text
  PostgresParameters& Blob(std::string_view value);                     // bytea
  PostgresParameters& Integers(std::span<const int64_t> values);        // int8[]
  PostgresParameters& Blobs(std::span<const std::string_view> values);  // bytea[]

  const std::vector<std::string>& encoded() const { return encoded_; }

 private:
  std::vector<std::string> encoded_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_PARAMETERS_H_
