#include "services/platform/auth/tokens.h"

#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

// Layout of every token: a format byte, the fields in the order of their struct, the code of all
// that. Integers are big-endian; times and durations are nanoseconds in 8 bytes; a text is two
// bytes of length, then its bytes.

namespace kantoku::platform {
namespace {

constexpr uint8_t kFormat = 1;

constexpr std::string_view kTaskTokenPrefix = "kantoku-task.";
constexpr std::string_view kTaskTokenLabel = "kantoku task token";
// More than the longest names come to; what is longer is not looked at.
constexpr size_t kMaxTaskToken = 8'192;

class Writer {
 public:
  explicit Writer(size_t size_hint) {
    bytes_.reserve(size_hint + MacKeys::kCodeSize);
    Integer(kFormat);
  }

  template <typename T>
  void Integer(T value) {
    const auto wide = static_cast<uint64_t>(value);
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>(wide >> shift));
    }
  }
  void Id(const Uuid& id) { bytes_.append(id.bytes()); }
  void Time(absl::Time time) { Integer(absl::ToUnixNanos(time)); }
  void Duration(absl::Duration duration) { Integer(absl::ToInt64Nanoseconds(duration)); }
  void Text(std::string_view text) {
    KANTOKU_CHECK(text.size() <= std::numeric_limits<uint16_t>::max());
    Integer(static_cast<uint16_t>(text.size()));
    bytes_.append(text);
  }

  std::string Seal(const MacKeys& keys, MacKeys::Purpose purpose) && {
    bytes_.append(keys.Sign(purpose, bytes_));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// A token in its two parts; empty ones of what is too short.
struct Parts {
  explicit Parts(std::string_view token) {
    if (token.size() < MacKeys::kCodeSize) return;
    fields = token.substr(0, token.size() - MacKeys::kCodeSize);
    code = token.substr(fields.size());
  }
  std::string_view fields;
  std::string_view code;
};

// Reads what is left of a token's fields. Once something is missing, everything is.
class Reader {
 public:
  // Nothing can be read unless the token is genuine and of our format.
  Reader(const MacKeys& keys, MacKeys::Purpose purpose, std::string_view token) {
    const Parts parts(token);
    Begin(parts.fields, keys.Verify(purpose, parts.fields, parts.code));
  }
  // The same of a token that was made of one with this purpose.
  Reader(const MacKeys& keys, MacKeys::Purpose purpose, std::string_view label,
         std::string_view token) {
    const Parts parts(token);
    Begin(parts.fields, keys.VerifyAttenuated(purpose, parts.fields, label, parts.code));
  }

  template <typename T>
  T Integer() {
    uint64_t value = 0;
    for (const char byte : Take(sizeof(T))) value = value << 8 | static_cast<uint8_t>(byte);
    return static_cast<T>(value);
  }
  Uuid Id() { return Uuid::FromBytes(Take(Uuid::kSize)).value_or(Uuid()); }
  absl::Time Time() { return absl::FromUnixNanos(Integer<int64_t>()); }
  absl::Duration Duration() {
    const auto nanoseconds = Integer<int64_t>();
    return nanoseconds == std::numeric_limits<int64_t>::max() ? absl::InfiniteDuration()
                                                              : absl::Nanoseconds(nanoseconds);
  }
  std::string Text() { return std::string(Take(Integer<uint16_t>())); }

  // Whether everything was there, and nothing more.
  bool Complete() const { return good_ && rest_.empty(); }

 private:
  void Begin(std::string_view fields, bool genuine) {
    rest_ = fields;
    good_ = genuine;
    good_ = Integer<uint8_t>() == kFormat && good_;
  }
  std::string_view Take(size_t size) {
    good_ = good_ && size <= rest_.size();
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool good_ = false;
};

Lease ReadLease(Reader& reader) {
  Lease lease;
  lease.task = TaskId(reader.Id());
  lease.dispatch = reader.Integer<uint32_t>();
  lease.session = SessionId(reader.Id());
  lease.holder.subject = reader.Text();
  lease.holder.client_id = reader.Text();
  lease.name_space = reader.Text();
  lease.owner = reader.Text();
  lease.expires = reader.Time();
  lease.retention = reader.Duration();
  lease.spawn_scope = reader.Text();
  return lease;
}

absl::Status Denied(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied, reason, message);
}

}  // namespace

std::string SealLease(const MacKeys& keys, const Lease& lease) {
  Writer writer(63 + lease.holder.subject.size() + lease.holder.client_id.size() +
                lease.name_space.size() + lease.owner.size() + lease.spawn_scope.size());
  writer.Id(lease.task);
  writer.Integer(lease.dispatch);
  writer.Id(lease.session);
  writer.Text(lease.holder.subject);
  writer.Text(lease.holder.client_id);
  writer.Text(lease.name_space);
  writer.Text(lease.owner);
  writer.Time(lease.expires);
  writer.Duration(lease.retention);
  writer.Text(lease.spawn_scope);
  return std::move(writer).Seal(keys, MacKeys::Purpose::kLease);
}

absl::StatusOr<Lease> OpenLease(const MacKeys& keys, std::string_view token, absl::Time now) {
  Reader reader(keys, MacKeys::Purpose::kLease, token);
  Lease lease = ReadLease(reader);
  if (!reader.Complete()) return Denied("INVALID_LEASE", "lease_token is not genuine");
  if (now >= lease.expires) {
    return Denied("INVALID_LEASE",
                  absl::StrCat("lease_token ended at ", absl::FormatTime(lease.expires)));
  }
  return lease;
}

absl::StatusOr<TaskId> TaskOfLease(std::string_view token) {
  return TaskId::FromBytes(token.size() < 1 + Uuid::kSize ? "" : token.substr(1, Uuid::kSize));
}

std::string SealReceipt(const MacKeys& keys, const Receipt& receipt) {
  Writer writer(30);
  writer.Id(receipt.task);
  writer.Integer(receipt.dispatch);
  writer.Integer(receipt.status);
  writer.Integer(receipt.item_count);
  return std::move(writer).Seal(keys, MacKeys::Purpose::kReceipt);
}

absl::StatusOr<Receipt> OpenReceipt(const MacKeys& keys, std::string_view token) {
  Reader reader(keys, MacKeys::Purpose::kReceipt, token);
  Receipt receipt;
  receipt.task = TaskId(reader.Id());
  receipt.dispatch = reader.Integer<uint32_t>();
  receipt.status = reader.Integer<uint8_t>();
  receipt.item_count = reader.Integer<uint64_t>();
  if (!reader.Complete()) return Denied("INVALID_RECEIPT", "receipt is not genuine");
  return receipt;
}

std::string SealReadGrant(const MacKeys& keys, const ReadGrant& grant) {
  Writer writer(49 + grant.holder.subject.size() + grant.holder.client_id.size() +
                grant.name_space.size() + grant.owner.size());
  writer.Id(grant.task);
  writer.Id(grant.session);
  writer.Text(grant.holder.subject);
  writer.Text(grant.holder.client_id);
  writer.Text(grant.name_space);
  writer.Text(grant.owner);
  writer.Time(grant.expires);
  return std::move(writer).Seal(keys, MacKeys::Purpose::kReadGrant);
}

absl::StatusOr<ReadGrant> OpenReadGrant(const MacKeys& keys, std::string_view token,
                                        absl::Time now) {
  Reader reader(keys, MacKeys::Purpose::kReadGrant, token);
  ReadGrant grant;
  grant.task = TaskId(reader.Id());
  grant.session = SessionId(reader.Id());
  grant.holder.subject = reader.Text();
  grant.holder.client_id = reader.Text();
  grant.name_space = reader.Text();
  grant.owner = reader.Text();
  grant.expires = reader.Time();
  if (!reader.Complete()) return Denied("INVALID_GRANT", "read_grant is not genuine");
  if (now >= grant.expires) {
    return Denied("INVALID_GRANT",
                  absl::StrCat("read_grant ended at ", absl::FormatTime(grant.expires)));
  }
  return grant;
}

std::string TaskTokenOf(std::string_view lease_token) {
  const Parts lease(lease_token);
  if (lease.code.empty()) return std::string();
  std::string bytes(lease.fields);
  bytes += Attenuate(lease.code, kTaskTokenLabel);
  return absl::StrCat(ToAbsl(kTaskTokenPrefix), absl::WebSafeBase64Escape(bytes));
}

bool IsTaskToken(std::string_view text) { return text.starts_with(kTaskTokenPrefix); }

absl::StatusOr<Lease> OpenTaskToken(const MacKeys& keys, std::string_view text, absl::Time now) {
  const auto refused = [](std::string_view reason, std::string_view message) {
    return Error(absl::StatusCode::kUnauthenticated, reason, message);
  };
  std::string bytes;
  const bool decoded =
      IsTaskToken(text) && text.size() <= kMaxTaskToken &&
      absl::WebSafeBase64Unescape(ToAbsl(text.substr(kTaskTokenPrefix.size())), &bytes);
  Reader reader(keys, MacKeys::Purpose::kLease, kTaskTokenLabel,
                decoded ? bytes : std::string_view());
  Lease lease = ReadLease(reader);
  if (!reader.Complete()) return refused("INVALID_TOKEN", "the task token is not genuine");
  if (now >= lease.expires) return refused("TOKEN_EXPIRED", "the task token has ended");
  return lease;
}

std::string SealServiceIdentity(const MacKeys& keys, std::string_view service, absl::Time expires) {
  Writer writer(11 + service.size());
  writer.Text(service);
  writer.Time(expires);
  return std::move(writer).Seal(keys, MacKeys::Purpose::kService);
}

absl::StatusOr<std::string> OpenServiceIdentity(const MacKeys& keys, std::string_view token,
                                                absl::Time now) {
  Reader reader(keys, MacKeys::Purpose::kService, token);
  std::string service = reader.Text();
  const absl::Time expires = reader.Time();
  if (!reader.Complete()) return Denied("NOT_A_SERVICE", "service identity is not genuine");
  if (now >= expires) {
    return Denied("NOT_A_SERVICE",
                  absl::StrCat("service identity ended at ", absl::FormatTime(expires)));
  }
  return service;
}

std::string SealForwarded(const MacKeys& keys, uint32_t partition, absl::Time expires) {
  Writer writer(16);
  writer.Integer(partition);
  writer.Time(expires);
  return std::move(writer).Seal(keys, MacKeys::Purpose::kForwarded);
}

absl::StatusOr<uint32_t> OpenForwarded(const MacKeys& keys, std::string_view token,
                                       absl::Time now) {
  Reader reader(keys, MacKeys::Purpose::kForwarded, token);
  const uint32_t partition = reader.Integer<uint32_t>();
  const absl::Time expires = reader.Time();
  if (!reader.Complete() || now >= expires) {
    return Denied("NOT_FORWARDED", "no replica of ours has forwarded the call, or long ago");
  }
  return partition;
}

}  // namespace kantoku::platform
