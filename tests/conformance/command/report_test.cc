#include "tests/conformance/command/report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace kantoku::conformance {
namespace {

Report Sample() {
  return {.exam = "store",
          .target = "127.0.0.1:7411",
          .place = "the component c",
          .cases = {{.name = "A promise", .seconds = 0.5},
                    {.name = "One that was <not> kept",
                     .outcome = Outcome::kFailed,
                     .seconds = 1,
                     .failures = {{.where = "exam.cc:7",
                                   .expected = "a == \"b\"",
                                   .found = "1 == 2",
                                   .notes = {"step := 3"},
                                   .calls = {"Open {} -> OK"}}},
                     .more_failures = 2},
                    {.name = "One for others",
                     .outcome = Outcome::kSkipped,
                     .lacks = "crash",
                     .needs = "to be killed"}}};
}

TEST_CASE("A report tells people what failed, with what led to it, and what was left out") {
  const Report report = Sample();
  CHECK(ToText(report.cases[0]) == "passed   A promise\n");
  CHECK(ToText(report.cases[1]) ==
        "failed   One that was <not> kept\n"
        "           expected  a == \"b\"\n"
        "           found     1 == 2\n"
        "           with      step := 3\n"
        "           call      Open {} -> OK\n"
        "           at        exam.cc:7\n"
        "           and 2 more of this case\n");
  CHECK(ToText(report.cases[2]) ==
        "skipped  One for others\n"
        "           crash: needs to be killed\n");
  CHECK(ToFirstLine(report) == "store exam of 127.0.0.1:7411, in the component c\n");
  CHECK(ToLastLine(report) ==
        "store exam of 127.0.0.1:7411, in the component c: 1 passed, 1 failed, 1 skipped, 1.5 s\n");
}

TEST_CASE("A report tells what was left out of a case, and what was left behind") {
  Report report = Sample();
  report.cases[0].without = {"restart"};
  report.left_behind = 3;
  CHECK(ToText(report.cases[0]) == "passed   A promise (without restart)\n");
  CHECK(ToLastLine(report).ends_with(" s; 3 things of it could not be taken away\n"));
  const auto json = nlohmann::json::parse(ToJson(report));
  CHECK(json["cases"][0]["without"][0] == "restart");
  CHECK(json["left_behind"] == 3);
}

TEST_CASE("A report in JUnit's XML escapes what a program has said") {
  CHECK(ToJUnit(Sample()) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"kantoku.store 127.0.0.1:7411\" tests=\"3\" failures=\"1\" skipped=\"1\""
        " time=\"1.500\">\n"
        "  <testcase classname=\"kantoku.store\" name=\"A promise\" time=\"0.500\"></testcase>\n"
        "  <testcase classname=\"kantoku.store\" name=\"One that was &lt;not&gt; kept\""
        " time=\"1.000\"><failure message=\"1 == 2\">expected  a == &quot;b&quot;\n"
        "found     1 == 2\nwith      step := 3\ncall      Open {} -&gt; OK\nat        exam.cc:7\n"
        "and 2 more of this case</failure></testcase>\n"
        "  <testcase classname=\"kantoku.store\" name=\"One for others\" time=\"0.000\">"
        "<skipped message=\"crash: needs to be killed\"/></testcase>\n"
        "</testsuite>\n");
}

TEST_CASE("A report in JUnit's XML is XML, whatever a program or its address says") {
  Report report = {.exam = "store",
                   .target = "a\x01\xFF",
                   .place = "",
                   .cases = {{.name = "One",
                              .outcome = Outcome::kFailed,
                              .failures = {{.where = "exam.cc:7",
                                            .expected = "",
                                            .found = "\xEF\xBF\xBE\xEF\xBF\xBF\x1B\xC2\x85",
                                            .notes = {},
                                            .calls = {}}}}}};
  CHECK(ToJUnit(report) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"kantoku.store a ?\" tests=\"1\" failures=\"1\" skipped=\"0\""
        " time=\"0.000\">\n"
        "  <testcase classname=\"kantoku.store\" name=\"One\" time=\"0.000\">"
        "<failure message=\"?? \">found     ?? \nat        exam.cc:7</failure></testcase>\n"
        "</testsuite>\n");
}

TEST_CASE("A report in JSON has the same, by fields") {
  const auto report = nlohmann::json::parse(ToJson(Sample()));
  CHECK(report["failed"] == 1);
  CHECK(report["cases"][0]["lacks"].is_null());
  CHECK(report["cases"][1]["failures"][0]["calls"][0] == "Open {} -> OK");
  CHECK(report["cases"][1]["more_failures"] == 2);
  CHECK(report["cases"][2]["lacks"] == "crash");
}

TEST_CASE("What a foreign program says steers no terminal, and has an end") {
  CHECK(Plain("a\n\x1B[31mred\xFF") == "a [31mred?");
  CHECK(Plain("caf\xC3\xA9") == "caf\xC3\xA9");
  CHECK(Plain(std::string(50, 'x'), 10) == "xxxxxxxxxx...");
}

}  // namespace
}  // namespace kantoku::conformance
