// A selector is everything before the first empty line, labels are the lines behind it,
// `name=value`. Any text is refused, within the reasons and with a message that can be shown, or
// reads from its canonical form again as the same selector, which holds exactly where its negation
// does not.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {
namespace {

void CheckRefusal(const absl::Status& status) {
  const std::string reason = platform::ReasonOf(status);
  KANTOKU_CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  KANTOKU_CHECK(reason == kBadSelector || reason == kSelectorLimit || reason == kBadLabel ||
                reason == kLabelLimit);
  const std::string_view message = platform::ToStd(status.message());
  KANTOKU_CHECK(message.size() <= 256 && platform::IsUtf8(message));
  for (const char c : message) KANTOKU_CHECK(static_cast<uint8_t>(c) >= 0x20);
}

// What the lines say; no labels when they are refused.
Labels LabelsIn(std::string_view lines) {
  std::vector<Label> labels;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() < lines.size() ? line.size() + 1 : line.size());
    const size_t name = line.find('=');
    if (name == line.npos) continue;
    labels.push_back({std::string(line.substr(0, name)), std::string(line.substr(name + 1))});
  }
  auto made = Labels::Make(std::move(labels));
  if (!made.ok()) CheckRefusal(made.status());
  return made.ok() ? *std::move(made) : Labels();
}

// Each label that the selector looks at, with the same value.
Labels AllAre(const Selector& selector, const std::string& value) {
  std::vector<Label> labels;
  for (const std::string& name : selector.names()) {
    if (labels.size() < kMaxLabels) labels.push_back({name, value});
  }
  return Labels::Make(std::move(labels)).value();
}

void Check(const Selector& selector, std::string_view lines) {
  const Selector again = Selector::Parse(selector.canonical()).value();
  KANTOKU_CHECK(again.canonical() == selector.canonical());
  KANTOKU_CHECK(again.names() == selector.names());
  const auto negated = Selector::Parse("!(" + selector.canonical() + ")");
  for (const Labels& labels : {Labels(), LabelsIn(lines), AllAre(selector, "16"),
                               AllAre(selector, "true"), AllAre(selector, "")}) {
    const bool matches = selector.Matches(labels);
    KANTOKU_CHECK(again.Matches(labels) == matches);
    KANTOKU_CHECK(!negated.ok() || negated->Matches(labels) != matches);
    const std::string why = selector.WhyNot(labels);
    KANTOKU_CHECK(why.empty() == matches && platform::IsUtf8(why));
  }
}

}  // namespace
}  // namespace kantoku::inputs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find("\n\n"));
  const auto selector = kantoku::inputs::Selector::Parse(text);
  if (selector.ok()) {
    kantoku::inputs::Check(*selector, input.substr(text.size()));
  } else {
    kantoku::inputs::CheckRefusal(selector.status());
  }
  return 0;
}
