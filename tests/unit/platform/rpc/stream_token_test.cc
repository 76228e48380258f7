#include "services/platform/rpc/stream_token.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace kantoku::platform {
namespace {

// Has whatever token a test gives it, and notes what it was asked to renew.
class GivenToken final : public TokenSource {
 public:
  std::string Token() override { return token; }
  bool Renew(std::string_view old) override {
    renewed.emplace_back(old);
    if (!read_at_renewal.empty()) token = read_at_renewal;
    return can;
  }

  std::string token = "first";
  std::string read_at_renewal;  // Not empty: as of a file that is read then.
  bool can = true;
  std::vector<std::string> renewed;
};

struct Scene {
  Scene() { stream.Opens(); }

  std::shared_ptr<GivenToken> source = std::make_shared<GivenToken>();
  StreamToken stream{source};
};

TEST_CASE(
    "A newer token is shown once, and until there is one the source is told that it is wanted") {
  Scene scene;
  CHECK(scene.stream.Newer().empty());
  CHECK(scene.source->renewed == std::vector<std::string>{"first"});
  scene.source->token = "second";
  CHECK(scene.stream.Newer() == "second");
  CHECK(scene.stream.Newer().empty());
  CHECK(scene.source->renewed.back() == "second");
}

TEST_CASE("A token that comes when it is wanted is shown at once") {
  Scene scene;
  scene.source->read_at_renewal = "second";
  CHECK(scene.stream.Newer() == "second");
}

TEST_CASE("Where no newer token can be had, or there are none, none is shown") {
  Scene scene;
  scene.source->can = false;
  CHECK(scene.stream.Newer().empty());
  StreamToken none(nullptr);
  none.Opens();
  CHECK(none.Newer().empty());
}

}  // namespace
}  // namespace kantoku::platform
