#include "services/inputs/placement_reader.h"

#include <utility>

#include "services/platform/rpc/received.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// What no label can be would wait for ever.
absl::Status ReadPin(std::string_view field, std::string_view label, const std::string& text,
                     std::string& pin) {
  if (text.empty()) return absl::OkStatus();
  const auto could_be = Labels::Make({{std::string(label), text}});
  if (!could_be.ok()) return platform::Annotate(could_be.status(), field);
  pin = text;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Placement>> PlacementReader::Read(
    const task::v1::Placement& proto) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckAllKnown(proto));
  Placement placement;
  KANTOKU_RETURN_IF_ERROR(
      ReadPin("placement.executor", kExecutorLabel, proto.executor(), placement.pins.executor));
  KANTOKU_RETURN_IF_ERROR(ReadPin("placement.app", kAppLabel, proto.app(), placement.pins.app));
  KANTOKU_RETURN_IF_ERROR(
      ReadPin("placement.owner", kOwnerLabel, proto.owner(), placement.pins.owner));
  if (last_ != nullptr && last_->pins == placement.pins && last_selector_ == proto.selector()) {
    return last_;
  }
  if (!proto.selector().empty()) {
    auto selector = Selector::Parse(proto.selector());
    if (!selector.ok()) return platform::Annotate(selector.status(), "placement.selector");
    placement.selector = *std::move(selector);
  }
  if (placement.empty()) return std::shared_ptr<const Placement>();
  last_selector_ = proto.selector();
  last_ = std::make_shared<const Placement>(std::move(placement));
  return last_;
}

}  // namespace kantoku::inputs
