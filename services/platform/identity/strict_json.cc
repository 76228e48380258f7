#include "services/platform/identity/strict_json.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxDepth = 8;

// Looks at a text without keeping it; refuses by returning false.
class Looker final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Enter(); }
  bool key(string_t& name) override { return names_.back().insert(std::move(name)).second; }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool Enter() {
    names_.emplace_back();
    return names_.size() <= kMaxDepth;
  }
  bool Leave() {
    names_.pop_back();
    return true;
  }

  std::vector<absl::flat_hash_set<std::string>> names_;  // Of each level that is open.
};

}  // namespace

std::optional<nlohmann::json> ParseStrictObject(std::string_view text) {
  Looker looker;
  if (!nlohmann::json::sax_parse(text, &looker)) return std::nullopt;
  nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

}  // namespace kantoku::platform
