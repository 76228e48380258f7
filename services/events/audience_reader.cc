#include "services/events/audience_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

// Of what live subscribers are sent this is half a second on a busy day; who is further behind
// reads for himself.
constexpr size_t kMaxKeptBytes = size_t{16} << 20;
// Smaller pages cost less than sending them, and those who are behind should not go in small steps.
constexpr size_t kMinKeptPage = size_t{16} << 10;

}  // namespace

AudienceReader::AudienceReader(PageReader& reader, const PageLimits& limits)
    : reader_(reader), limits_(limits), pages_(kMaxKeptBytes) {}

// Filters that name tasks are long, and seldom alike.
AudienceId AudienceReader::Join(EventFilter filter) {
  const auto same = std::ranges::find_if(audiences_, [&](const auto& audience) {
    return !filter.names_tasks() && audience.second.filter == filter;
  });
  if (same != audiences_.end()) {
    ++same->second.members;
    return same->first;
  }
  audiences_.emplace(++last_audience_, Audience{.filter = std::move(filter)});
  return last_audience_;
}

void AudienceReader::Leave(AudienceId audience) {
  const auto left = audiences_.find(audience);
  KANTOKU_CHECK(left != audiences_.end());
  --left->second.members;
  if (left->second.members <= 1) pages_.Forget(audience);
  if (left->second.members == 0) audiences_.erase(left);
}

absl::StatusOr<EncodedPage> AudienceReader::Read(AudienceId audience, Position from) {
  const Audience& readers = audiences_.at(audience);
  const bool shared = readers.members > 1;
  PageLimits limits = limits_;
  if (shared) {
    if (const EncodedPage* known = pages_.Find(audience, from)) return *known;
    limits.stop = pages_.NextAfter(audience, from).value_or(limits.stop);
  }
  platform::Encoded<v1::SubscribeResponse> message;
  KANTOKU_ASSIGN_OR_RETURN(const PageEnd end,
                           reader_.Read(from, readers.filter, limits, message.mutable_bytes()));
  v1::SubscribeResponse rest;
  rest.set_next(std::string(reader_.Text(end.next)));
  rest.set_gap(end.gap);
  message.Merge(rest);
  const bool kept = shared && end.bytes >= kMinKeptPage;
  if (kept) message.mutable_bytes().shrink_to_fit();  // It grew, perhaps to twice what it needs.
  EncodedPage page = {.end = end, .message = platform::SharedEncoded(std::move(message))};
  if (kept) pages_.Keep(audience, from, page);
  return page;
}

}  // namespace kantoku::events
