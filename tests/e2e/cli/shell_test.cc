#include <signal.h>

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cli/system.h"

// How the program behaves among others in a shell.
namespace kantoku::test {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("Ctrl-C ends a command that waits, which says what becomes of its task") {
  System system;
  system.StartExecutor({"--shell", absl::StrCat("block=echo run > ", system.File("started"),
                                                "; exec tail -f /dev/null")});
  const auto spawn = system.Start("exec kantoku spawn block --await --reference mine");
  REQUIRE(spawn->AwaitFile(system.File("started")).ok());
  const std::string id = system.Ask("kantoku spawn block --reference mine");
  spawn->Signal(SIGINT);
  CHECK(spawn->AwaitExit()->signal == SIGINT);
  // The task may run before the command has heard that it is spawned.
  const std::string early = "the task may have been spawned; if so it goes on: kantoku list";
  const std::string late = absl::StrCat("the task goes on; its result: kantoku await ", id);
  const std::string note = Has(spawn->output(), early) ? early : late;
  CHECK(spawn->output() == absl::StrCat("kantoku: ", note, " (CANCELLED, INTERRUPTED)\n"));
  CHECK(Has(system.Ask("kantoku get " + id), "state      running\n"));
}

TEST_CASE("Ctrl-C ends map, which says how far it came") {
  System system;
  system.StartExecutor({"--shell", "first=grep one || exec tail -f /dev/null"});
  const auto map =
      system.Start("printf 'one\\ntwo\\n' > lines; exec kantoku map --type first < lines");
  REQUIRE(map->AwaitLine("line 1\tone").ok());
  map->Signal(SIGINT);
  CHECK(map->AwaitExit()->signal == SIGINT);
  CHECK(Has(map->output(),
            " of 2 tasks are printed; the others go on: kantoku list "
            "(CANCELLED, INTERRUPTED)\n"));
}

TEST_CASE("A reader that goes away ends the program without a word") {
  System system;
  const auto pipe = system.Start("kantoku events --follow | head -n 1");
  while (pipe->running()) system.Ask("kantoku spawn some.type");
  CHECK(pipe->AwaitExit()->code == 0);
  CHECK(Has(pipe->output(), "  task.created  "));
  CHECK(pipe->output().find('\n') == pipe->output().size() - 1);
  CHECK(system.Sh("kantoku list --limit 0 | true; exit ${PIPESTATUS[1]}").err.empty());
}

TEST_CASE("Without a server a command says in one line where it looked, and exits with 6") {
  System system;
  // Nobody has a reserved port.
  const Said said = system.Sh("kantoku list --server 127.0.0.1:1 --timeout 0.3");
  CHECK(said.code == 6);
  CHECK(said.out.empty());
  CHECK(said.err ==
        "kantoku: no server answers at 127.0.0.1:1; start one with `kantoku up`, or name another "
        "with --server (UNAVAILABLE, UNREACHABLE)\n");
  const Said wrong = system.Sh("kantoku list --server nonsense");
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find('\n') == wrong.err.size() - 1);
}

TEST_CASE("bash completes commands and options") {
  System system;
  CHECK(
      system.Ask("kantoku completion bash > script && bash -n script && source ./script\n"
                 "COMP_WORDS=(kantoku sp) COMP_CWORD=1; _kantoku; echo ${COMPREPLY[@]}\n"
                 "COMP_WORDS=(kantoku spawn --ref) COMP_CWORD=2; _kantoku; echo ${COMPREPLY[@]}") ==
      "spawn\n--reference");
}

TEST_CASE("zsh takes the completion script") {
  System system;
  CHECK(system.Ask("kantoku completion zsh > script && zsh -n script && zsh -fc '"
                   "autoload -U compinit && compinit -u -D && source ./script && "
                   "print ${_comps[kantoku]:+completes}'") == "completes");
}

TEST_CASE("fish completes commands and options") {
  System system;
  CHECK(system.Ask("kantoku completion fish > script && fish --no-execute script && fish -N -c '"
                   "source ./script; complete -C \"kantoku spa\"; "
                   "complete -C \"kantoku spawn --ref\"' | cut -f1") == "spawn\n--reference");
}

TEST_CASE("The program knows its version, and runs without a home") {
  System system;
  CHECK(system.Ask("kantoku --version").starts_with("kantoku 0."));
  CHECK(system.Ask("env -u HOME kantoku version") == system.Ask("kantoku --version"));
}

}  // namespace
}  // namespace kantoku::test
