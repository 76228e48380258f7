#define CATCH_CONFIG_RUNNER
#include "tests/conformance/command/run_exam.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "tests/conformance/abilities.h"

namespace kantoku::conformance {
namespace {

// Of a walk that goes wrong every step would be one.
constexpr size_t kFailuresTold = 3;

// Where the reporter, which Catch2 makes, writes to.
struct Sink {
  CallLog& calls;
  Report& report;
  std::function<void(const CaseReport&)> tell;
  std::set<std::string> without = {};  // Of the case that runs.
};
Sink* sink = nullptr;

std::string WhereOf(const Catch::SourceLineInfo& info) {
  std::string_view file = info.file;  // Some way to the root of the repository, then from there.
  const size_t begin = file.rfind("tests/conformance/");
  if (begin != std::string_view::npos) file.remove_prefix(begin);
  return absl::StrCat(std::string(file), ":", info.line);
}

class ExamReporter final : public Catch::StreamingReporterBase<ExamReporter> {
 public:
  using StreamingReporterBase::StreamingReporterBase;
  static std::string getDescription() { return "Into a report of ours"; }

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    case_ = {.name = info.name};
    begin_ = Now();
    sink->without.clear();
  }
  // Also where a case begins anew with other values.
  void sectionStarting(const Catch::SectionInfo& info) override {
    StreamingReporterBase::sectionStarting(info);
    sink->calls.Clear();
  }
  void assertionStarting(const Catch::AssertionInfo& /*info*/) override {}
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    if (!stats.assertionResult.isOk()) Fail(stats);
    return true;
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.assertions.total() == 0) {
      case_.outcome = Outcome::kFailed;
      case_.failures.push_back(
          {.where = WhereOf(stats.testInfo.lineInfo), .found = "nothing was checked"});
    }
    case_.without.assign(sink->without.begin(), sink->without.end());
    case_.seconds = absl::ToDoubleSeconds(Now() - begin_);
    sink->report.cases.push_back(case_);
    sink->tell(case_);
  }

 private:
  static absl::Duration Now() { return platform::Clock::Real().Read().steady; }

  void Fail(const Catch::AssertionStats& stats) {
    case_.outcome = Outcome::kFailed;
    if (case_.failures.size() == kFailuresTold) {
      ++case_.more_failures;
      return;
    }
    const Catch::AssertionResult& result = stats.assertionResult;
    Failure failure = {.where = WhereOf(result.getSourceInfo())};
    if (result.hasExpression()) failure.expected = Plain(result.getExpression());
    failure.found =
        Plain(result.hasMessage() ? result.getMessage() : result.getExpandedExpression());
    for (const Catch::MessageInfo& note : stats.infoMessages) {
      failure.notes.push_back(Plain(note.message));
    }
    for (const std::string& call : sink->calls.Last()) failure.calls.push_back(Plain(call));
    case_.failures.push_back(std::move(failure));
  }

  CaseReport case_;
  absl::Duration begin_;
};

CATCH_REGISTER_REPORTER("report", ExamReporter)

const Tag* Find(const std::string& tag) {
  for (const Tag& each : kAbilities) {
    if (each.tag == tag) return &each;
  }
  for (const Tag& each : kParts) {
    if (each.tag == tag) return &each;
  }
  return nullptr;
}

// The first thing that the case needs and that is not there; null: none.
const Tag* LackOf(const Catch::TestCaseInfo& info, const std::set<std::string>& able) {
  for (const std::string& tag : info.tags) {
    if (std::ranges::find(kBackendTags, tag) != std::end(kBackendTags)) continue;
    const Tag* const found = Find(tag);
    KANTOKU_CHECK(found != nullptr);
    if (!able.contains(tag)) return found;
  }
  return nullptr;
}

std::vector<Catch::TestCase> CasesOf(std::string_view sources) {
  std::vector<Catch::TestCase> cases;
  for (const Catch::TestCase& test : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
    if (std::string_view(test.lineInfo.file).find(sources) == std::string_view::npos) continue;
    cases.push_back(test);
  }
  return cases;
}

}  // namespace

std::set<std::string> TagsOf(std::string_view sources) {
  std::set<std::string> tags;
  for (const Catch::TestCase& test : CasesOf(sources)) {
    tags.insert(test.tags.begin(), test.tags.end());
  }
  return tags;
}

void GoOnWithout(std::string_view tag) { sink->without.emplace(tag); }

void RunExam(std::string_view sources, const std::set<std::string>& able, CallLog& calls,
             Report& report, std::function<void(const CaseReport&)> tell) {
  Sink to{calls, report, std::move(tell)};
  sink = &to;
  Catch::Session session;
  for (const Catch::TestCase& test : CasesOf(sources)) {
    const Tag* const lack = LackOf(test, able);
    if (lack == nullptr) {
      // As Catch2 reads names, a comma ends one.
      const std::string name = absl::StrReplaceAll(test.name, {{",", "\\,"}, {"[", "\\["}});
      session.configData().testsOrTags.push_back(absl::StrCat(name, ","));
      continue;
    }
    report.cases.push_back({.name = test.name,
                            .outcome = Outcome::kSkipped,
                            .lacks = std::string(lack->tag),
                            .needs = std::string(lack->what)});
    to.tell(report.cases.back());
  }
  const size_t chosen = session.configData().testsOrTags.size();
  const size_t skipped = report.cases.size();
  session.configData().reporterName = "report";
  const int code = chosen > 0 ? session.run() : 0;  // Of no names, it would run all.
  KANTOKU_CHECK(report.cases.size() == skipped + chosen);
  KANTOKU_CHECK(code == 0 || report.Count(Outcome::kFailed) > 0);
  sink = nullptr;
}

}  // namespace kantoku::conformance
