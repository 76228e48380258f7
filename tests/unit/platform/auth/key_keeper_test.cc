#include "services/platform/auth/key_keeper.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "services/platform/auth/key_rotation.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

constexpr auto kPurpose = MacKeys::Purpose::kLease;
constexpr absl::Duration kLifetime = absl::Hours(24);

// Programs that share one file, of which those with a lifetime rotate.
class Scene {
 public:
  Scene() {
    KeyRing ring = {{.key = {.id = 1, .secret = std::string(32, 'a')},
                     .note = KeyNote{KeyRole::kSigns, clock.Read().wall}}};
    Put(FormatKeyLines(ring));
  }

  std::unique_ptr<MacKeyKeeper> Open(absl::Duration lifetime = absl::InfiniteDuration()) const {
    auto keeper = MacKeyKeeper::Open({.path = path, .lifetime = lifetime});
    REQUIRE(keeper.ok());
    return *std::move(keeper);
  }
  void Put(const std::string& text) const { REQUIRE(ReplaceWholeFile(path, text).ok()); }
  std::string Text() const {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  FakeClock clock;
  test::TempDir directory;
  const std::string path = directory.File("mac.keys");
};

int SigningKey(const MacKeyKeeper& keeper) { return keeper.keys().Sign(kPurpose, "m")[0]; }

bool Verifies(const MacKeyKeeper& keeper, const std::string& code) {
  return keeper.keys().Verify(kPurpose, "m", code);
}

TEST_CASE("Keys are read again when their file changes, by whoever refers to them") {
  Scene scene;
  const auto keeper = scene.Open();
  const MacKeys& keys = keeper->keys();
  scene.Put("5:" + std::string(64, 'b') + "\n");
  keeper->Refresh(scene.clock.Read());
  CHECK(keys.Sign(kPurpose, "m")[0] == 5);
}

TEST_CASE("A key file that is no good, is exposed or is gone changes nothing") {
  Scene scene;
  const auto keeper = scene.Open(GENERATE(absl::InfiniteDuration(), kLifetime));
  const std::string code(keeper->keys().Sign(kPurpose, "m"));
  const std::string good = "2:" + std::string(64, 'b') + "\n";
  const auto stays = [&] {
    keeper->Refresh(scene.clock.Read());
    CHECK(SigningKey(*keeper) == 1);
    CHECK(Verifies(*keeper, code));
  };
  for (const std::string& bad : {std::string("garbage"), std::string("2:00\n"), std::string()}) {
    scene.Put(bad);
    stays();
    CHECK(scene.Text() == bad);
  }
  scene.Put(good);
  REQUIRE(::chmod(scene.path.c_str(), 0640) == 0);
  stays();
  std::filesystem::remove(scene.path);
  stays();
  CHECK_FALSE(std::filesystem::exists(scene.path));
  scene.Put(good);
  keeper->Refresh(scene.clock.Read());
  CHECK(SigningKey(*keeper) == 2);
}

TEST_CASE("While a key is rotated every program verifies at each moment what each other signs") {
  Scene scene;
  const auto rotates = scene.Open(kLifetime);
  const auto rotates_too = scene.Open(kLifetime);
  const auto follows = scene.Open();
  const std::vector<const MacKeyKeeper*> all = {rotates.get(), rotates_too.get(), follows.get()};
  std::string old(rotates->keys().Sign(kPurpose, "m"));
  std::string signing;  // As the keys change.
  int held = 0;         // For how many minutes the first key still verifies after it signed.
  for (int minute = 0; minute < 60 * 24 + 60 * 4; ++minute) {
    scene.clock.Advance(absl::Minutes(1));
    for (MacKeyKeeper* const one : {rotates.get(), follows.get(), rotates_too.get()}) {
      one->Refresh(scene.clock.Read());
      for (const MacKeyKeeper* signs : all) {
        const std::string code(signs->keys().Sign(kPurpose, "m"));
        for (const MacKeyKeeper* reads : all) CHECK(Verifies(*reads, code));
      }
    }
    const std::string now = std::to_string(SigningKey(*follows));
    if (signing.empty() || signing.substr(signing.size() - 1) != now) signing += now;
    if (now == "2" && Verifies(*follows, old)) ++held;
  }
  CHECK(signing == "12");
  CHECK(held >= 120);
  CHECK_FALSE(Verifies(*follows, old));
}

TEST_CASE("A program that was off for long takes the steps one by one when it is back") {
  Scene scene;
  scene.Open(kLifetime)->Refresh(scene.clock.Read());
  scene.clock.Advance(kLifetime * 100);
  auto keeper = scene.Open(kLifetime);
  keeper->Refresh(scene.clock.Read());
  CHECK(SigningKey(*keeper) == 1);
  scene.clock.Advance(kKeySpread);
  keeper = scene.Open(kLifetime);
  keeper->Refresh(scene.clock.Read());
  CHECK(SigningKey(*keeper) == 2);
  CHECK(ReadKeyFile(scene.path)->size() == 2);
}

TEST_CASE("A step that cannot be written leaves the keys, and is taken a minute later") {
  Scene scene;
  const auto keeper = scene.Open(kLifetime);
  scene.clock.Advance(kLifetime);
  // A path that is a directory cannot be replaced by a file.
  const std::string text = scene.Text();
  std::filesystem::remove(scene.path);
  std::filesystem::create_directory(scene.path);
  keeper->Refresh(scene.clock.Read());
  CHECK(SigningKey(*keeper) == 1);
  std::filesystem::remove(scene.path);
  scene.Put(text);
  scene.clock.Advance(absl::Seconds(59));
  keeper->Refresh(scene.clock.Read());
  CHECK(ReadKeyFile(scene.path)->size() == 1);
  scene.clock.Advance(absl::Seconds(1));
  keeper->Refresh(scene.clock.Read());
  CHECK(ReadKeyFile(scene.path)->size() == 2);
}

TEST_CASE("The rotated file is for its owner alone, and whoever has no lifetime never writes it") {
  Scene scene;
  const auto keeper = scene.Open(kLifetime);
  const auto follows = scene.Open();
  const std::string before = scene.Text();
  scene.clock.Advance(kLifetime * 2);
  follows->Refresh(scene.clock.Read());
  CHECK(scene.Text() == before);
  keeper->Refresh(scene.clock.Read());
  CHECK(scene.Text() != before);
  struct stat info;
  REQUIRE(::stat(scene.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("A keeper needs keys, or makes the first") {
  const test::TempDir directory;
  const std::string path = directory.File("mac.keys");
  CHECK(absl::IsNotFound(MacKeyKeeper::Open({.path = path}).status()));
  CHECK(MacKeyKeeper::Open({.path = path, .create = true}).ok());
  CHECK(MacKeyKeeper::Open({.path = path}).ok());
}

}  // namespace
}  // namespace kantoku::platform
