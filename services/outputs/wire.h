#ifndef KANTOKU_SERVICES_OUTPUTS_WIRE_H_
#define KANTOKU_SERVICES_OUTPUTS_WIRE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/outputs/await_hub.h"
#include "services/outputs/result_book.h"
#include "services/outputs/result_codec.h"

namespace kantoku::outputs {

// Between the messages of the wire and the structs within.

void EncodeStatus(const absl::Status& status, task::v1::ItemStatus& message);
void EncodeResult(const StoredResult& result, outputs::v1::Result& message);
void EncodeItem(const Item& item, outputs::v1::Item& message);
void EncodeAnswer(const AnswerBatch& answers, const AnswerBatch::Answer& answer,
                  outputs::v1::AwaitResult& message);

// What an item of a batch is told. kFull is Full's.
absl::Status StatusOf(const ResultBook::Decision& decision, const platform::TaskId& task,
                      uint32_t dispatch);
absl::Status StatusOf(ResultBook::ClosingOutcome outcome, const platform::TaskId& task);
// Of an item that found no room: RESOURCE_EXHAUSTED, OUTPUTS_FULL, and when to try again.
void EncodeFull(const ResultBook::Room& room, task::v1::ItemStatus& message);
absl::Status StatusOf(ResultBook::Presence presence, const platform::TaskId& task);

// INVALID_ARGUMENT names field, value and limit. Texts point into `item`.
absl::StatusOr<ResultBook::Closing> DecodeClosing(const outputs::v1::FenceItem& item);

// INVALID_ARGUMENT unless a request has 1 to 10,000 items.
absl::Status CheckCount(std::string_view field, int count);
absl::Status CheckContentType(std::string_view content_type);

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_WIRE_H_
