#include "tests/support/secrets.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/process.h"

namespace kantoku::test {
namespace {

const std::string kToken = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl";
const std::string kJoin = "kantoku1.0123456789abcdef.secret";

TEST_CASE("A text that looks like a secret is found wherever it stands, and is not repeated") {
  const auto found = [](const std::string& secret) {
    return SecretIn("listening\n{\"why\":\"" + secret + "\"}\n");
  };
  CHECK(found(kToken) == "an access token in line 2");
  CHECK(found("Bearer " + kToken) == "an access token in line 2");
  CHECK(found(kJoin) == "a secret that begins with kantoku1. in line 2");
  CHECK(found("kantoku-task.AbCd-_0123") == "a secret that begins with kantoku-task. in line 2");
  CHECK(found("-----BEGIN EC PRIVATE KEY-----") == "a private key in line 2");
  CHECK(found("1:" + std::string(64, 'a')) == "a MAC key in line 2");
  CHECK(SecretIn(kJoin + " " + kToken, true) == "an access token in line 1");
  CHECK(SecretIn(kJoin, true).empty());
}

TEST_CASE("What only begins like a secret is none") {
  for (const std::string& text :
       {std::string(), std::string("eyJ"), std::string("eyJhbGciOiJFZERTQSJ9"),
        std::string("eyJhbGciOiJFZERTQSJ9."), std::string("eyJhbGci.ey.x"),
        std::string("join strings begin with kantoku1."), std::string("kantoku-task.log"),
        std::string(64, 'a') + "  file", "at 12:" + std::string(63, 'a') + " and more"}) {
    INFO(text);
    CHECK(SecretIn(text).empty());
  }
}

// The signal that ends a test whose child does this, 0 for none.
int EndOfTestWith(const std::string& script, bool prints_join_strings) {
  const pid_t test = ::fork();
  if (test == 0) {
    ::signal(SIGABRT, SIG_DFL);
    ::close(STDERR_FILENO);
    {
      const auto child = ChildProcess::Start(
          {.argv = {"sh", "-c", script}, .prints_join_strings = prints_join_strings});
      static_cast<void>((*child)->AwaitExit());
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(test, &status, 0) == test);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("A test fails whose program has written a secret") {
  CHECK(EndOfTestWith("echo nothing", false) == 0);
  CHECK(EndOfTestWith("echo " + kToken + " >&2", false) == SIGABRT);
  CHECK(EndOfTestWith("echo " + kJoin, false) == SIGABRT);
  CHECK(EndOfTestWith("echo " + kJoin, true) == 0);
}

}  // namespace
}  // namespace kantoku::test
