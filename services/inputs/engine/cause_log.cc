#include "services/inputs/engine/cause_log.h"

#include <utility>

namespace kantoku::inputs {

void CauseLog::Set(WaitCause cause, int64_t now, size_t intervals) {
  if (cause == cause_) return;
  if (now > since_ && cause_ != WaitCause::kNone) {
    past_.push_back({since_, now, {{cause_, now - since_}}});
    if (past_.size() > intervals) Merge(intervals);
  } else if (!past_.empty() && past_.back().parts.size() == 1 &&
             past_.back().parts.front().cause == cause) {
    now = past_.back().begin;  // It went on holding.
    past_.pop_back();
  }
  cause_ = cause;
  since_ = now;
}

void CauseLog::Merge(size_t intervals) {
  const size_t older = past_.size() - intervals / 2;
  std::vector<Interval> kept;
  kept.reserve(past_.size());
  for (size_t i = 0; i < older; i += 2) {
    Interval merged = std::move(past_[i]);
    if (i + 1 < older) {
      merged.end = past_[i + 1].end;
      for (const Part& part : past_[i + 1].parts) {
        const auto known = std::ranges::find(merged.parts, part.cause, &Part::cause);
        if (known == merged.parts.end()) {
          merged.parts.push_back(part);
        } else {
          known->time += part.time;
        }
      }
    }
    kept.push_back(std::move(merged));
  }
  for (size_t i = older; i < past_.size(); ++i) kept.push_back(std::move(past_[i]));
  past_ = std::move(kept);
}

}  // namespace kantoku::inputs
