#!/usr/bin/env python3
"""Real files through a real Kantoku that gets killed on the way.

Starts `kantoku up` on a temporary directory, a C++ executor (text.wordcount) and a process executor
(file.sha256, around the real sha256sum), runs both over real text files, kills one executor and the
server while each holds unfinished work, and compares every result with what coreutils say here.

POSTGRES="host=… dbname=…" lets the services keep their records there, in a new schema of that database.
KEEP=1 leaves everything up to play with, if all went well. Otherwise nothing is left running, also
after Ctrl-C, SIGTERM or a fault of this script. Exits with 0 only if nothing is lost, nothing differs
and nothing is left.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "release" / "bin"
KANTOKU = BIN / "kantoku"
MOST_FILES = 1200
LEAST_FILES = 300
MOST_BYTES = 1 << 20
PATIENCE = 60.0  # Seconds that any single step may take.
# In the environment of everything that a demo starts, and of what that starts: by this it is found.
MARK = "DEMO_DIRECTORY"


class Demo:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="kantoku-demo-"))
        self.processes = {}
        self.address = None
        self.kills = 0

    # -- Processes ---------------------------------------------------------------------------------

    def start(self, name, *command):
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=self.environment())

    def environment(self):
        return dict(os.environ, **{MARK: str(self.directory),
                                   "KANTOKU_ACCESS": str(self.directory / "data" / "access.json")})

    def own_processes(self):
        """The ids of all processes that came from this demo and are not dead yet."""
        mark = f"{MARK}={self.directory}".encode()
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue  # It has ended, or is somebody else's.
        return found

    def start_server(self):
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        # The first start takes a free port; the second must have the same, or nobody finds it again.
        listen = self.address or "127.0.0.1:0"
        self.start("server", KANTOKU, "up", "--data", self.directory / "data", "--listen", listen,
                   "--port-file", port_file, "--set", "server.metrics_listen=127.0.0.1:0",
                   # Nobody waits long for an executor that was killed.
                   "--set", "inputs.grace=3s", *self.stores())
        self.wait("the server listens", lambda: port_file.exists() and port_file.read_text().strip())
        self.address = "127.0.0.1:" + port_file.read_text().strip()

    def stores(self):
        connection = os.environ.get("POSTGRES")
        if connection is None:
            return
        schema = self.directory.name.replace("-", "_").lower()
        for component in ("inputs", "outputs", "events"):
            for setting in (f"connection={connection}", f"schema={schema}", "migrate_on_start=true"):
                yield "--set"
                yield f"{component}.store.postgres.{setting}"

    def start_wordcount(self):
        self.start("wordcount", BIN / "wordcount-executor", "--server", self.address,
                   "--name", "wordcount", "--concurrency", "2")

    def start_sha256(self):
        self.start("sha256", KANTOKU, "executor", "--server", self.address, "--name", "sha256",
                   "--concurrency", "2", "--run", "file.sha256=sha256sum")

    def wait(self, what, condition):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            for name, process in self.processes.items():
                code = process.poll()
                # A map may be done before anything is killed; all else goes on until it is told to end.
                if code is not None and not (code == 0 and name.startswith("map ")):
                    self.fail(f"{name} ended by itself with {code}")
            time.sleep(0.02)
        self.fail(f"waited {PATIENCE:.0f} s in vain until {what}")

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self.kills += 1
        say(f"killed {name} with kill -9")

    def stop_all(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for name, process in self.processes.items():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.fail(f"{name} did not end within {PATIENCE:.0f} s of SIGTERM")
        self.processes.clear()
        self.wait("all that the demo started has ended", lambda: not self.own_processes())
        shutil.rmtree(self.directory)

    def kill_all(self):
        """Whatever happened: afterwards nothing of this demo runs."""
        for handled in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(handled, signal.SIG_IGN)
        while own := self.own_processes():
            for pid in own:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for process in self.processes.values():
                process.poll()
            time.sleep(0.02)

    def fail(self, why):
        print(f"demo failed: {why}", file=sys.stderr)
        for log in sorted(self.directory.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-8:]
            print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
        print(f"demo failed; its logs are in {self.directory}", file=sys.stderr)
        sys.exit(1)

    # -- Kantoku -----------------------------------------------------------------------------------

    def ask(self, *arguments):
        done = subprocess.run(
            [str(KANTOKU), *arguments, "--server", self.address, "--json", "--timeout", "30"],
            capture_output=True, text=True, env=self.environment())
        if done.returncode != 0:
            self.fail(f"kantoku {' '.join(arguments)}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def held_by(self, name):
        return sum(e["held"] for e in self.ask("executors") if e["name"] == name)

    def map(self, task_type, files):
        out = open(self.directory / f"{task_type}.results", "wb")
        name = f"map {task_type}"
        self.processes[name] = subprocess.Popen(
            [str(KANTOKU), "map", "--type", task_type, "--attempts", "20", "--json",
             "--server", self.address, *map(str, files)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, start_new_session=True,
            env=self.environment())

    def results(self, task_type):
        process = self.processes.pop(f"map {task_type}")
        try:
            _, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.processes[f"map {task_type}"] = process
            self.fail(f"{task_type}: results are missing after {PATIENCE:.0f} s")
        if process.returncode != 0:
            self.fail(f"map {task_type} ended with {process.returncode}: {errors.decode()}")
        lines = (self.directory / f"{task_type}.results").read_text().splitlines()
        return {r["item"]: r["data"].split() for r in map(json.loads, lines)}

    # -- Kills, each while the victim holds unfinished work ------------------------------------------

    def freeze(self, name):
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    def kill_executor(self):
        """A frozen executor finishes nothing, so what it holds when asked it holds when killed."""
        def frozen_with_work():
            self.freeze("sha256")
            if self.held_by("sha256") > 0:
                return True
            self.thaw("sha256")
            return False
        self.wait("the sha256 executor holds work", frozen_with_work)
        held = self.held_by("sha256")
        say(f"the sha256 executor holds {held} tasks")
        self.kill("sha256")
        self.start_sha256()

    def kill_server(self):
        """With its executors frozen the server's work cannot finish between question and kill."""
        def frozen_with_work():
            for name in ("wordcount", "sha256"):
                self.freeze(name)
            held = self.held_by("wordcount") + self.held_by("sha256")
            if held > 0:
                return held
            for name in ("wordcount", "sha256"):
                self.thaw(name)
            return 0
        held = self.wait("executors hold work", frozen_with_work)
        say(f"the server has leased {held} unfinished tasks")
        self.kill("server")
        self.start_server()
        for name in ("wordcount", "sha256"):
            self.thaw(name)


def say(line):
    print(f"demo: {line}", flush=True)


def text_files():
    """Licences first, then whatever text is documentation; the same files in the same order."""
    found = []
    for directory in ("/usr/share/common-licenses", "/usr/share/doc"):
        for path in sorted(pathlib.Path(directory).rglob("*")):
            if len(found) >= MOST_FILES:
                return found
            if path.is_symlink() or not path.is_file() or path.suffix in (".gz", ".png", ".pdf"):
                continue
            if 0 < path.stat().st_size <= MOST_BYTES:
                found.append(path)
    return found


def local_results(command, files):
    """What coreutils say of the same bytes, from standard input as the executors read them."""
    environment = dict(os.environ, LC_ALL="C")
    results = {}
    for path in files:
        with open(path, "rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=True,
                                  env=environment)
        results[str(path)] = done.stdout.split()
    return results


def main():
    files = text_files()
    if len(files) < LEAST_FILES:
        sys.exit(f"demo failed: {len(files)} text files under /usr/share are fewer than {LEAST_FILES}")
    run_demo(lambda demo: show(demo, files))


def run_demo(body):
    """Runs `body` with a demo, and leaves nothing running unless it returns that all shall stay up."""
    # As Ctrl-C does: an exception, so that whatever was begun is undone.
    for handled in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(handled, lambda number, _: sys.exit(128 + number))
    demo = Demo()
    stays_up = False
    try:
        stays_up = body(demo)
    finally:
        if not stays_up:
            demo.kill_all()


def show(demo, files):
    begin = time.monotonic()
    demo.start_server()
    demo.start_wordcount()
    demo.start_sha256()
    say(f"server on {demo.address}, two executors, {len(files)} files")
    for task_type in ("text.wordcount", "file.sha256"):
        demo.map(task_type, files)
    demo.kill_executor()
    demo.kill_server()
    verified = verify(demo, files)
    tasks = 2 * len(files)
    keep = os.environ.get("KEEP") == "1"
    if keep:
        say(f"left up on {demo.address}: {KANTOKU} list --access {demo.directory}/data/access.json")
        say("stop it with: kill " + " ".join(str(p.pid) for p in demo.processes.values()))
    else:
        demo.stop_all()
    say(f"took {time.monotonic() - begin:.1f} s")
    print(f"demo ok: {tasks} tasks, {verified} results verified, {demo.kills} processes killed, "
          f"{tasks - verified} lost")
    return keep


def verify(demo, files):
    """Compares every result, shows a table and returns how many there are."""
    verified = 0
    rows = []
    commands = {"text.wordcount": ["wc"], "file.sha256": ["sha256sum"]}
    for task_type, command in commands.items():
        got = demo.results(task_type)
        wanted = local_results(command, files)
        different = [name for name in wanted if got.get(name) != wanted[name]]
        if different:
            name = different[0]
            demo.fail(f"{task_type} of {name}: got {got.get(name)}, {command[0]} says {wanted[name]}")
        verified += len(wanted)
        rows.append((task_type, len(wanted), " ".join(command), " ".join(got[str(files[0])])[:40]))
    print(f"\n{'TYPE':<16}{'TASKS':>6}  {'CHECKED AGAINST':<16}FIRST RESULT")
    for task_type, count, command, first in rows:
        print(f"{task_type:<16}{count:>6}  {command:<16}{first}")
    print()
    return verified


if __name__ == "__main__":
    main()
