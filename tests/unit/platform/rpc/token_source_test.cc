#include "services/platform/rpc/token_source.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

void Write(const std::string& path, const std::string& text) {
  const std::string unfinished = path + ".new";
  std::ofstream(unfinished) << text;
  std::filesystem::rename(unfinished, path);
}

TEST_CASE("A token that is no bearer token is refused, before it could end the process") {
  const std::string bad = GENERATE(as<std::string>(), "", "a b", "a\n", "\x80", "tok\xc3\xa9n",
                                   "a\"b", std::string("a\0b", 3), std::string(8'193, 'x'));
  const auto made = MakeFixedToken(bad);
  CHECK(ReasonOf(made.status()) == "INVALID_TOKEN");
  CHECK(made.status().message() ==
        "there is no access token in it: 1 to 8192 letters, digits and -._~+/=");
}

TEST_CASE("A token is what it was made of, or what its file holds without white space") {
  CHECK((*MakeFixedToken("eyJ.a-b_c~+/=="))->Token() == "eyJ.a-b_c~+/==");
  FakeClock clock;
  const test::TempDir directory;
  Write(directory.File("token"), "  secret\n\n");
  CHECK((*MakeTokenFile(directory.File("token"), clock))->Token() == "secret");
}

TEST_CASE("A file is read again when it has changed, looked at once a second at most") {
  FakeClock clock;
  const test::TempDir directory;
  const std::string path = directory.File("token");
  Write(path, "first");
  const auto token = *MakeTokenFile(path, clock);
  Write(path, "second");
  CHECK(token->Token() == "first");
  clock.Advance(absl::Seconds(1));
  CHECK(token->Token() == "second");
  // What can no more be read stays as it was.
  Write(path, "not a token");
  clock.Advance(absl::Seconds(1));
  CHECK(token->Token() == "second");
  std::filesystem::remove(path);
  clock.Advance(absl::Seconds(1));
  CHECK(token->Token() == "second");
  Write(path, "third");
  clock.Advance(absl::Seconds(1));
  CHECK(token->Token() == "third");
}

TEST_CASE("A file is read again at once when a newer token is wanted, and a fixed token stays") {
  FakeClock clock;
  const test::TempDir directory;
  const std::string path = directory.File("token");
  Write(path, "first");
  const auto token = *MakeTokenFile(path, clock);
  CHECK_FALSE(token->Renew("first"));
  Write(path, "second");
  CHECK(token->Renew("first"));
  CHECK(token->Token() == "second");
  CHECK(token->Renew("first"));  // Of a call that was under way for long.
  CHECK_FALSE(token->Renew("second"));
  const auto fixed = *MakeFixedToken("first");
  CHECK_FALSE(fixed->Renew("first"));
  CHECK(fixed->Token() == "first");
}

TEST_CASE("A file that is not there, or a token twice, is said at once") {
  FakeClock clock;
  CHECK(ReasonOf(MakeTokenFile("/nowhere/token", clock).status()) == "NO_TOKEN_FILE");
  CHECK(ReasonOf(MakeTokenSource("token", "/nowhere/token", clock).status()) == "TWO_TOKENS");
  CHECK(*MakeTokenSource("", "", clock) == nullptr);
}

TEST_CASE("Without TLS something is sent to this computer only") {
  const auto token = *MakeFixedToken("secret");
  for (const char* const own : {"localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1",
                                "unix:/run/socket", "unix-abstract:name"}) {
    CAPTURE(own);
    CHECK(MakeChannel(own, {.tokens = token}).ok());
  }
  for (const char* const other :
       {"10.0.0.1:1", "localhost.evil:1", "127.evil.example:1", "127.0.0.1.evil.example:1",
        "[::2]:1", "evil:127.0.0.1:1", ":1"}) {
    CAPTURE(other);
    CHECK(ReasonOf(MakeChannel(other, {.tokens = token}).status()) == "NO_TLS");
    CHECK(ReasonOf(MakeChannel(other, ChannelOptions{}).status()) == "NO_TLS");
    CHECK(MakeChannel(other, {.insecure_plaintext_beyond_loopback = true}).ok());
    CHECK(MakeChannel(other, {.tokens = token, .tls = ChannelTls{}}).ok());
  }
}

}  // namespace
}  // namespace kantoku::platform
