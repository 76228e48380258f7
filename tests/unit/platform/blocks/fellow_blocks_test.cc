#include "services/platform/blocks/fellow_blocks.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/unit/platform/blocks/told_server.h"

namespace kantoku::platform {
namespace {

using Versions = std::vector<uint64_t>;

KnownBlocks Version(uint64_t version) {
  return {.version = {1, version}, .list = std::make_shared<const BlockList>()};
}

TEST_CASE("A replica tells the others what it hears and who joins what it knows") {
  ToldServer first;
  ToldServer second;
  FakeClock clock;
  const auto keys = MacKeys::Make({{1, std::string(32, 'k')}});
  REQUIRE(keys.ok());
  BlockBook book;
  book.Replace(Version(1));
  FellowBlocks fellows(
      book,
      [](const std::string& address) {
        return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
      },
      clock, **keys);
  fellows.SetOthers({{.id = "1", .address = first.address()}});
  CHECK(first.Told(1) == Versions{1});
  fellows.SetOthers(
      {{.id = "1", .address = first.address()}, {.id = "2", .address = second.address()}});
  CHECK(second.Told(1) == Versions{1});

  book.Replace(Version(1));  // As the others say in turn: it ends here.
  book.Replace(Version(2));
  CHECK(first.Told(2) == Versions{1, 2});
  CHECK(second.Told(2) == Versions{1, 2});

  fellows.SetOthers({{.id = "2", .address = second.address()}});
  book.Replace(Version(3));
  CHECK(second.Told(3) == Versions{1, 2, 3});
  fellows.Stop();
  CHECK(first.told.Get() == Versions{1, 2});
}

}  // namespace
}  // namespace kantoku::platform
