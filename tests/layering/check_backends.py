#!/usr/bin/env python3
"""Checks that every backend of the store is examined, configured and described, and that what is said of it is tested.

A backend is a directory of services/platform/store. Each sits every exam (BACKENDS in tests/conformance), bare and decorated
that of the store itself; has a field with a comment in StoreConfig, which stores.cc opens, and a line in service_backends.cc; and
a column in "Guarantees per backend" of each service's README. There each cell names what shows it, by marks that the list below
the table explains: `program:case`, where `program:*:case` stands for the column's backend, for which ctest has to have that case.
A program that has a backend in its name shows nothing of another one. Only "no" and "cannot happen" need no test; what has none
says "not shown".
"""

import argparse
import pathlib
import re
import sys

STORES = "services/platform/store"
OPENS = "services/platform/stores/stores.cc"
SERVICES = "tests/conformance/service_backends.cc"
CONFIG = "protos/kantoku/config/v1/config.proto"
READMES = [f"services/{service}/README.md" for service in ("inputs", "outputs", "events")]
HEADING = "## Guarantees per backend\n"
KEYWORDS = {"NAME", "LABEL", "SOURCES", "DEPS", "BINARIES", "BACKENDS", "TIMEOUT", "WHOLE", "USE_PROTO_PCH"}
EXAMS = ("record_store_exam", "event_log_exam", "inputs_service_exam", "outputs_service_exam", "events_service_exam")
EXCUSES = re.compile(r"no|cannot happen|(.*; )?not shown")


class Tree:
    """The files that are looked at, by path, and the directories of backends."""

    def __init__(self, files, backends):
        self.files, self.backends = files, backends

    @classmethod
    def read(cls, root):
        paths = [root / path for path in [CONFIG, OPENS, *READMES]]
        paths += [path for name in ("CMakeLists.txt", "*.cc") for path in (root / "tests").rglob(name)]
        files = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        stores = [path.name for path in (root / STORES).iterdir() if path.is_dir()]
        return cls(files, sorted(set(stores) - {"decorators"}))


class Program:
    def __init__(self, directory, words, variables):
        lists, keyword = {}, None
        for word in words:
            if word in KEYWORDS:
                keyword = lists.setdefault(word, [])
            elif keyword is not None:
                keyword += variables.get(word, [word])
        self.name = lists.get("NAME", [""])[0]
        self.sources = [f"{directory}/{source}" for source in lists.get("SOURCES", [])]
        self.backends = lists.get("BACKENDS", [])

    def backends_of(self, directory):
        """A remote store is sat with by several programs, and each with its decorators."""
        return [name for name in self.backends if name == directory or name.startswith(directory + "-")]


def programs(tree):
    """The test programs by name."""
    lists = {path: text for path, text in tree.files.items() if path.endswith("CMakeLists.txt")}
    variables = {f"${{{name}}}": words.split()
                 for text in lists.values() for name, words in re.findall(r"^set\((\w+) ([^)]*)\)", text, re.M)}
    found = {}
    for path, text in lists.items():
        for block in re.findall(r"^ *kantoku_test\(([^)]*)\)", text, re.M):
            program = Program(path.rpartition("/")[0], block.split(), variables)
            found[program.name] = program
    return found


def cases(text):
    """The names of test cases, and the tags of each."""
    found = re.findall(r'TEST_CASE\(\s*((?:"[^"]*"\s*)+)(?:,\s*"([^"]*)")?', text)
    return {"".join(re.findall(r'"([^"]*)"', joined)): re.findall(r"\[([^]]*)\]", tags) for joined, tags in found}


def sat_by(backend, tags, backends):
    """Whether ctest has an entry of a case with these tags for that backend (cmake/KantokuTarget.cmake)."""
    return f"not-{backend}" not in tags and not any(other in tags for other in backends if other != backend)


class Table:
    """Of a README: rows of cells, and what its marks stand for."""

    def __init__(self, text):
        section = text.partition(HEADING)[2].partition("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in section.splitlines() if line.startswith("|")]
        self.columns = rows[0][1:] if rows else []
        self.rows = [row for row in rows[2:] if row]
        explained = re.findall(r"^- (\[\d+\]) `([^`]*)`", section, re.M)
        self.tests = dict(explained)
        marks = [mark for mark, _ in explained]
        self.doubled = sorted({mark for mark in marks if marks.count(mark) > 1})


def check_exams(tree, found):
    for name in EXAMS:
        program = found.get(name)
        if program is None or not program.backends:
            yield f"{name} is no test program with BACKENDS in tests/conformance"
            continue
        for backend in tree.backends:
            sitting = program.backends_of(backend)
            if not sitting:
                yield f"{STORES}/{backend} does not sit {name}: add it to its BACKENDS in tests/conformance"
            elif name == "record_store_exam" and len({each.endswith("-metered") for each in sitting}) < 2:
                yield f"{STORES}/{backend} sits {name} as {', '.join(sitting)}; bare and metered are asked for"


def check_config(tree):
    choices = tree.files[CONFIG].partition("message StoreConfig {")[2].partition("\n}")[0]
    for backend in tree.backends:
        if not re.search(rf"^ *// .*\n *\w+ {backend} = \d+;", choices, re.M):
            yield f"{CONFIG}: StoreConfig has no field `{backend}` with a comment"
        if f"case config::v1::StoreConfig::k{backend.capitalize()}:" not in tree.files[OPENS]:
            yield f"{OPENS} does not open {backend}"
        if not re.search(rf'\{{"{backend}(-\w+)?", (true|false), ', tree.files[SERVICES]):
            yield f"{SERVICES} has no line for {backend}"


def check_test(tree, found, name, column):
    """Whether there is a test of this name, in ctest's list, for that column."""
    program, _, case = name.partition(":")
    if program not in found:
        return f"there is no test program {program}"
    of_column = case.startswith("*:")
    case = case.removeprefix("*:")
    tags = next((all_of[case] for source in found[program].sources
                 if case in (all_of := cases(tree.files.get(source, "")))), None)
    if tags is None:
        return f"{program} has no case \"{case}\""
    others = set(tree.backends) - {column}
    if not of_column and others.intersection(program.split("_")):
        return f"{program} is not about {column}"
    if of_column != bool(found[program].backends):
        return f"{program} {'has no' if of_column else 'is for'} backends: {name}"
    sitting = found[program].backends_of(column)
    if of_column and not any(sat_by(backend, tags, found[program].backends) for backend in sitting):
        return f"{program} is not sat by {column}, or not \"{case}\""
    return None


def check_table(tree, found, path):
    table = Table(tree.files[path])
    if sorted(table.columns) != tree.backends:
        yield f"{path}: columns of the guarantees are {', '.join(table.columns)}; backends are {', '.join(tree.backends)}"
    for mark in table.doubled:
        yield f"{path}: {mark} is explained more than once"
    used = set()
    for row in table.rows:
        for column, cell in zip(table.columns, row[1:]):
            where = f"{path}: \"{row[0]}\", {column}"
            marks = re.findall(r"\[\d+\]", cell)
            if not marks and not EXCUSES.fullmatch(cell):
                yield f"{where}: names no test: {cell}"
            used.update(marks)
            for mark in marks:
                wrong = check_test(tree, found, table.tests[mark], column) if mark in table.tests else "it is not explained"
                if wrong:
                    yield f"{where}: {mark}: {wrong}"
        if len(row) != len(table.columns) + 1:
            yield f"{path}: \"{row[0]}\" has {len(row) - 1} cells"
    for mark in sorted(set(table.tests) - used):
        yield f"{path}: {mark} is in no cell"


def check(tree):
    found = programs(tree)
    wrong = [*check_exams(tree, found), *check_config(tree)]
    for path in READMES:
        wrong += check_table(tree, found, path)
    return wrong


def broken(tree, path, old, new):
    assert old in tree.files[path], f"{path} has no {old!r}"
    return Tree({**tree.files, path: tree.files[path].replace(old, new)}, tree.backends)


def self_test(tree):
    """That each of these is caught."""
    stranger = check(Tree(tree.files, sorted([*tree.backends, "redis"])))
    missed = [f"nobody misses {what}" for what in
              ("redis does not sit record_store_exam", "redis does not sit inputs_service_exam",
               "redis does not sit outputs_service_exam", "redis does not sit events_service_exam",
               "redis does not sit event_log_exam", "no field `redis`", "does not open redis", "has no line for redis", *(f"{path}: columns" for path in READMES))
              if not any(what in each for each in stranger)]
    exam = "tests/conformance/record_store_exam.cc"
    for tree_of, says in ((broken(tree, exam, "A crash leaves every commit", "A crash takes"), "has no case"),
                          (broken(tree, READMES[0], "- [1] `", "- [99] `"), "not explained"),
                          (broken(tree, READMES[0], "yes [8]", "yes"), "names no test"),
                          (broken(tree, READMES[0], "- [2] `", "- [1] `"), "explained more than once"),
                          (broken(tree, READMES[0], "(`synchronous=FULL`) [6]", "[3]"), "is not about sqlite"),
                          (broken(tree, READMES[0], "| no | yes [1] [2]", "| yes [1] | yes [1] [2]"), "is not sat by memory"),
                          (broken(tree, "tests/conformance/inputs_exam/CMakeLists.txt", "BACKENDS", "DEPS"), "no test program with"),
                          (broken(tree, "tests/conformance/CMakeLists.txt", " sqlite-metered", ""), "bare and metered")):
        if not any(says in each for each in check(tree_of)):
            missed.append(f"nobody says \"{says}\"")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true", help="prove that what is forbidden is caught")
    arguments = parser.parse_args()
    tree = Tree.read(arguments.root.resolve())
    wrong = self_test(tree) if arguments.self_test else check(tree)
    print("\n".join(wrong) or f"backends: {', '.join(tree.backends)}; all is as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
