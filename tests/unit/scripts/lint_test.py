"""scripts/lint.sh is not content with sources that it could not find."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

LINT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "lint.sh"


class Lint(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="kantoku-lint-"))
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "scripts").mkdir()
        shutil.copy(LINT, self.root / "scripts")
        (self.root / "a.cc").write_text("int a;\n")

    def git_does(self, script):
        """Puts a git of our own in front of the machine's, and tools that find nothing wrong."""
        (self.root / "bin").mkdir()
        for name, body in (("git", script), ("clang-format", "exit 0")):
            tool = self.root / "bin" / name
            tool.write_text(f"#!/bin/sh\n{body}\n")
            tool.chmod(0o755)

    def lint(self, *arguments):
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        environment = dict(os.environ, PATH=path, GIT_CEILING_DIRECTORIES=str(self.root.parent))
        return subprocess.run(["bash", str(self.root / "scripts" / "lint.sh"), *arguments],
                              capture_output=True, text=True, env=environment)

    def test_what_is_no_checkout_fails_with_what_git_says(self):
        done = self.lint()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("git does not tell which sources there are", done.stderr)
        self.assertNotIn("lint ok", done.stdout)
        self.assertNotEqual(self.lint("fmt").returncode, 0)

    def test_steps_whose_sources_git_does_not_list_fail(self):
        self.git_does("[ $1 = rev-parse ] && exit 0; echo 'fatal: no' >&2; exit 128")
        done = self.lint()
        failed = done.stderr.splitlines()[-1]
        for step in ("clang-format", "buf lint", "clang-tidy"):
            self.assertIn(step, failed)

    def test_no_source_at_all_is_a_failure(self):
        self.git_does("exit 0")
        self.assertIn("clang-format", self.lint().stderr.splitlines()[-1])

    def test_a_step_says_how_many_sources_it_saw(self):
        self.git_does("[ $1 = ls-files ] && echo a.cc; exit 0")
        self.assertIn("== clang-format\n1 sources\n", self.lint().stdout)


if __name__ == "__main__":
    unittest.main()
