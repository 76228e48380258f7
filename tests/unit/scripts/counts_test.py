"""scripts/counts.py fails when an operation costs another number of instructions than the table says."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

COUNTS = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "counts.py"

# In place of callgrind: two dumps of an operation, one of another, and the last one, which nobody asked for.
VALGRIND = """#!/bin/sh
out=${2#--callgrind-out-file=}
dump() { printf 'part: %s\\ndesc: Trigger: %s\\nsummary: %s\\n\\ntotals: %s\\n' "$1" "$2" "$3" "$3" > "$out.$1"; }
dump 1 'Client Request: spawn in a batch' 900
dump 2 'Client Request: spawn in a batch' 1100
dump 3 'Client Request: finish' 500
dump 4 'Program termination' 12345
printf 'spawn in a batch\\t20\\nfinish\\t10\\n'
"""


class Counts(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="kantoku-counts-test-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.table = self.root / "tests" / "bench" / "inputs_engine_counts.tsv"
        for directory in (self.root / "scripts", self.root / "bin", self.table.parent):
            directory.mkdir(parents=True)
        shutil.copy(COUNTS, self.root / "scripts")
        self.valgrind_is(VALGRIND)

    def valgrind_is(self, script):
        valgrind = self.root / "bin" / "valgrind"
        valgrind.write_text(script)
        valgrind.chmod(0o755)

    def counts(self, *arguments, table=None):
        if table is not None:
            self.table.write_text("# Said before.\n" + table)
        environment = dict(os.environ, PATH=f"{self.root / 'bin'}:{os.environ['PATH']}")
        return subprocess.run(["python3", str(self.root / "scripts" / "counts.py"), *arguments],
                              capture_output=True, text=True, env=environment)

    def test_what_lies_within_a_tenth_of_the_table_passes(self):
        for spawn in (91, 100, 111):
            done = self.counts(table=f"finish\t50\nspawn in a batch\t{spawn}\n")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"spawn in a batch +100 +111 +0\.901\n")

    def test_what_has_become_dearer_or_cheaper_fails(self):
        for spawn, said in ((90, "11% more"), (112, "11% fewer")):
            done = self.counts(table=f"finish\t50\nspawn in a batch\t{spawn}\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"spawn in a batch: {said} instructions than in the table", done.stderr)
            self.assertNotIn("finish:", done.stderr)

    def test_an_operation_that_the_table_or_the_program_does_not_know_fails(self):
        done = self.counts(table="finish\t50\ncancel\t70\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("spawn in a batch: is not in the table", done.stderr)
        self.assertIn("cancel: is in the table and was not counted", done.stderr)

    def test_update_writes_a_table_that_passes(self):
        self.assertEqual(self.counts().returncode, 1)
        self.assertEqual(self.counts("--update").returncode, 0)
        self.assertEqual(self.counts().returncode, 0)
        self.assertIn("finish\t50\n", self.table.read_text())

    def test_a_run_that_fails_or_counts_nothing_fails_and_leaves_the_table(self):
        for script in ("#!/bin/sh\nexit 0\n", VALGRIND + "exit 134\n", VALGRIND.replace("dump 3", ": 3")):
            self.valgrind_is(script)
            self.assertEqual(self.counts("--update", table="finish\t50\n").returncode, 1)
            self.assertIn("finish\t50\n", self.table.read_text())

    def test_a_missing_valgrind_fails_with_what_installs_it(self):
        (self.root / "bin" / "valgrind").unlink()
        done = subprocess.run([sys.executable, str(self.root / "scripts" / "counts.py")],
                              capture_output=True, text=True, env={"PATH": str(self.root / "bin")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("run scripts/setup.sh check", done.stderr)


if __name__ == "__main__":
    unittest.main()
