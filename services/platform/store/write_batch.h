#ifndef KANTOKU_SERVICES_PLATFORM_STORE_WRITE_BATCH_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_WRITE_BATCH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kantoku::platform {

using RecordKind = uint8_t;
using RecordKey = uint64_t;
inline constexpr RecordKey kMaxRecordKey = (uint64_t{1} << 63) - 1;

// Changes that become durable together, in the order in which they were added.
//
// Thread-compatible.
class WriteBatch {
 public:
  struct Operation {
    enum class Type : uint8_t { kPut, kErase };
    Type type;
    RecordKind kind;
    RecordKey first;  // The key of a put.
    RecordKey last;   // Inclusive end of an erased range; the key itself for a put.
    size_t offset;    // Of a put's value in the batch's buffer.
    size_t size;
  };

  uint64_t number() const { return number_; }
  void set_number(uint64_t number) { number_ = number; }

  // Sets the record under (kind, key). `key` <= kMaxRecordKey.
  void Put(RecordKind kind, RecordKey key, std::string_view value);
  // Removes one record, if it is there.
  void Erase(RecordKind kind, RecordKey key) { EraseRange(kind, key, key); }
  // Removes every record from `first` to `last`, both included.
  void EraseRange(RecordKind kind, RecordKey first, RecordKey last);

  const std::vector<Operation>& operations() const { return operations_; }
  std::string_view value(const Operation& put) const {
    return std::string_view(values_).substr(put.offset, put.size);
  }

  bool empty() const { return operations_.empty(); }
  size_t bytes() const { return values_.size() + operations_.size() * sizeof(Operation); }
  // Empties it and keeps its memory for the next batch.
  void Clear();

 private:
  uint64_t number_ = 0;
  std::vector<Operation> operations_;
  std::string values_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_WRITE_BATCH_H_
