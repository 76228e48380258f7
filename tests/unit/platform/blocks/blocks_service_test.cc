#include "services/platform/blocks/blocks_service.h"

#include <filesystem>
#include <fstream>

#include "services/platform/blocks/block_proto.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

using kantoku::test::TempDir;

Identity Of(std::string user) { return Administrator(std::move(user), "app"); }

KnownBlocks Known(uint64_t version, std::vector<Block> blocks) {
  BlockList list;
  for (Block& block : blocks) list.Set(std::move(block));
  return {.version = {1, version}, .list = std::make_shared<const BlockList>(std::move(list))};
}

// A program that is told of blocks.
struct Told {
  explicit Told(const std::string& file) : service(Open(file)) {}

  std::unique_ptr<BlocksService> Open(const std::string& file) {
    auto opened = BlocksService::Open(file, book, calls);
    REQUIRE(opened.ok());
    return *std::move(opened);
  }
  absl::Status Tell(const KnownBlocks& blocks, bool as_service = true) {
    const auto stub = auth::v1::BlocksService::NewStub(server.Connect());
    grpc::ClientContext context;
    if (as_service) {
      PresentAsService(context, server.keys(), "inputs", Clock::Real().Read().wall);
    }
    auth::v1::ReplaceBlocksResponse response;
    return FromGrpc(stub->ReplaceBlocks(&context, WriteBlocks(blocks), &response));
  }

  prometheus::Registry metrics;
  CallMonitor calls{metrics, Clock::Real()};
  BlockBook book;
  std::unique_ptr<BlocksService> service;
  TestServer server{*service};
};

TEST_CASE("What a program is told of blocks holds from the answer on, and after a restart") {
  const TempDir directory;
  const std::string file = directory.File("blocks");
  {
    Told program(file);
    const absl::Time then = absl::FromUnixSeconds(1'700'000'000);
    REQUIRE(program
                .Tell(Known(2, {{.names = {"ada", "", ""},
                                 .tokens_until = then,
                                 .reason = "lost",
                                 .set_by = "root",
                                 .set = then},
                                {.names = {"", "app", "rig"}}}))
                .ok());
    CHECK(program.Tell(Known(1, {})).ok());  // Late: it changes nothing.
    CHECK(ReasonOf(program.book.Check(Of("ada"))) == "TOKEN_BLOCKED");
  }
  const Told again(file);
  CHECK(again.book.known().version == KnownBlocks::Version{1, 2});
  CHECK(ReasonOf(again.book.Check(Of("ada"))) == "TOKEN_BLOCKED");
  CHECK(again.book.Check(Of("bob")).ok());
  const Block& ada = again.book.known().list->all().at({"ada", "", ""});
  CHECK(ada.reason == "lost");
  CHECK(ada.set_by == "root");
  CHECK(ada.tokens_until == ada.set);
}

TEST_CASE("Only services tell a program of blocks") {
  const TempDir directory;
  Told program(directory.File("blocks"));
  const absl::Status told = program.Tell(Known(1, {{.names = {"ada", "", ""}}}), false);
  CHECK(ReasonOf(told) == "NOT_A_SERVICE");
  CHECK(program.book.Check(Of("ada")).ok());
}

TEST_CASE("Blocks that cannot be kept hold all the same, and are told again until they are kept") {
  const TempDir directory;
  const std::string folder = directory.File("folder");
  Told program(folder + "/blocks");
  const KnownBlocks blocks = Known(1, {{.names = {"ada", "", ""}}});
  CHECK_FALSE(program.Tell(blocks).ok());
  CHECK(ReasonOf(program.book.Check(Of("ada"))) == "BLOCKED");
  std::filesystem::create_directory(folder);
  CHECK(program.Tell(blocks).ok());
  CHECK(std::filesystem::exists(folder + "/blocks"));
}

TEST_CASE("A program does not start when it cannot read any more whom to refuse") {
  const TempDir directory;
  const std::string file = directory.File("blocks");
  std::ofstream(file) << "\xff\xff";
  prometheus::Registry metrics;
  CallMonitor calls(metrics, Clock::Real());
  BlockBook book;
  CHECK(ReasonOf(BlocksService::Open(file, book, calls).status()) == "BLOCKS_UNREADABLE");
}

TEST_CASE("A block without a name, with a long one or with control characters is none") {
  const auto why = [](const auto& change) {
    auth::v1::Block proto;
    proto.set_user("ada");
    change(proto);
    return ReasonOf(ReadBlock(proto).status());
  };
  CHECK(why([](auth::v1::Block&) {}).empty());
  CHECK(why([](auth::v1::Block& proto) { proto.clear_user(); }) == "EMPTY_BLOCK");
  CHECK(why([](auth::v1::Block& proto) { proto.set_app(std::string(256, 'a')); }) ==
        "INVALID_BLOCK");
  CHECK(why([](auth::v1::Block& proto) { proto.set_executor("a\nb"); }) == "INVALID_BLOCK");
  CHECK(why([](auth::v1::Block& proto) { proto.set_reason(std::string(257, 'a')); }) ==
        "INVALID_BLOCK");
}

}  // namespace
}  // namespace kantoku::platform
