#include "services/issuer/grant.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::ByteReader;
using platform::ByteWriter;
using platform::SecretDigest;

constexpr size_t kIdDigits = 16;

void Write(ByteWriter& writer, const std::vector<std::string>& texts) {
  writer.Unsigned(texts.size());
  for (const std::string& text : texts) writer.Text(text);
}

void Write(ByteWriter& writer, const std::optional<absl::Time>& time) {
  writer.Unsigned(time.has_value() ? 1 : 0);
  if (time.has_value()) writer.Time(*time);
}

void Write(ByteWriter& writer, const SecretDigest& digest) {
  writer.Text({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::vector<std::string> ReadTexts(ByteReader& reader) {
  std::vector<std::string> texts;
  for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
    texts.emplace_back(reader.Text());
  }
  return texts;
}

std::optional<absl::Time> ReadTime(ByteReader& reader) {
  if (reader.Unsigned() == 0) return std::nullopt;
  return reader.Time();
}

SecretDigest ReadDigest(ByteReader& reader) {
  SecretDigest digest{};
  const std::string_view bytes = reader.Text();
  if (bytes.size() != digest.size()) {
    reader.Fail();
  } else {
    std::copy(bytes.begin(), bytes.end(), digest.begin());
  }
  return digest;
}

}  // namespace

std::string ToText(GrantId id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad16)); }

std::optional<GrantId> GrantIdOf(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != kIdDigits || !std::all_of(text.begin(), text.end(), digit)) {
    return std::nullopt;
  }
  GrantId id = 0;
  for (const char c : text) {
    id = id << 4 | static_cast<GrantId>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return id;
}

std::string EncodeGrant(const Grant& grant) {
  std::string record;
  ByteWriter writer(record);
  writer.Text(grant.user);
  writer.Text(grant.app);
  Write(writer, grant.scopes);
  Write(writer, grant.namespaces);
  writer.Unsigned(grant.labels.size());
  for (const auto& [name, value] : grant.labels) {
    writer.Text(name);
    writer.Text(value);
  }
  writer.Unsigned(grant.reusable ? 1 : 0);
  writer.Text(grant.created_by);
  writer.Time(grant.created);
  writer.Time(grant.expires);
  Write(writer, grant.taken);
  Write(writer, grant.revoked);
  Write(writer, grant.secret);
  Write(writer, grant.holder_secret);
  return record;
}

absl::StatusOr<Grant> DecodeGrant(GrantId id, std::string_view record) {
  ByteReader reader(record);
  Grant grant;
  grant.id = id;
  grant.user = reader.Text();
  grant.app = reader.Text();
  grant.scopes = ReadTexts(reader);
  grant.namespaces = ReadTexts(reader);
  for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
    std::string name(reader.Text());
    grant.labels[std::move(name)] = reader.Text();
  }
  grant.reusable = reader.Unsigned() != 0;
  grant.created_by = reader.Text();
  grant.created = reader.Time();
  grant.expires = reader.Time();
  grant.taken = ReadTime(reader);
  grant.revoked = ReadTime(reader);
  grant.secret = ReadDigest(reader);
  grant.holder_secret = ReadDigest(reader);
  if (reader.Complete()) return grant;
  return platform::Error(absl::StatusCode::kDataLoss, "DAMAGED_GRANT",
                         absl::StrCat("the record of the grant ", ToText(id), " is damaged"));
}

}  // namespace kantoku::issuer
