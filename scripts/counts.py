#!/usr/bin/env python3
"""Compares what the engine's hot operations cost in instructions with a table that is checked in.

Runs tests/bench/inputs_engine_counts under callgrind and prints a table. Fails when an operation
costs 10 % more or less than the table says: what has become cheaper is to be written down as well.
`--update` writes the table. Instructions move by some thousandths from run to run, whatever else the
machine does; times move by more than the band.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "sim" / "bin" / "inputs_engine_counts"
TABLE = ROOT / "tests" / "bench" / "inputs_engine_counts.tsv"
BAND = 0.1
HEADER = """\
# Instructions of one operation of the engine (tests/bench/inputs_engine_counts.cc), by callgrind.
# Written by `make counts UPDATE=1`.
"""


class Failure(Exception):
    pass


def run_program(directory):
    """How many operations were counted, by name; their instructions are in dumps in the directory."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/dump", str(PROGRAM)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("there is no valgrind: run scripts/setup.sh check") from None
    if done.returncode != 0:
        raise Failure(f"{PROGRAM.name} ended with {done.returncode}: {done.stderr.strip()}")
    times = {}
    for line in done.stdout.splitlines():
        operation, count = line.split("\t")
        times[operation] = int(count)
    return times


def read_dump(path):
    """The operation that a dump is named after, None of callgrind's own, and its instructions."""
    operation = instructions = None
    with open(path, encoding="utf-8", errors="replace") as dump:
        for line in dump:
            if line.startswith("desc: Trigger: Client Request: "):
                operation = line.split(": ", 3)[3].strip()
            elif re.match(r"(summary|totals): \d+$", line):
                instructions = int(line.split()[1])
    return operation, instructions


def count():
    """Instructions of one operation, by name."""
    with tempfile.TemporaryDirectory(prefix="kantoku-counts-") as directory:
        times = run_program(directory)
        instructions = dict.fromkeys(times, 0)
        for path in sorted(pathlib.Path(directory).iterdir()):
            operation, more = read_dump(path)
            if operation is not None:
                instructions[operation] += more
    if not times or not all(instructions.values()):
        raise Failure("callgrind's dumps do not hold what was counted")
    return {operation: round(total / times[operation]) for operation, total in instructions.items()}


def read_table():
    table = {}
    for line in TABLE.read_text().splitlines():
        if not line.startswith("#"):
            operation, instructions = line.split("\t")
            table[operation] = int(instructions)
    return table


def write_table(counts):
    lines = [f"{operation}\t{instructions}\n" for operation, instructions in counts.items()]
    TABLE.write_text(HEADER + "".join(lines))


def compare(counts, table):
    """A line for each operation, and what is wrong with some."""
    lines = []
    wrong = []
    for operation in sorted(counts.keys() | table.keys()):
        now, wanted = counts.get(operation), table.get(operation)
        ratio = now / wanted if now and wanted else None
        shown = "-" if ratio is None else f"{ratio:.3f}"
        lines.append(f"{operation:<50} {now or '-':>9} {wanted or '-':>9} {shown:>7}")
        if now is None:
            wrong.append(f"{operation}: is in the table and was not counted")
        elif wanted is None:
            wrong.append(f"{operation}: is not in the table")
        elif abs(ratio - 1) > BAND:
            change = "more" if ratio > 1 else "fewer"
            wrong.append(f"{operation}: {abs(ratio - 1):.0%} {change} instructions than in the table")
    return lines, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the table")
    arguments = parser.parse_args()
    try:
        counts = count()
    except Failure as failure:
        print(f"counts: {failure}", file=sys.stderr)
        return 1
    table = read_table() if TABLE.exists() else {}
    lines, wrong = compare(counts, table)
    print(f"{'operation':<50} {'now':>9} {'table':>9} {'ratio':>7}")
    print("\n".join(lines))
    if arguments.update:
        write_table(counts)
    elif wrong:
        print("\n".join(f"counts: {line}" for line in wrong), file=sys.stderr)
        print("counts: if it is meant, run `make counts UPDATE=1` and say why in the commit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
