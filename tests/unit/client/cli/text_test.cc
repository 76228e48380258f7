#include "client/cli/text.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::cli {
namespace {

TEST_CASE("What would steer a terminal or break a line becomes a space") {
  CHECK(OneLine("plain") == "plain");
  CHECK(OneLine("two\nlines\r\n") == "two lines");
  CHECK(OneLine("\x1b[31mred\x1b[0m") == "[31mred [0m");
  CHECK(OneLine("a \t b") == "a b");
  CHECK(OneLine("\xc2\x9b"
                "31m") == "31m");
  CHECK(OneLine("\x7f").empty());
  CHECK(OneLine("h\xc3\xa9 \xe2\x82\xac") == "h\xc3\xa9 \xe2\x82\xac");
  CHECK(OneLine("bad \xff byte") == "bad ? byte");
}

TEST_CASE("UTF-8 is told from other bytes, to the byte") {
  for (const std::string text :
       {"", "ascii", "h\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82", "\xef\xbf\xbf"}) {
    INFO(text);
    CHECK(IsUtf8(text));
  }
  for (const std::string text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                                 "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"}) {
    INFO(text);
    CHECK_FALSE(IsUtf8(text));
  }
}

TEST_CASE("Text may have tabs and ends of lines, and nothing else that a terminal obeys") {
  CHECK(IsShowable("one\ttwo\r\nthree\n"));
  CHECK(IsShowable("h\xc3\xa9"));
  CHECK_FALSE(IsShowable(std::string("a\0b", 3)));
  CHECK_FALSE(IsShowable("\x1b[2J"));
  CHECK_FALSE(
      IsShowable("\xc2\x9b"
                 "2J"));
  CHECK_FALSE(IsShowable("\xff"));
}

TEST_CASE("Columns are counted in characters, not in bytes") {
  CHECK(WidthOf("h\xc3\xa9") == 2);
  CHECK(Padded("h\xc3\xa9", 4) == "h\xc3\xa9  ");
  CHECK(Padded("long", 2) == "long");
}

TEST_CASE("Ages have one unit, durations three digits or so") {
  CHECK(AgeText(absl::Seconds(-3)) == "0s");
  CHECK(AgeText(absl::Seconds(59)) == "59s");
  CHECK(AgeText(absl::Seconds(60)) == "1m");
  CHECK(AgeText(absl::Minutes(90)) == "1h");
  CHECK(AgeText(absl::Hours(47)) == "47h");
  CHECK(AgeText(absl::Hours(48)) == "2d");
  CHECK(TookText(absl::Microseconds(420)) == "0.4ms");
  CHECK(TookText(absl::Milliseconds(12)) == "12ms");
  CHECK(TookText(absl::Milliseconds(1'234)) == "1.23s");
  CHECK(TookText(absl::Seconds(190)) == "3m10s");
  CHECK(TookText(absl::Minutes(125)) == "2h05m");
  CHECK(SizeText(1023) == "1023 bytes");
  CHECK(SizeText(1536) == "1.5 KiB");
  CHECK(SizeText(5 << 20) == "5.0 MiB");
}

TEST_CASE("Labels are shown in a line, without those that have columns of their own") {
  CHECK(LabelsText({{"owner", "anna"}, {"gpu", "true"}, {"mem_gib", "1\n6"}, {"version", "2"}}) ==
        "gpu=true mem_gib=1 6");
  CHECK(LabelsText({{"app", "bench"}, {"executor", "lab-3"}}) == "-");
}

}  // namespace
}  // namespace kantoku::cli
