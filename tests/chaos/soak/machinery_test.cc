// The tools with which things are made to go wrong do what they say, and undo it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/program.h"
#include "tests/chaos/soak/proxy.h"
#include "tests/chaos/soak/sockets.h"
#include "tests/chaos/soak/sync_brake.h"
#include "tests/support/temp_dir.h"

namespace kantoku::soak {
namespace {

constexpr int kPatience = 60'000;  // ms

// Waits until `socket` has something to say: bytes, "" for its end, "reset" for a broken one.
std::string Next(int socket) {
  pollfd wait = {socket, POLLIN, 0};
  REQUIRE(::poll(&wait, 1, kPatience) == 1);
  std::string bytes(1'000, '\0');
  const ssize_t got = ::recv(socket, bytes.data(), bytes.size(), 0);
  if (got < 0) return "reset";
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

void Say(int socket, const std::string& text) {
  pollfd wait = {socket, POLLOUT, 0};
  REQUIRE(::poll(&wait, 1, kPatience) == 1);
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

// A caller and a callee with a proxy between them.
class Call {
 public:
  Call() : listener_(Listen()), link(proxy.AddLink(listener_.address)) {}
  ~Call() {
    for (const int socket : {listener_.socket, caller, callee}) ::close(socket);
  }

  void Dial() {
    caller = Connect(PortOf(proxy.address(link)));
    pollfd wait = {listener_.socket, POLLIN, 0};
    REQUIRE(::poll(&wait, 1, kPatience) == 1);
    callee = AcceptConnection(listener_.socket);
    REQUIRE(callee >= 0);
  }

  Proxy proxy{1};

 private:
  const Listener listener_;

 public:
  const size_t link;
  int caller = -1;
  int callee = -1;
};

TEST_CASE("The proxy forwards both ways, and the end of one") {
  Call call;
  call.Dial();
  Say(call.caller, "hello");
  CHECK(Next(call.callee) == "hello");
  Say(call.callee, "yes?");
  CHECK(Next(call.caller) == "yes?");
  ::shutdown(call.caller, SHUT_WR);
  CHECK(Next(call.callee).empty());
  Say(call.callee, "bye");
  CHECK(Next(call.caller) == "bye");
  CHECK(call.proxy.deeds(call.link).connections == 1);
}

TEST_CASE("A cut resets connections, and new ones, until it is undone") {
  Call call;
  call.Dial();
  call.proxy.SetMood(call.link, {.cut = LinkMood::Cut::kReset});
  CHECK(Next(call.caller) == "reset");
  CHECK(Next(call.callee) == "reset");
  const int refused = Connect(PortOf(call.proxy.address(call.link)));
  CHECK(Next(refused) == "reset");
  ::close(refused);
  CHECK(call.proxy.deeds(call.link).resets == 2);
  call.proxy.SetMood(call.link, {});
  ::close(call.caller);
  ::close(call.callee);
  call.Dial();
  Say(call.caller, "again");
  CHECK(Next(call.callee) == "again");
}

TEST_CASE("A silent line keeps what is said, and says it when it is mended") {
  Call call;
  call.Dial();
  Say(call.caller, "one");
  CHECK(Next(call.callee) == "one");
  call.proxy.SetMood(call.link, {.cut = LinkMood::Cut::kSilent});
  Say(call.caller, "two");
  pollfd wait = {call.callee, POLLIN, 0};
  CHECK(::poll(&wait, 1, 100) == 0);
  call.proxy.SetMood(call.link, {});
  CHECK(Next(call.callee) == "two");
  CHECK(call.proxy.deeds(call.link).silences == 1);
}

TEST_CASE("A slow line takes its time, in order") {
  Call call;
  call.Dial();
  call.proxy.SetMood(call.link, {.latency = absl::Milliseconds(80)});
  const absl::Duration begin = Steady();
  Say(call.caller, "slow");
  CHECK(Next(call.callee) == "slow");
  CHECK(Steady() - begin >= absl::Milliseconds(80));
  CHECK(call.proxy.deeds(call.link).delayed == 4);
}

TEST_CASE("A line on which nothing is said for too long is closed") {
  Call call;
  call.proxy.SetMood(call.link, {.idle_limit = absl::Milliseconds(50)});
  call.Dial();
  CHECK(Next(call.caller) == "reset");
  CHECK(call.proxy.deeds(call.link).idle_closes == 1);
}

TEST_CASE("A line is half-closed at random, and a moment later closed") {
  Call call;
  call.proxy.SetMood(call.link, {.half_close_after = absl::Milliseconds(20)});
  call.Dial();
  pollfd both[] = {{call.caller, POLLIN, 0}, {call.callee, POLLIN, 0}};
  REQUIRE(::poll(both, 2, kPatience) == 1);
  const int told = both[0].revents != 0 ? call.caller : call.callee;
  const int other = told == call.caller ? call.callee : call.caller;
  CHECK(Next(told).empty());
  CHECK(Next(other) == "reset");
  CHECK(call.proxy.deeds(call.link).half_closes == 1);
}

TEST_CASE("The brake holds the syncs of a program that knows nothing of it") {
  const test::TempDir directory;
  SyncBrake brake(directory.File("brake"));
  const std::string file = directory.File("file");
  const auto sync = [&] {
    const absl::Duration begin = Steady();
    auto child = test::ChildProcess::Start(
        {.argv = {test::Binary("kantoku-chaos"), "brake", directory.File("brake"), "dd",
                  "if=/dev/zero", "of=" + file, "bs=1", "count=1", "conv=fsync"}});
    REQUIRE(child.ok());
    const auto exit = (*child)->AwaitExit();
    INFO((*child)->output());
    REQUIRE(exit.ok());
    CHECK(exit->code == 0);
    return Steady() - begin;
  };
  sync();
  CHECK(brake.braked() == 0);
  brake.SetDelay(absl::Milliseconds(300));
  CHECK(sync() >= absl::Milliseconds(300));
  CHECK(brake.braked() == 1);
}

TEST_CASE("A program that ends is started again, and held down when it is told to be") {
  const test::TempDir directory;
  std::atomic<int> started = 0;
  std::atomic<int> ended = 0;
  Program program({.name = "sleeper",
                   .argv = {"sh", "-c", "echo up > " + directory.File("up") + "; exec sleep 1000"},
                   .output_file = directory.File("log"),
                   .port_file = directory.File("up"),
                   .started = [&](pid_t) { ++started; },
                   .ended = [&](pid_t, absl::Duration) { ++ended; }});
  REQUIRE(program.AwaitUp(absl::Minutes(1)).ok());
  CHECK(program.Down(SIGKILL));
  CHECK_FALSE(program.Down(SIGKILL));
  CHECK(started == 1);
  CHECK(ended == 1);
  program.Release();
  REQUIRE(program.AwaitUp(absl::Minutes(1)).ok());
  CHECK(started == 2);
  CHECK(program.crashes() == 0);
  // By somebody else's hand.
  program.WithPid([](pid_t pid) { ::kill(pid, SIGKILL); });
  const absl::Duration until = Steady() + absl::Minutes(1);
  while (started < 3 && Steady() < until) std::this_thread::yield();
  CHECK(program.crashes() == 1);
  CHECK(program.Finish(SIGTERM, absl::Minutes(1)) == -1);
  CHECK(ended == 3);
}

}  // namespace
}  // namespace kantoku::soak
