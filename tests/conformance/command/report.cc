#include "tests/conformance/command/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/platform/utf8.h"

namespace kantoku::conformance {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      return "skipped";
  }
  return "";
}

// Everything but the expression, a line each.
std::vector<std::string> LinesOf(const Failure& failure) {
  std::vector<std::string> lines;
  if (!failure.expected.empty()) lines.push_back(absl::StrCat("expected  ", failure.expected));
  lines.push_back(absl::StrCat("found     ", failure.found));
  for (const std::string& note : failure.notes) lines.push_back(absl::StrCat("with      ", note));
  for (const std::string& call : failure.calls) lines.push_back(absl::StrCat("call      ", call));
  lines.push_back(absl::StrCat("at        ", failure.where));
  return lines;
}

std::string MoreText(const CaseReport& report) {
  return absl::StrCat("and ", report.more_failures, " more of this case");
}

// Lines for XML, whatever was in them: it has no characters U+FFFE and U+FFFF, and takes nothing of
// what Plain takes out.
std::string Escaped(const std::string& text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.push_back(Plain(std::string_view(line.data(), line.size()), text.size()));
  }
  return absl::StrReplaceAll(absl::StrJoin(lines, "\n"), {{"&", "&amp;"},
                                                          {"<", "&lt;"},
                                                          {">", "&gt;"},
                                                          {"\"", "&quot;"},
                                                          {"'", "&apos;"},
                                                          {"\xEF\xBF\xBE", "?"},
                                                          {"\xEF\xBF\xBF", "?"}});
}

Json ToJson(const Failure& failure) {
  return {{"at", failure.where},
          {"expected", failure.expected},
          {"found", failure.found},
          {"notes", failure.notes},
          {"calls", failure.calls}};
}

Json ToJson(const CaseReport& report) {
  Json failures = Json::array();
  for (const Failure& failure : report.failures) failures.push_back(ToJson(failure));
  return {{"name", report.name},
          {"outcome", NameOf(report.outcome)},
          {"seconds", report.seconds},
          {"lacks", report.lacks.empty() ? Json() : Json(report.lacks)},
          {"needs", report.needs.empty() ? Json() : Json(report.needs)},
          {"without", report.without},
          {"failures", failures},
          {"more_failures", report.more_failures}};
}

std::string JUnitCase(const Report& report, const CaseReport& one) {
  std::string text =
      absl::StrFormat("  <testcase classname=\"kantoku.%s\" name=\"%s\" time=\"%.3f\">",
                      Escaped(report.exam), Escaped(one.name), one.seconds);
  if (one.outcome == Outcome::kSkipped) {
    absl::StrAppend(&text, "<skipped message=\"",
                    Escaped(absl::StrCat(one.lacks, ": needs ", one.needs)), "\"/>");
  }
  if (one.outcome == Outcome::kFailed) {
    std::vector<std::string> lines;
    for (const Failure& failure : one.failures) {
      for (std::string& line : LinesOf(failure)) lines.push_back(std::move(line));
    }
    if (one.more_failures > 0) lines.push_back(MoreText(one));
    const std::string message = one.failures.empty() ? "" : one.failures.front().found;
    absl::StrAppend(&text, "<failure message=\"", Escaped(message), "\">",
                    Escaped(absl::StrJoin(lines, "\n")), "</failure>");
  }
  absl::StrAppend(&text, "</testcase>\n");
  return text;
}

}  // namespace

size_t Report::Count(Outcome outcome) const {
  return static_cast<size_t>(std::count_if(
      cases.begin(), cases.end(), [&](const CaseReport& one) { return one.outcome == outcome; }));
}

double Report::seconds() const {
  double sum = 0;
  for (const CaseReport& one : cases) sum += one.seconds;
  return sum;
}

std::string ToText(const CaseReport& report) {
  std::string text = absl::StrFormat("%-8s %s", NameOf(report.outcome), report.name);
  if (!report.without.empty()) {
    absl::StrAppend(&text, " (without ", absl::StrJoin(report.without, ", "), ")");
  }
  text += '\n';
  if (report.outcome == Outcome::kSkipped) {
    absl::StrAppend(&text, "           ", report.lacks, ": needs ", report.needs, "\n");
  }
  for (const Failure& failure : report.failures) {
    for (const std::string& line : LinesOf(failure))
      absl::StrAppend(&text, "           ", line, "\n");
  }
  if (report.more_failures > 0) absl::StrAppend(&text, "           ", MoreText(report), "\n");
  return text;
}

std::string ToFirstLine(const Report& report) {
  return absl::StrCat(report.exam, " exam of ", report.target, ", in ", report.place, "\n");
}

std::string ToLastLine(const Report& report) {
  std::string text = absl::StrFormat(
      "%s exam of %s, in %s: %d passed, %d failed, %d skipped, %.1f s", report.exam, report.target,
      report.place, report.Count(Outcome::kPassed), report.Count(Outcome::kFailed),
      report.Count(Outcome::kSkipped), report.seconds());
  if (report.left_behind > 0) {
    absl::StrAppend(&text, "; ", report.left_behind, " things of it could not be taken away");
  }
  return text + "\n";
}

std::string ToJson(const Report& report) {
  Json cases = Json::array();
  for (const CaseReport& one : report.cases) cases.push_back(ToJson(one));
  const Json document = {{"exam", report.exam},
                         {"target", report.target},
                         {"place", report.place},
                         {"passed", report.Count(Outcome::kPassed)},
                         {"failed", report.Count(Outcome::kFailed)},
                         {"skipped", report.Count(Outcome::kSkipped)},
                         {"seconds", report.seconds()},
                         {"left_behind", report.left_behind},
                         {"cases", cases}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToJUnit(const Report& report) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  absl::StrAppendFormat(&text,
                        "<testsuite name=\"kantoku.%s %s\" tests=\"%d\" failures=\"%d\" "
                        "skipped=\"%d\" time=\"%.3f\">\n",
                        Escaped(report.exam), Escaped(report.target), report.cases.size(),
                        report.Count(Outcome::kFailed), report.Count(Outcome::kSkipped),
                        report.seconds());
  for (const CaseReport& one : report.cases) absl::StrAppend(&text, JUnitCase(report, one));
  absl::StrAppend(&text, "</testsuite>\n");
  return text;
}

std::string Plain(std::string_view text, size_t limit) {
  std::string plain;
  while (!text.empty()) {
    if (plain.size() >= limit) return plain + "...";
    const size_t bytes = platform::Utf8CharacterBytes(text);
    if (bytes == 0) {
      plain += '?';
    } else if (const auto character = text.substr(0, bytes);
               !platform::IsControlCharacter(character)) {
      plain += character;
    } else if (!plain.ends_with(' ')) {
      plain += ' ';
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return plain;
}

}  // namespace kantoku::conformance
