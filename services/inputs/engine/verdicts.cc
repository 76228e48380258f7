#include "services/inputs/engine/verdicts.h"

#include "services/platform/planted.h"

namespace kantoku::inputs {

LabelSetNumber Verdicts::Share(const Labels& labels) {
  const LabelSetNumber number = label_sets_.Share(labels);
  if (number > verdicts_.size()) verdicts_.emplace_back();
  return number;
}

void Verdicts::DropSelector(SelectorNumber selector) {
  if (!selectors_.Drop(selector)) return;
  for (auto& of_labels : verdicts_) of_labels.erase(selector);
}

void Verdicts::DropLabels(LabelSetNumber labels) {
  if (!label_sets_.Drop(labels) || KANTOKU_PLANTED("verdict on labels outlives them")) return;
  verdicts_[labels - 1] = {};
}

bool Verdicts::Matches(SelectorNumber selector, LabelSetNumber labels) {
  if (KANTOKU_PLANTED("condition of a placement not looked at")) return true;
  const auto [verdict, unknown] = verdicts_[labels - 1].try_emplace(selector);
  if (unknown) verdict->second = selectors_.at(selector).Matches(label_sets_.at(labels));
  return verdict->second;
}

size_t Verdicts::known() const {
  size_t pairs = 0;
  for (const auto& of_labels : verdicts_) pairs += of_labels.size();
  return pairs;
}

}  // namespace kantoku::inputs
