#include "services/platform/utf8.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::platform {
namespace {

TEST_CASE("A character of UTF-8 has one to four bytes, whatever follows it") {
  CHECK(Utf8CharacterBytes("a") == 1);
  CHECK(Utf8CharacterBytes(std::string_view("\0z", 2)) == 1);
  CHECK(Utf8CharacterBytes("\u00e9\xFF") == 2);
  CHECK(Utf8CharacterBytes("\u20ac\xFF") == 3);
  CHECK(Utf8CharacterBytes("\U0001f600\xFF") == 4);
  CHECK(Utf8CharacterBytes("\U0010ffff") == 4);
}

TEST_CASE(
    "Overlong forms, surrogates, what is cut and what lies beyond Unicode are no characters") {
  for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                           "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
                           "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1"}) {
    INFO(text);
    CHECK(Utf8CharacterBytes(text) == 0);
    CHECK_FALSE(IsUtf8(std::string("before ") + text));
  }
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("plain \u00e9 \u20ac \U0001f600"));
}

TEST_CASE("Control characters are those of ASCII and of Latin-1") {
  CHECK(IsControlCharacter(std::string_view("\0", 1)));
  CHECK(IsControlCharacter("\n"));
  CHECK(IsControlCharacter("\x7F"));
  CHECK(IsControlCharacter("\u0080"));
  CHECK(IsControlCharacter("\u009f"));
  CHECK_FALSE(IsControlCharacter(" "));
  CHECK_FALSE(IsControlCharacter("~"));
  CHECK_FALSE(IsControlCharacter("\u00a0"));
  CHECK_FALSE(IsControlCharacter("\u00e9"));
  CHECK_FALSE(IsControlCharacter("\u20ac"));
}

}  // namespace
}  // namespace kantoku::platform
