#include "services/platform/postgres/postgres_parameters.h"

namespace kantoku::platform {
namespace {

// Rows of pg_type that never change.
constexpr uint32_t kBytea = 17;
constexpr uint32_t kInt8 = 20;

template <typename Number>
void AppendBigEndian(std::string& out, Number value) {
  char bytes[sizeof(Number)];
  for (size_t i = 0; i < sizeof(Number); ++i) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * (sizeof(Number) - 1 - i)));
  }
  out.append(bytes, sizeof(Number));
}

// Dimensions, "has nulls", type of the elements; then of each dimension its size and lower bound.
void AppendArrayHead(std::string& out, uint32_t type, size_t size) {
  AppendBigEndian(out, uint32_t{size == 0 ? 0U : 1U});
  AppendBigEndian(out, uint32_t{0});
  AppendBigEndian(out, type);
  if (size == 0) return;
  AppendBigEndian(out, static_cast<uint32_t>(size));
  AppendBigEndian(out, uint32_t{1});
}

std::string ArrayOf(uint32_t type, std::span<const std::string_view> values) {
  size_t bytes = 20 + 4 * values.size();
  for (const std::string_view value : values) bytes += value.size();
  std::string out;
  out.reserve(bytes);
  AppendArrayHead(out, type, values.size());
  for (const std::string_view value : values) {
    AppendBigEndian(out, static_cast<uint32_t>(value.size()));
    out.append(value);
  }
  return out;
}

}  // namespace

PostgresParameters& PostgresParameters::Integer(int64_t value) {
  AppendBigEndian(encoded_.emplace_back(), value);
  return *this;
}

PostgresParameters& PostgresParameters::Integers(std::span<const int64_t> values) {
  std::string& out = encoded_.emplace_back();
  out.reserve(20 + 12 * values.size());
  AppendArrayHead(out, kInt8, values.size());
  for (const int64_t value : values) {
    AppendBigEndian(out, uint32_t{8});
    AppendBigEndian(out, value);
  }
  return *this;
}

PostgresParameters& PostgresParameters::Text(std::string_view value) {
  encoded_.emplace_back(value);
  return *this;
}

PostgresParameters& PostgresParameters::Blob(std::string_view value) {
  encoded_.emplace_back(value);
  return *this;
}

PostgresParameters& PostgresParameters::Blobs(std::span<const std::string_view> values) {
  encoded_.push_back(ArrayOf(kBytea, values));
  return *this;
}

}  // namespace kantoku::platform
