#include "services/platform/log/log_formatter.h"

#include <catch2/catch.hpp>

namespace kantoku::platform {
namespace {

const absl::Time kWhen = absl::FromUnixMillis(1'700'000'000'007);

std::string Json(std::string_view message, std::initializer_list<LogField> fields = {}) {
  return FormatJson({kWhen, LogLevel::kInfo, message, {fields.begin(), fields.size()}});
}

std::string Text(std::string_view message, std::initializer_list<LogField> fields = {}) {
  return FormatText({kWhen, LogLevel::kWarn, message, {fields.begin(), fields.size()}});
}

TEST_CASE("A JSON line holds time, level, message and fields") {
  CHECK(
      Json("server: listening", {{"port", 6330}, {"address", "127.0.0.1"}, {"new", true}}) ==
      "{\"time\":\"2023-11-14T22:13:20.007Z\",\"level\":\"info\","
      "\"message\":\"server: listening\",\"port\":6330,\"address\":\"127.0.0.1\",\"new\":true}\n");
}

TEST_CASE("Floating-point fields stay valid JSON whatever their value") {
  CHECK_THAT(Json("x", {{"load", 0.5}, {"odd", 0.0 / 0.0}}),
             Catch::EndsWith(",\"load\":\"0.5\",\"odd\":\"nan\"}\n") ||
                 Catch::EndsWith(",\"load\":\"0.5\",\"odd\":\"-nan\"}\n"));
}

TEST_CASE("JSON strings escape quotes, backslashes and control characters") {
  CHECK(JsonQuoted("a\"b\\c\n\r\t\x01\x7f") == "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f\"");
  CHECK(JsonQuoted(std::string_view("\0", 1)) == "\"\\u0000\"");
}

TEST_CASE("JSON strings keep UTF-8 and replace what is none") {
  CHECK(JsonQuoted("監督 ü 😀") == "\"監督 ü 😀\"");
  const std::string_view no_utf8 = GENERATE(as<std::string_view>(), "\xff", "\x80", "\xc0\xaf",
                                            "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf0");
  const std::string quoted = JsonQuoted(no_utf8);
  CHECK_THAT(quoted, Catch::StartsWith("\"\xEF\xBF\xBD"));
  CHECK(JsonQuoted(quoted.substr(1, quoted.size() - 2)) == quoted);
}

TEST_CASE("A text line is for people, its fields quoted where they need it") {
  CHECK_THAT(Text("disk is full", {{"free", 0}, {"path", "/a b"}, {"why", ""}, {"id", "x1"}}),
             Catch::EndsWith(" warn  disk is full free=0 path=\"/a b\" why=\"\" id=x1\n"));
}

TEST_CASE("A line stays one line whatever it holds") {
  const std::string text = Text("a\nb", {{"x", "c\nd"}});
  CHECK(text.find('\n') == text.size() - 1);
  const std::string json = Json("a\nb", {{"x", "c\nd"}});
  CHECK(json.find('\n') == json.size() - 1);
}

}  // namespace
}  // namespace kantoku::platform
