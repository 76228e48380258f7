#include "services/platform/auth/tokens.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const absl::Time kNow = absl::FromUnixNanos(1'700'000'000'123'456'789);

std::unique_ptr<MacKeys> Keys(char fill = 'k') {
  return MacKeys::Make({{1, std::string(32, fill)}}).value();
}

Lease ALease() {
  return {.task = TaskId::Make(kNow, 3, 99, 1),
          .dispatch = 0xfffffffe,
          .session = SessionId(Uuid::Parse("018f2c3a-abcd-7123-8456-00ff10203040").value()),
          .holder = {"user", ""},
          .name_space = "default",
          .owner = std::string("o\0wner", 6),
          .expires = kNow + absl::Hours(1),
          .retention = absl::Hours(24) + absl::Nanoseconds(1),
          .spawn_scope = "inputs:spawn:a"};
}

Receipt AReceipt() {
  return {
      .task = TaskId::Make(kNow, 3, 99, 1), .dispatch = 7, .status = 1, .item_count = 1ull << 40};
}

TEST_CASE("A lease token gives back every field") {
  const auto keys = Keys();
  const auto lease = OpenLease(*keys, SealLease(*keys, ALease()), kNow);
  REQUIRE(lease.ok());
  const Lease expected = ALease();
  CHECK(lease->task == expected.task);
  CHECK(lease->dispatch == expected.dispatch);
  CHECK(lease->session == expected.session);
  CHECK(lease->holder == expected.holder);
  CHECK(lease->name_space == expected.name_space);
  CHECK(lease->owner == expected.owner);
  CHECK(lease->expires == expected.expires);
  CHECK(lease->retention == expected.retention);
  CHECK(lease->spawn_scope == expected.spawn_scope);
}

TEST_CASE("The task of a lease token can be read without a key, genuine or not") {
  std::string token = SealLease(*Keys(), ALease());
  CHECK(*TaskOfLease(token) == ALease().task);
  token.back() = static_cast<char>(token.back() + 1);
  CHECK(*TaskOfLease(token) == ALease().task);
  for (const std::string& none : {std::string(), std::string(16, 'x'), std::string(200, 'x')}) {
    CHECK(absl::IsInvalidArgument(TaskOfLease(none).status()));
  }
}

TEST_CASE("A result may be kept for ever") {
  const auto keys = Keys();
  Lease lease = ALease();
  lease.retention = absl::InfiniteDuration();
  CHECK(OpenLease(*keys, SealLease(*keys, lease), kNow)->retention == absl::InfiniteDuration());
}

TEST_CASE("A lease token ends when it says") {
  const auto keys = Keys();
  const std::string token = SealLease(*keys, ALease());
  CHECK(OpenLease(*keys, token, ALease().expires - absl::Nanoseconds(1)).ok());
  const auto late = OpenLease(*keys, token, ALease().expires);
  CHECK(late.status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(ReasonOf(late.status()) == "INVALID_LEASE");
}

TEST_CASE("A changed, cut or prolonged lease token is refused") {
  const auto keys = Keys();
  const std::string token = SealLease(*keys, ALease());
  const auto refused = [&](const std::string& other) {
    const auto lease = OpenLease(*keys, other, kNow);
    return lease.status().code() == absl::StatusCode::kPermissionDenied &&
           ReasonOf(lease.status()) == "INVALID_LEASE";
  };
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = static_cast<char>(changed[i] + 1);
    CHECK(refused(changed));
    CHECK(refused(token.substr(0, i)));
  }
  CHECK(refused(token + '\0'));
}

TEST_CASE("Fields that are genuine but malformed are refused") {
  const auto keys = Keys();
  const auto sealed = [&](const std::string& fields) {
    return fields + std::string(keys->Sign(MacKeys::Purpose::kReceipt, fields));
  };
  std::string fields = SealReceipt(*keys, AReceipt());
  fields.resize(fields.size() - MacKeys::kCodeSize);
  REQUIRE(OpenReceipt(*keys, sealed(fields)).ok());
  CHECK_FALSE(OpenReceipt(*keys, sealed(fields + "x")).ok());
  CHECK_FALSE(OpenReceipt(*keys, sealed(fields.substr(0, fields.size() - 1))).ok());
  CHECK_FALSE(OpenReceipt(*keys, sealed("")).ok());
  fields[0] = 2;
  CHECK_FALSE(OpenReceipt(*keys, sealed(fields)).ok());
}

TEST_CASE("A receipt gives back every field and is not a lease") {
  const auto keys = Keys();
  const std::string token = SealReceipt(*keys, AReceipt());
  const auto receipt = OpenReceipt(*keys, token);
  REQUIRE(receipt.ok());
  CHECK(receipt->task == AReceipt().task);
  CHECK(receipt->dispatch == 7);
  CHECK(receipt->status == 1);
  CHECK(receipt->item_count == 1ull << 40);
  CHECK_FALSE(OpenLease(*keys, token, kNow).ok());
  CHECK(ReasonOf(OpenReceipt(*keys, SealLease(*keys, ALease())).status()) == "INVALID_RECEIPT");
}

TEST_CASE("A read grant gives back every field until it ends, and is not a lease") {
  const auto keys = Keys();
  const ReadGrant grant{.task = ALease().task,
                        .session = ALease().session,
                        .holder = {"alice", "laptop"},
                        .name_space = "lab",
                        .owner = "bob",
                        .expires = kNow + absl::Hours(1)};
  const std::string token = SealReadGrant(*keys, grant);
  const auto opened = OpenReadGrant(*keys, token, kNow);
  REQUIRE(opened.ok());
  CHECK(opened->task == grant.task);
  CHECK(opened->session == grant.session);
  CHECK(opened->holder == grant.holder);
  CHECK(opened->name_space == "lab");
  CHECK(opened->owner == "bob");
  CHECK(opened->expires == grant.expires);
  CHECK(ReasonOf(OpenReadGrant(*keys, token, grant.expires).status()) == "INVALID_GRANT");
  CHECK_FALSE(OpenLease(*keys, token, kNow).ok());
  CHECK_FALSE(OpenReadGrant(*keys, SealLease(*keys, ALease()), kNow).ok());
  CHECK_FALSE(OpenReadGrant(*Keys('b'), token, kNow).ok());
  CHECK(ReasonOf(OpenReadGrant(*keys, "", kNow).status()) == "INVALID_GRANT");
}

std::string ATaskToken(const MacKeys& keys) { return TaskTokenOf(SealLease(keys, ALease())); }

TEST_CASE("A task token is a text that may be shown as an access token, with every field in it") {
  const auto keys = Keys();
  const std::string text = ATaskToken(*keys);
  CHECK(IsTaskToken(text));
  CHECK(
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") ==
      std::string::npos);
  const auto lease = OpenTaskToken(*keys, text, kNow);
  REQUIRE(lease.ok());
  CHECK(lease->task == ALease().task);
  CHECK(lease->dispatch == ALease().dispatch);
  CHECK(lease->holder == ALease().holder);
  CHECK(lease->name_space == "default");
  CHECK(lease->owner == ALease().owner);
  CHECK(lease->spawn_scope == ALease().spawn_scope);
  CHECK(lease->expires == ALease().expires);
}

TEST_CASE("A task token is made as the protocol says, by whoever holds the lease token") {
  const auto keys = Keys();
  const std::string lease = SealLease(*keys, ALease());
  const std::string code = lease.substr(lease.size() - 17);
  std::string bytes;
  REQUIRE(absl::WebSafeBase64Unescape(TaskTokenOf(lease).substr(13), &bytes));
  CHECK(bytes.substr(0, bytes.size() - 17) == lease.substr(0, lease.size() - 17));
  CHECK(bytes.substr(bytes.size() - 17) == std::string(Attenuate(code, "kantoku task token")));
  CHECK(TaskTokenOf("short").empty());
}

TEST_CASE("Nobody makes a lease token of a task token") {
  const auto keys = Keys();
  std::string bytes;
  REQUIRE(absl::WebSafeBase64Unescape(ATaskToken(*keys).substr(13), &bytes));
  CHECK_FALSE(OpenLease(*keys, bytes, kNow).ok());
  CHECK_FALSE(OpenTaskToken(*keys, TaskTokenOf(bytes), kNow).ok());  // Nor another one of it.
  // The lease token as it is is none, either.
  const std::string lease = SealLease(*keys, ALease());
  CHECK_FALSE(OpenTaskToken(*keys, "kantoku-task." + absl::WebSafeBase64Escape(lease), kNow).ok());
}

TEST_CASE("A task token that is changed, cut, foreign, too long or another one is not genuine") {
  const auto keys = Keys();
  const std::string text = ATaskToken(*keys);
  const auto why = [&](const std::string& other) {
    const auto lease = OpenTaskToken(*keys, other, kNow);
    CHECK((lease.ok() || absl::IsUnauthenticated(lease.status())));
    return lease.ok() ? "OK" : ReasonOf(lease.status());
  };
  CHECK(why(text) == "OK");
  for (size_t i = std::string("kantoku-task.").size(); i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == 'A' ? 'Q' : 'A';
    CAPTURE(i);
    if (i + 1 == text.size()) continue;  // Bits of it are nobody's.
    CHECK(why(other) == "INVALID_TOKEN");
  }
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(why(text.substr(0, size)) == "INVALID_TOKEN");
  }
  CHECK(why(ATaskToken(*Keys('b'))) == "INVALID_TOKEN");
  CHECK(why(SealLease(*keys, ALease())) == "INVALID_TOKEN");
  CHECK(why(TaskTokenOf(SealReceipt(*keys, AReceipt()))) == "INVALID_TOKEN");
  CHECK(why(TaskTokenOf(SealReadGrant(*keys, {}))) == "INVALID_TOKEN");
  CHECK(why(text + std::string(10'000, 'A')) == "INVALID_TOKEN");
  CHECK(why("") == "INVALID_TOKEN");
}

TEST_CASE("A task token ends with its lease token") {
  const auto keys = Keys();
  const std::string text = ATaskToken(*keys);
  CHECK(OpenTaskToken(*keys, text, ALease().expires - absl::Nanoseconds(1)).ok());
  CHECK(ReasonOf(OpenTaskToken(*keys, text, ALease().expires).status()) == "TOKEN_EXPIRED");
}

TEST_CASE("Tokens of another installation are refused") {
  const auto ours = Keys('a');
  const auto theirs = Keys('b');
  CHECK_FALSE(OpenLease(*ours, SealLease(*theirs, ALease()), kNow).ok());
  CHECK_FALSE(OpenReceipt(*ours, SealReceipt(*theirs, AReceipt())).ok());
  CHECK_FALSE(OpenServiceIdentity(
                  *ours, SealServiceIdentity(*theirs, "inputs", absl::InfiniteFuture()), kNow)
                  .ok());
}

TEST_CASE("A service proves its name until its proof ends") {
  const auto keys = Keys();
  const std::string token = SealServiceIdentity(*keys, "inputs", kNow + absl::Minutes(1));
  CHECK(OpenServiceIdentity(*keys, token, kNow).value() == "inputs");
  const auto late = OpenServiceIdentity(*keys, token, kNow + absl::Minutes(1));
  CHECK(late.status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(ReasonOf(late.status()) == "NOT_A_SERVICE");
  CHECK(ReasonOf(OpenServiceIdentity(*keys, "", kNow).status()) == "NOT_A_SERVICE");
}

}  // namespace
}  // namespace kantoku::platform
