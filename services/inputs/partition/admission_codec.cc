#include "services/inputs/partition/admission_codec.h"

namespace kantoku::inputs {

using platform::ByteReader;
using platform::ByteWriter;

namespace {

// What a record of admission is.
constexpr uint64_t kLimit = 1;
constexpr uint64_t kPause = 2;

KeyScope ReadScope(ByteReader& reader) {
  const auto scope = static_cast<KeyScope>(reader.Small<uint8_t>());
  if (scope < KeyScope::kNamespace || scope > KeyScope::kOwner) reader.Fail();
  return scope;
}

// No tokens: none.
void WriteRate(ByteWriter& writer, const Rate& rate) {
  writer.Unsigned(rate.tokens);
  if (rate.empty()) return;
  writer.Unsigned(rate.period_ms);
  writer.Unsigned(rate.burst);
}
Rate ReadRate(ByteReader& reader) {
  Rate rate{.tokens = reader.Small<uint32_t>()};
  if (rate.empty()) return rate;
  rate.period_ms = reader.Small<uint32_t>();
  rate.burst = reader.Small<uint32_t>();
  if (rate.period_ms == 0 || rate.burst == 0) reader.Fail();
  return rate;
}

}  // namespace

std::string EncodeKeys(const TaskKeys& keys) {
  // Names, and more than the numbers beside each take most often.
  size_t size = 16 + keys.ordering.size() + keys.fairness.size();
  for (const TaskKeys::Concurrency& key : keys.concurrency) size += 8 + key.name.size();
  for (const TaskKeys::Throttle& key : keys.rates) size += 16 + key.name.size();
  std::string bytes;
  bytes.reserve(size);
  ByteWriter writer(bytes);
  writer.Text(keys.ordering);
  writer.Text(keys.fairness);
  writer.Unsigned(keys.weight);
  writer.Unsigned(keys.concurrency.size());
  for (const TaskKeys::Concurrency& key : keys.concurrency) {
    writer.Text(key.name);
    writer.Unsigned(static_cast<uint64_t>(key.scope));
    writer.Unsigned(key.limit);
  }
  writer.Unsigned(keys.rates.size());
  for (const TaskKeys::Throttle& key : keys.rates) {
    writer.Text(key.name);
    writer.Unsigned(static_cast<uint64_t>(key.scope));
    writer.Unsigned(key.cost);
    WriteRate(writer, key.rate);
  }
  return bytes;
}

std::shared_ptr<const TaskKeys> ReadKeys(ByteReader& reader) {
  ByteReader fields(reader.Text());
  auto keys = std::make_shared<TaskKeys>();
  keys->ordering = fields.Text();
  keys->fairness = fields.Text();
  keys->weight = fields.Small<uint32_t>();
  for (uint64_t left = fields.Unsigned(); left > 0 && fields.good(); --left) {
    TaskKeys::Concurrency& key = keys->concurrency.emplace_back();
    key.name = fields.Text();
    key.scope = ReadScope(fields);
    key.limit = fields.Small<uint32_t>();
  }
  for (uint64_t left = fields.Unsigned(); left > 0 && fields.good(); --left) {
    TaskKeys::Throttle& key = keys->rates.emplace_back();
    key.name = fields.Text();
    key.scope = ReadScope(fields);
    key.cost = fields.Small<uint32_t>();
    key.rate = ReadRate(fields);
  }
  if (!fields.Complete() || keys->empty()) reader.Fail();
  return keys;
}

void WriteLimit(const LimitRecord& record, ByteWriter& writer) {
  writer.Unsigned(kLimit);
  writer.Text(record.name_space);
  writer.Unsigned(static_cast<uint64_t>(record.name.kind));
  writer.Unsigned(static_cast<uint64_t>(record.name.scope));
  writer.Text(record.name.of);
  writer.Text(record.name.key);
  writer.Unsigned(record.transient ? 1 : 0);
  writer.Unsigned(record.value.number);
  WriteRate(writer, record.value.rate);
}

void WritePause(const PauseRecord& record, ByteWriter& writer) {
  writer.Unsigned(kPause);
  writer.Text(record.name_space);
  writer.Text(record.type);
  writer.Text(record.reason);
}

void ReadAdmission(ByteReader& reader, std::variant<LimitRecord, PauseRecord>& record) {
  const uint64_t what = reader.Unsigned();
  if (what == kPause) {
    PauseRecord& pause = record.emplace<PauseRecord>();
    pause.name_space = reader.Text();
    pause.type = reader.Text();
    pause.reason = reader.Text();
    return;
  }
  if (what != kLimit) reader.Fail();
  LimitRecord& limit = record.emplace<LimitRecord>();
  limit.name_space = reader.Text();
  limit.name.kind = static_cast<KeyKind>(reader.Small<uint8_t>());
  limit.name.scope = ReadScope(reader);
  limit.name.of = reader.Text();
  limit.name.key = reader.Text();
  limit.transient = reader.Unsigned() != 0;
  limit.value.number = reader.Small<uint32_t>();
  limit.value.rate = ReadRate(reader);
  const bool is_rate = limit.name.kind == KeyKind::kRate;
  const bool known =
      limit.name.kind >= KeyKind::kConcurrency && limit.name.kind <= KeyKind::kFairness;
  // Exactly what goes with the kind, and no zero.
  if (!known || is_rate == limit.value.rate.empty() || is_rate == (limit.value.number > 0)) {
    reader.Fail();
  }
}

}  // namespace kantoku::inputs
