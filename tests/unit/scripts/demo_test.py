"""What scripts/demo.py does when something goes another way than planned."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
import demo  # noqa: E402

# A demo that starts a command with a child of its own, says where it lives, and then does `what`.
SCRIPT = """
import signal, sys
sys.dont_write_bytecode = True
sys.path.insert(0, {scripts!r})
import demo
def body(started):
    started.start("server", "sh", "-c", "sleep 1000 & sleep 1000")
    # What has just been started is not known by its environment at once.
    started.wait("the server is seen", started.own_processes)
    print(started.directory, flush=True)
    {what}
demo.run_demo(body)
"""


class Wait(unittest.TestCase):
    def setUp(self):
        self.demo = demo.Demo()

    def tearDown(self):
        shutil.rmtree(self.demo.directory)

    def waits_beside(self, name, command):
        """Whether a wait goes on although the process of this name has ended."""
        self.demo.start(name, *command)
        self.demo.processes[name].wait()
        answers = iter([False, True])
        try:
            return self.demo.wait("the second look", lambda: next(answers))
        except SystemExit:
            return False

    def test_a_map_that_is_done_early_is_no_failure(self):
        self.assertTrue(self.waits_beside("map text.wordcount", ["true"]))

    def test_a_map_that_failed_is_one(self):
        self.assertFalse(self.waits_beside("map text.wordcount", ["false"]))

    def test_a_server_that_ends_by_itself_is_one(self):
        self.assertFalse(self.waits_beside("server", ["true"]))


class NothingIsLeft(unittest.TestCase):
    def run_until_started(self, what):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(scripts=str(SCRIPTS), what=what)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        directory = process.stdout.readline().strip()
        self.addCleanup(shutil.rmtree, directory)
        left = demo.Demo.__new__(demo.Demo)
        left.directory = directory
        self.addCleanup(lambda: [self.kill(pid) for pid in left.own_processes()])
        return process, left

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_after_a_fault_of_the_script(self):
        process, left = self.run_until_started("raise RuntimeError('a fault')")
        self.assertEqual(process.wait(60), 1)
        self.assertEqual(left.own_processes(), [])

    def test_after_a_failure(self):
        process, left = self.run_until_started("started.fail('no reason')")
        self.assertEqual(process.wait(60), 1)
        self.assertEqual(left.own_processes(), [])

    def test_after_a_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                process, left = self.run_until_started("signal.pause()")
                self.assertNotEqual(left.own_processes(), [])
                process.send_signal(number)
                self.assertNotEqual(process.wait(60), 0)
                self.assertEqual(left.own_processes(), [])


if __name__ == "__main__":
    unittest.main()
