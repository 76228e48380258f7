#!/usr/bin/env python3
"""with_postgres.sh gives a command a database, its exit code to the caller, and leaves nothing behind."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "with_postgres.sh"


class WithPostgres(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o755)  # The server's user comes through.
        self.environment = {**os.environ, "TMPDIR": str(self.directory)}

    def run_beside(self, command, *settings):
        return subprocess.run([SCRIPT, *settings, "bash", "-c", command], env=self.environment, text=True,
                              capture_output=True, check=False)

    @staticmethod
    def kill_group(group):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def test_a_command_has_a_durable_database_and_its_code_is_told(self):
        ran = self.run_beside('psql --no-align --tuples-only "$KANTOKU_POSTGRES" -c "show fsync"; exit 7')
        self.assertEqual((ran.stdout, ran.returncode), ("on\n", 7), ran.stderr)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_settings_are_those_that_are_asked_for(self):
        ran = self.run_beside('psql --no-align --tuples-only "$KANTOKU_POSTGRES" -c "show fsync" -c "show max_connections"',
                              "-c", "fsync=off", "-c", "max_connections=33")
        self.assertEqual((ran.stdout, ran.returncode), ("off\n33\n", 0), ran.stderr)

    def test_an_interrupt_reaches_the_command(self):
        ran = self.run_beside("grep SigIgn /proc/self/status")
        ignored = int(ran.stdout.split()[1], 16)
        self.assertFalse(ignored & 1 << (signal.SIGINT - 1), ran.stdout)

    def test_a_script_that_is_asked_to_end_leaves_neither_server_nor_directory(self):
        command = "home=${KANTOKU_POSTGRES#host=?}; head -1 \"${home%%\\'*}/data/postmaster.pid\"; exec sleep 600"
        running = subprocess.Popen([SCRIPT, "bash", "-c", command], env=self.environment, text=True,
                                   stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(self.kill_group, running.pid)
        server = int(running.stdout.readline())
        running.terminate()
        running.communicate()
        self.assertEqual(running.returncode, 143)
        self.assertFalse(pathlib.Path(f"/proc/{server}").exists())
        self.assertEqual(list(self.directory.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
