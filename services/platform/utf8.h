#ifndef KANTOKU_SERVICES_PLATFORM_UTF8_H_
#define KANTOKU_SERVICES_PLATFORM_UTF8_H_

#include <cstddef>
#include <string_view>

namespace kantoku::platform {

// How many bytes the UTF-8 character has that `text`, which is not empty, begins with: 1 to 4; 0
// when it begins with none. Overlong forms, surrogates and what lies beyond Unicode are none.
size_t Utf8CharacterBytes(std::string_view text);

// How many of the first bytes of a text in UTF-8 are whole characters and no more than `limit`.
size_t Utf8Prefix(std::string_view text, size_t limit);

// Whether `character`, one of UTF-8, is a control character: U+0000 to U+001F, U+007F to U+009F.
bool IsControlCharacter(std::string_view character);

bool IsUtf8(std::string_view text);

// Whether it is UTF-8 without control characters.
bool IsPlainText(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_UTF8_H_
