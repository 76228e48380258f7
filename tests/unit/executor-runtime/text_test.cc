#include "services/executor-runtime/text.h"

#include <catch2/catch.hpp>

namespace kantoku::executor {
namespace {

TEST_CASE("Well-formed text is UTF-8") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("plain"));
  CHECK(IsUtf8("\u00e9 \u20ac \U0001f600"));
}

TEST_CASE("Overlong forms, surrogates and cut characters are no UTF-8") {
  CHECK_FALSE(IsUtf8("\xC0\x80"));
  CHECK_FALSE(IsUtf8("\xE0\x80\x80"));
  CHECK_FALSE(IsUtf8("\xED\xA0\x80"));
  CHECK_FALSE(IsUtf8("\xF4\x90\x80\x80"));
  CHECK_FALSE(IsUtf8("\xE2\x82"));
  CHECK_FALSE(IsUtf8("\xFF"));
}

TEST_CASE("Bytes that are no UTF-8 become question marks") {
  CHECK(CutUtf8("a\xFF"
                "b\xC3",
                100) == "a?b?");
}

TEST_CASE("Text is cut between two characters") {
  CHECK(CutUtf8("ab\u20ac", 5) == "ab\u20ac");
  CHECK(CutUtf8("ab\u20ac", 4) == "ab");
  CHECK(CutUtf8("abc", 0).empty());
}

}  // namespace
}  // namespace kantoku::executor
