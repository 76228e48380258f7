#include "services/events/page_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/events/event_batch.h"
#include "services/events/run_encoder.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

// Rows that are kept decoded, so that live readers share the work. Older ones are read by few.
constexpr size_t kMaxDecodedRows = 64;
constexpr size_t kMaxDecodedBytes = size_t{16} << 20;

}  // namespace

absl::StatusOr<PageEnd> PageReader::Read(Position from, const EventFilter& filter,
                                         const PageLimits& limits, std::string& message) {
  KANTOKU_ASSIGN_OR_RETURN(const LogPage rows, log_.Read({.from = from.row,
                                                          .max_rows = limits.max_rows,
                                                          .max_bytes = limits.max_row_bytes}));
  Page page = {.filter = filter, .limits = limits, .message = message};
  page.result.next = from;
  page.result.gap = rows.gap;
  for (const LogRowPtr& row : rows.rows) {
    if (page.full()) break;
    if (row->row != page.result.next.row) page.result.next = {.row = row->row, .index = 0};
    if (row->gap && page.result.next.index == 0) {
      // What is before a gap is a page of its own.
      if (page.result.events > 0) return page.result;
      page.result.gap = true;
    }
    KANTOKU_ASSIGN_OR_RETURN(const DecodedRowPtr decoded, Decode(*row));
    AddRow(row->row, *decoded, page);
    ++page.result.rows;
  }
  if (!page.full()) page.result.next = {.row = rows.next, .index = 0};
  page.result.end = page.result.next >= Position{.row = log_.bounds().end};
  return page.result;
}

void PageReader::AddRow(RowNumber number, const DecodedRow& row, Page& page) {
  uint32_t first = 0;
  for (const v1::EventRun& run : row.batch->runs()) {
    const uint32_t count = CountEvents(run);
    if (first + count > page.result.next.index && page.filter.MatchesRun(run) &&
        !AddRun(number, row, run, first, page)) {
      return;
    }
    first += count;
  }
  page.result.next = {.row = number + 1, .index = 0};
}

bool PageReader::AddRun(RowNumber number, const DecodedRow& row, const v1::EventRun& run,
                        uint32_t first, Page& page) {
  std::optional<RunEncoder> encoder;  // Made for the first event that matches.
  const uint32_t count = CountEvents(run);
  const uint32_t begin = std::max(first, page.result.next.index) - first;
  for (uint32_t offset = begin; offset < count; ++offset) {
    if (page.filter.names_tasks() &&
        !page.filter.MatchesTask(std::string_view(run.task_ids()).substr(offset * 16, 16))) {
      continue;
    }
    const uint32_t after = first + offset + 1;
    page.result.next =
        after == row.count ? Position{.row = number + 1} : Position{.row = number, .index = after};
    const size_t before = page.message.size();
    if (!encoder.has_value()) encoder.emplace(run);
    encoder->Append(offset, writer_.Write(page.result.next), page.message);
    page.result.bytes += page.message.size() - before;
    ++page.result.events;
    if (page.full()) return false;
  }
  return true;
}

absl::StatusOr<PageReader::DecodedRowPtr> PageReader::Decode(const LogRow& row) {
  auto known = decoded_.find(row.row);
  if (known != decoded_.end()) return known->second;
  auto decoded = std::make_shared<DecodedRow>();
  decoded->batch = google::protobuf::Arena::CreateMessage<v1::EventBatch>(&decoded->arena);
  const absl::Status parsed = ParseEventBatch(row.batch, *decoded->batch);
  if (!parsed.ok()) {
    return platform::Error(absl::StatusCode::kDataLoss, "RECORD_DAMAGED",
                           absl::StrCat("events: row ", row.row, " cannot be read"));
  }
  for (const v1::EventRun& run : decoded->batch->runs()) decoded->count += CountEvents(run);
  decoded->bytes = row.batch.size();
  Remember(row.row, decoded);
  return decoded;
}

void PageReader::Remember(RowNumber row, const DecodedRowPtr& decoded) {
  if (row + kMaxDecodedRows < log_.bounds().end || decoded->bytes > kMaxDecodedBytes / 4) return;
  decoded_bytes_ += decoded->bytes;
  decoded_.emplace(row, decoded);
  decoded_order_.push_back(row);
  while (decoded_.size() > kMaxDecodedRows || decoded_bytes_ > kMaxDecodedBytes) {
    const auto oldest = decoded_.find(decoded_order_.front());
    decoded_bytes_ -= oldest->second->bytes;
    decoded_.erase(oldest);
    decoded_order_.pop_front();
  }
}

}  // namespace kantoku::events
