#include "services/platform/auth/mac.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

using Purpose = MacKeys::Purpose;

MacKeys::Key KeyOf(uint8_t id, char fill) { return {id, std::string(32, fill)}; }

std::unique_ptr<MacKeys> Keys(std::vector<MacKeys::Key> keys) {
  return MacKeys::Make(std::move(keys)).value();
}

size_t CountIn(const test::TempDir& directory) {
  const std::filesystem::directory_iterator files(directory.path());
  return static_cast<size_t>(std::distance(files, {}));
}

void Write(const std::string& path, const std::string& content, mode_t mode = 0600) {
  std::ofstream(path) << content;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

TEST_CASE("A code verifies for its message and purpose only") {
  const auto keys = Keys({KeyOf(1, 'a')});
  const std::string code(keys->Sign(Purpose::kLease, "message"));
  CHECK(code.size() == MacKeys::kCodeSize);
  CHECK(keys->Verify(Purpose::kLease, "message", code));
  CHECK_FALSE(keys->Verify(Purpose::kLease, "massage", code));
  CHECK_FALSE(keys->Verify(Purpose::kReceipt, "message", code));
  CHECK_FALSE(keys->Verify(Purpose::kLease, "message", code.substr(1)));
  CHECK_FALSE(keys->Verify(Purpose::kLease, "message", code + "x"));
  CHECK_FALSE(keys->Verify(Purpose::kLease, "message", ""));
}

TEST_CASE("Every changed bit of a code spoils it") {
  const auto keys = Keys({KeyOf(1, 'a')});
  const std::string code(keys->Sign(Purpose::kLease, "message"));
  for (size_t bit = 0; bit < code.size() * 8; ++bit) {
    std::string changed = code;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(keys->Verify(Purpose::kLease, "message", changed));
  }
}

TEST_CASE("A code is HMAC-SHA256 of purpose and message") {
  // python3: hmac.new(b'a'*32, b'\x01message', 'sha256').hexdigest()[:32]
  const std::string code(Keys({KeyOf(7, 'a')})->Sign(Purpose::kLease, "message"));
  CHECK(code[0] == 7);
  CHECK(code.substr(1) ==
        std::string("\x31\x60\x06\x26\x5e\x4c\x32\xa9\xd1\xd9\x1a\x97\xa3\x9f\xbf\x78", 16));
}

TEST_CASE("An attenuated code is HMAC-SHA256 of the label under the code, and good for no other") {
  const auto keys = Keys({KeyOf(7, 'a')});
  const std::string code(keys->Sign(Purpose::kLease, "message"));
  const std::string less(Attenuate(code, "less"));
  // python3: hmac.new(b'\x07' + the code above, b'less', 'sha256').hexdigest()[:32]
  CHECK(less ==
        "\x07" +
            std::string("\x1d\xe5\xff\xd4\x3d\xfe\x88\x8d\xbd\xb2\x18\x9c\xe4\x61\x0e\x8a", 16));
  CHECK(keys->VerifyAttenuated(Purpose::kLease, "message", "less", less));
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kLease, "message", "more", less));
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kLease, "another", "less", less));
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kReceipt, "message", "less", less));
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kLease, "message", "less", code));
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kLease, "message", "less", ""));
  CHECK_FALSE(keys->Verify(Purpose::kLease, "message", less));
  CHECK_FALSE(Keys({KeyOf(7, 'b')})->VerifyAttenuated(Purpose::kLease, "message", "less", less));
  // Another number is another key, or none.
  std::string other = less;
  other[0] = 8;
  CHECK_FALSE(keys->VerifyAttenuated(Purpose::kLease, "message", "less", other));
}

TEST_CASE("After a rotation the new key signs and the old one still verifies") {
  const auto before = Keys({KeyOf(1, 'a')});
  const auto after = Keys({KeyOf(2, 'b'), KeyOf(1, 'a')});
  CHECK(after->Verify(Purpose::kLease, "m", before->Sign(Purpose::kLease, "m")));
  CHECK(after->Sign(Purpose::kLease, "m")[0] == 2);
  CHECK_FALSE(before->Verify(Purpose::kLease, "m", after->Sign(Purpose::kLease, "m")));
}

TEST_CASE("Equal key ids of two installations do not mix") {
  const auto ours = Keys({KeyOf(1, 'a')});
  const auto theirs = Keys({KeyOf(1, 'b')});
  CHECK_FALSE(ours->Verify(Purpose::kLease, "m", theirs->Sign(Purpose::kLease, "m")));
  CHECK_FALSE(theirs->Verify(Purpose::kLease, "m", ours->Sign(Purpose::kLease, "m")));
}

TEST_CASE("Many short-lived key sets on one thread stay apart") {
  const auto reference = Keys({KeyOf(1, 'x')});
  const std::string code(reference->Sign(Purpose::kLease, "m"));
  for (int i = 0; i < 200; ++i) {
    const auto other = Keys({KeyOf(1, static_cast<char>('A' + i % 20))});
    CHECK_FALSE(other->Verify(Purpose::kLease, "m", code));
    CHECK(reference->Verify(Purpose::kLease, "m", code));
  }
}

TEST_CASE("Threads sign alike") {
  const auto keys = Keys({KeyOf(1, 'a')});
  const std::string code(keys->Sign(Purpose::kLease, "message"));
  std::vector<std::string> codes(4);
  std::vector<std::thread> threads;
  threads.reserve(codes.size());
  for (auto& mine : codes) {
    threads.emplace_back([&] { mine = keys->Sign(Purpose::kLease, "message"); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& mine : codes) CHECK(mine == code);
}

TEST_CASE("Keys that replace others sign and verify on every thread from then on") {
  const auto keys = Keys({KeyOf(1, 'a')});
  const std::string before(keys->Sign(Purpose::kLease, "m"));
  std::atomic<int> round = 0;
  std::thread other([&] {
    // It has looked at the keys before they change, and does again after.
    CHECK(keys->Verify(Purpose::kLease, "m", before));
    round = 1;
    while (round != 2) std::this_thread::yield();
    CHECK(keys->Sign(Purpose::kLease, "m")[0] == 2);
    CHECK_FALSE(keys->Verify(Purpose::kLease, "m", before));
  });
  while (round != 1) std::this_thread::yield();
  // Of the same id, and yet another key.
  REQUIRE(keys->Replace({KeyOf(2, 'b'), KeyOf(1, 'c')}).ok());
  round = 2;
  other.join();
  CHECK(keys->Sign(Purpose::kLease, "m")[0] == 2);
  CHECK_FALSE(keys->Verify(Purpose::kLease, "m", before));
  CHECK(keys->Verify(Purpose::kLease, "m", Keys({KeyOf(1, 'c')})->Sign(Purpose::kLease, "m")));
}

TEST_CASE("Keys that are no good replace nothing") {
  const auto keys = Keys({KeyOf(1, 'a')});
  CHECK(ReasonOf(keys->Replace({})) == "INVALID_KEYS");
  CHECK(ReasonOf(keys->Replace({KeyOf(2, 'b'), KeyOf(2, 'c')})) == "INVALID_KEYS");
  CHECK(keys->Sign(Purpose::kLease, "m")[0] == 1);
}

TEST_CASE("While keys are rotated no thread refuses what another has signed") {
  const auto keys = Keys({KeyOf(1, 'a')});
  std::atomic<bool> is_over = false;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!is_over) {
        const std::string code(keys->Sign(Purpose::kLease, "m"));
        if (!keys->Verify(Purpose::kLease, "m", code)) ++refused;
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    CHECK(keys->Replace({KeyOf(2, 'b'), KeyOf(1, 'a')}).ok());
    CHECK(keys->Replace({KeyOf(1, 'a'), KeyOf(2, 'b')}).ok());
  }
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(refused == 0);
}

TEST_CASE("No key, short secrets and repeated ids are refused") {
  CHECK(ReasonOf(MacKeys::Make({}).status()) == "INVALID_KEYS");
  CHECK(ReasonOf(MacKeys::Make({{1, std::string(31, 'a')}}).status()) == "INVALID_KEYS");
  CHECK(ReasonOf(MacKeys::Make({KeyOf(1, 'a'), KeyOf(1, 'b')}).status()) == "INVALID_KEYS");
}

TEST_CASE("A key file is made once, for its owner alone, and read back") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  const auto first = MacKeys::LoadOrCreate(path);
  REQUIRE(first.ok());
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(CountIn(directory) == 1);
  const auto second = MacKeys::LoadOrCreate(path);
  REQUIRE(second.ok());
  CHECK((*second)->Verify(Purpose::kLease, "m", (*first)->Sign(Purpose::kLease, "m")));
}

TEST_CASE("A missing key file is NOT_FOUND and is not made by Load") {
  const test::TempDir directory;
  const auto keys = MacKeys::Load(directory.File("mac.keys"));
  CHECK(keys.status().code() == absl::StatusCode::kNotFound);
  CHECK(CountIn(directory) == 0);
}

TEST_CASE("A key file that others can read is refused") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  Write(path, "1:" + std::string(64, 'a') + "\n", 0640);
  const auto keys = MacKeys::LoadOrCreate(path);
  CHECK(keys.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(keys.status()) == "FILE_EXPOSED");
}

TEST_CASE("A key file holds one key a line, comments and empty lines") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  Write(path, "# the new one\n 2:" + std::string(64, 'b') + "\n\n1:" + std::string(66, 'a'));
  const auto keys = MacKeys::Load(path);
  REQUIRE(keys.ok());
  CHECK((*keys)->Sign(Purpose::kLease, "m")[0] == 2);
}

TEST_CASE("A bad line of a key file is named") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  const std::string good = "1:" + std::string(64, 'a') + "\n";
  const auto* const line = GENERATE("256:00", "x:00", "00", ":00", "2:0", "2:0g", "-1:00");
  Write(path, good + line);
  const auto keys = MacKeys::Load(path);
  CHECK(keys.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(keys.status().message()), Catch::Contains("mac.keys: line 2: "));
}

TEST_CASE("A key file with a short secret or none is refused with its name") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  Write(path, GENERATE("", "1:00\n", "# nothing\n"));
  const auto keys = MacKeys::LoadOrCreate(path);
  CHECK(keys.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(keys.status().message()), Catch::Contains(path));
}

}  // namespace
}  // namespace kantoku::platform
