#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_ADMISSION_CODEC_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_ADMISSION_CODEC_H_

#include <memory>
#include <string>
#include <variant>

#include "services/inputs/engine/effects.h"
#include "services/platform/byte_io.h"

// The parts of records that are about admission. What is no such part fails its reader.
namespace kantoku::inputs {

// Equal bytes for equal keys.
std::string EncodeKeys(const TaskKeys& keys);
std::shared_ptr<const TaskKeys> ReadKeys(platform::ByteReader& reader);

void WriteLimit(const LimitRecord& record, platform::ByteWriter& writer);
void WritePause(const PauseRecord& record, platform::ByteWriter& writer);
void ReadAdmission(platform::ByteReader& reader, std::variant<LimitRecord, PauseRecord>& record);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_ADMISSION_CODEC_H_
