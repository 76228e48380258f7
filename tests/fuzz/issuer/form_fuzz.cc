// The fields of a form that was read, written again, are read as the same; and so are name and
// password of a client.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/issuer/form.h"
#include "services/platform/check.h"
#include "services/platform/identity/http_client.h"

using kantoku::issuer::ParseBasic;
using kantoku::issuer::ParseForm;
using kantoku::platform::FormEncode;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto fields = ParseForm(text); fields.has_value()) {
    std::string again;
    for (const auto& [name, value] : *fields) {
      absl::StrAppend(&again, FormEncode(name), "=", FormEncode(value), "&");
    }
    KANTOKU_CHECK(ParseForm(again) == fields);
  }
  if (const auto client = ParseBasic(text); client.has_value()) {
    const std::string pair =
        absl::StrCat(FormEncode(client->first), ":", FormEncode(client->second));
    KANTOKU_CHECK(ParseBasic(absl::StrCat("Basic ", absl::Base64Escape(pair))) == client);
  }
  return 0;
}
