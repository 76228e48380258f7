#!/usr/bin/env python3
"""Fails on an include that points the wrong way between layers (ARCHITECTURE.md, "The tree").

A rule names the files it holds for, what they may not include or use, and why. The first rule that an include breaks is
reported as file:line. `--self-test` feeds every rule a snippet that breaks it and one that does not.
"""

import argparse
import os
import pathlib
import re
import sys
import tempfile
from dataclasses import dataclass

SCANNED = ("services", "client", "examples", "protos")
SUFFIXES = {".h", ".cc", ".cpp", ".hpp", ".inc"}
SERVICES = ("inputs", "outputs", "events", "issuer", "executor-runtime", "all-in-one")

GRPC = r"(grpc|grpcpp|grpc\+\+)/"
PROTOBUF = r"google/protobuf/|.*\.pb\.h$"
THREADS = r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|pthread\.h)$"
DATABASES = r"(sqlite3(ext)?\.h|libpq-fe\.h|pqxx/|librdkafka/)"


@dataclass(frozen=True)
class Rule:
    files: str  # files of these paths …
    why: str
    include: str = r"(?!)"  # … may not include these paths
    use: str = r"(?!)"  # … nor say this in code
    spared: str = r"(?!)"  # files that see everything


# What decides and does nothing else.
PURE = r"services/inputs/(engine|selector)/"
COMPOSITION = r"services/[^/]+/(module\.(h|cc)|main\.cc)$|services/all-in-one/"


def service_rules():
    for service in SERVICES[:-1]:
        others = "|".join(other for other in SERVICES if other != service)
        yield Rule(
            files=rf"services/{service}/",
            include=rf"services/({others})/",
            spared=COMPOSITION,
            why="a service includes no other service; reach it through its stubs, or compose in module.*, main.cc or all-in-one",
        )


RULES = [
    Rule(
        files=r"services/platform/",
        include=rf"services/({'|'.join(SERVICES)})/|client/|kantoku/client|kantoku/(inputs|outputs)/v\d+/",
        why="platform is shared by the services and knows none of them",
    ),
    Rule(
        files=r"services/platform/(?!audit/)",
        include=r"kantoku/events/v\d+/",
        why="platform is shared by the services and knows none of them; only its audit trail speaks to Events",
    ),
    Rule(
        files=r"services/platform/store/(?!remote/)",
        include=rf"{GRPC}|{PROTOBUF}",
        why="stores keep bytes: no gRPC and no generated Protobuf, but for the one that is a program of its own",
    ),
    Rule(
        files=r"services/platform/replicas/",
        include=rf"{GRPC}|{PROTOBUF}|{DATABASES}|services/platform/((postgres|sqlite|rpc)/|store/[^/]+/)",
        why="who has which partition is agreed on through an interface: no gRPC, no database",
    ),
    *service_rules(),
    Rule(
        files=r"services/[^/]+/backends/",
        include=rf"{GRPC}|{PROTOBUF}",
        why="backends keep bytes: no gRPC and no generated Protobuf",
    ),
    Rule(
        files=PURE,
        include=rf"{GRPC}|{PROTOBUF}",
        why="engine and selectors are pure: plain structs in and out, no gRPC, no Protobuf",
    ),
    Rule(
        files=PURE,
        include=rf"services/platform/store/|services/inputs/(store\.h|backends/|partition/|decorators/)|{DATABASES}",
        why="engine and selectors are pure: they know no store, the engine returns mutations",
    ),
    Rule(
        files=PURE,
        include=rf"{THREADS}|absl/synchronization/",
        use=r"\b(std::this_thread|thread_local|pthread_\w+)\b",
        why="engine and selectors are pure: no threads, no locks",
    ),
    Rule(
        files=PURE,
        include=r"absl/time/clock\.h|(ctime|time\.h|sys/time\.h)$",
        use=r"\b(absl::(Now|GetCurrentTimeNanos|SleepFor)|(system|steady|high_resolution)_clock|clock_gettime|gettimeofday)\b",
        why="engine and selectors have no clock of their own: time is a parameter",
    ),
    Rule(
        files=PURE,
        include=r"(random|iostream|fstream|filesystem|cstdio|stdio\.h|unistd\.h|fcntl\.h)$|sys/|absl/random/",
        use=r"\bstd::(random_device|mt19937(_64)?|rand)\b",
        why="engine and selectors are deterministic: no I/O, no randomness of their own",
    ),
    Rule(
        files=r"services/inputs/selector/",
        include=r"services/(?!inputs/selector/|platform/(check|status|utf8)\.h)|absl/time/",
        why="selectors are texts and labels: they know no task, no executor and no time",
    ),
    Rule(
        files=r"services/(?!platform/(store/)?(sqlite|postgres|kafka)/)|client/|examples/(?!fenced-row/)",
        include=DATABASES,
        why="handles of third-party databases stop at services/platform, and at what an example writes to",
    ),
    Rule(
        files=r"services/(?!platform/postgres/)|client/|examples/(?!fenced-row/)",
        include=r"pqxx/|libpq-fe\.h",
        why="libpqxx, and the exceptions that it throws, stop at services/platform/postgres",
    ),
    Rule(
        files=r"services/(?!platform/identity/)|client/|examples/",
        include=r"cjose/|curl/",
        why="signatures of access tokens and HTTP stop at services/platform/identity",
    ),
    Rule(
        files=r"services/(?!platform/tls/)|client/|examples/",
        include=r"openssl/(ssl|x509|x509v3|pem|bio)\.h",
        why="certificates and TLS handshakes of our own stop at services/platform/tls",
    ),
    Rule(
        files=r"services/platform/tls/",
        include=GRPC,
        why="certificates are files and bytes: no gRPC",
    ),
    Rule(
        files=r"client/",
        include=rf"services/({'|'.join(SERVICES)})/",
        why="a client sees services only through their protos",
    ),
    Rule(
        files=r"client/cpp/include/",
        include=rf"services/|{GRPC}|{PROTOBUF}",
        why="the public client is installed without our tree and shows no generated or third-party type",
    ),
    Rule(
        files=r"services/executor-runtime/(executor|handler|run_until_signal)\.h|services/platform/((clock|ids|mutex|status)|log/log)\.h",
        include=rf"{GRPC}|{PROTOBUF}|spdlog/|services/(?!executor-runtime/|platform/((clock|ids|mutex|status)|log/log)\.h)",
        why="kantoku/executor.h is installed with these headers alone (cmake/KantokuInstall.cmake)",
    ),
    Rule(
        files=r"examples/",
        include=r"services/(?!executor-runtime/)",
        why="examples use what a user has: the client and the executor runtime",
    ),
    Rule(
        files=r"(services|client)/",
        include=r"tests/|catch2/",
        why="production code knows no test",
    ),
    Rule(
        files=r"(services|client)/",
        include=r"\.\.?/",
        why="includes are written from the root of the repository",
    ),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(<([^>]+)>|"([^"]+)")')
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def resolve(root, path, quoted):
    """The path from the repository's root; a quoted path that lies beside its file is one, too."""
    if quoted and not quoted.startswith(".") and not (root / quoted).exists() and (path.parent / quoted).exists():
        return os.path.relpath(path.parent / quoted, root)
    return quoted


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def violations_of(root, path):
    name = path.relative_to(root).as_posix()
    rules = [rule for rule in RULES if re.match(rule.files, name) and not re.match(rule.spared, name)]
    if not rules:
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    code = COMMENT_OR_STRING.sub(blank, text).splitlines()
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        # An include inside a block comment is blank in `code`.
        if match and "include" in code[number - 1]:
            included = match.group(2) or resolve(root, path, match.group(3))
            for rule in rules:
                if re.match(rule.include, included):
                    yield f"{name}:{number}: may not include {match.group(1)}: {rule.why}"
                    break
            continue
        for rule in rules:
            used = re.search(rule.use, code[number - 1])
            if used:
                yield f"{name}:{number}: may not use {used.group(0)}: {rule.why}"
                break


def check(root):
    files = 0
    found = []
    for top in SCANNED:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                files += 1
                found.extend(violations_of(root, path))
    return files, found


BROKEN = {
    "services/platform/rpc/a.cc": ["#include <cjose/cjose.h>", "#include <curl/curl.h>", "#include <openssl/ssl.h>"],
    "services/platform/identity/b.cc": [
        "#include <openssl/ssl.h>",
        "#include <openssl/x509.h>",
        "#include <openssl/x509v3.h>",
        "#include <openssl/pem.h>",
        "#include <openssl/bio.h>",
    ],
    "services/platform/tls/a.cc": ["#include <grpcpp/grpcpp.h>"],
    "client/cli/a.cc": ["#include <openssl/x509.h>"],
    "services/platform/log.h": [
        '#include "services/inputs/store.h"',
        '#include "kantoku/outputs/v1/outputs.pb.h"',
        '#include "kantoku/events/v1/events.pb.h"',
    ],
    "services/platform/store/sqlite/store.cc": ["#include <grpcpp/grpcpp.h>", '#include "kantoku/task/v1/task.pb.h"'],
    "services/platform/store/postgres/store.cc": ["#include <pqxx/pqxx>", "#include <libpq-fe.h>"],
    "services/platform/replicas/keeper.cc": [
        "#include <grpcpp/grpcpp.h>",
        '#include "kantoku/task/v1/task.pb.h"',
        "#include <pqxx/pqxx>",
        '#include "services/platform/postgres/postgres_connection.h"',
        '#include "services/platform/store/postgres/postgres_schema.h"',
        '#include "services/platform/rpc/channel.h"',
    ],
    "services/inputs/service.cc": ['#include "services/outputs/store.h"', "#include <sqlite3.h>"],
    "services/inputs/module_helper.cc": ['#include "services/events/log.h"'],
    "services/executor-runtime/runtime.cc": ['#include "services/inputs/engine/engine.h"'],
    "services/events/backends/memory/log.cc": ['#include "kantoku/events/v1/events.pb.h"'],
    "services/inputs/engine/engine.cc": [
        '#include "services/platform/store/record_store.h"',
        '#include "services/inputs/store.h"',
        "#include <thread>",
        "#include <mutex>",
        '#include "absl/synchronization/mutex.h"',
        '#include "absl/time/clock.h"',
        "#include <grpcpp/grpcpp.h>",
        '#include "kantoku/task/v1/task.pb.h"',
        "#include <random>",
        "auto now = std::chrono::steady_clock::now();",
        "auto now = absl::Now();",
    ],
    "services/inputs/selector/selector.cc": [
        '#include "services/inputs/engine/types.h"',
        '#include "services/inputs/store.h"',
        '#include "services/platform/ids.h"',
        '#include "absl/time/time.h"',
        '#include "kantoku/task/v1/task.pb.h"',
        "#include <mutex>",
        "#include <iostream>",
        "std::mt19937 random;",
    ],
    "client/cpp/src/client.cc": ['#include "services/inputs/service.h"'],
    "client/cpp/include/kantoku/client.h": ['#include "kantoku/task/v1/task.pb.h"', '#include "services/platform/status.h"'],
    "services/executor-runtime/handler.h": ["#include <grpcpp/grpcpp.h>", '#include "services/platform/check.h"'],
    "services/platform/mutex.h": ['#include "services/platform/check.h"', "#include <spdlog/spdlog.h>"],
    "examples/hello.cc": ['#include "services/platform/status.h"'],
    "services/outputs/service.cc": ['#include "../inputs/store.h"', '#include "tests/support/fake.h"'],
}
ALLOWED = {
    "services/platform/identity/a.cc": ["#include <cjose/cjose.h>", "#include <curl/curl.h>", "#include <openssl/evp.h>"],
    "services/platform/tls/a.cc": ["#include <openssl/ssl.h>", "#include <openssl/x509v3.h>", "#include <openssl/bio.h>"],
    "services/platform/audit/trail.cc": ['#include "kantoku/events/v1/events.grpc.pb.h"'],
    "services/platform/config.cc": ['#include "kantoku/config/v1/config.pb.h"', "#include <mutex>"],
    "services/platform/postgres/connection.cc": ["#include <pqxx/connection>", "#include <libpq-fe.h>"],
    "services/platform/store/sqlite/store.cc": ["#include <sqlite3.h>", '#include "services/platform/status.h"'],
    "services/platform/replicas/keeper.cc": ['#include "services/platform/store/store_errors.h"', "#include <thread>"],
    "services/inputs/service.cc": ["#include <grpcpp/grpcpp.h>", '#include "kantoku/outputs/v1/outputs.grpc.pb.h"'],
    "services/inputs/module.cc": ['#include "services/outputs/module.h"'],
    "services/executor-runtime/executor.h": ['#include "services/platform/clock.h"', '#include "absl/status/status.h"'],
    "services/inputs/main.cc": ['#include "services/events/module.h"'],
    "services/all-in-one/up.cc": ['#include "services/inputs/module.h"'],
    "services/inputs/engine/engine.cc": [
        '#include "absl/time/time.h"',
        '#include "services/inputs/engine/lane.h"',
        '#include "services/inputs/selector/selector.h"',
        "// never absl::Now(), nor #include <thread>",
        '/*\n#include <mutex>\n*/ const char* s = "absl::Now";',
    ],
    "services/inputs/selector/selector.cc": [
        '#include "services/inputs/selector/labels.h"',
        '#include "services/platform/status.h"',
        '#include "absl/strings/str_cat.h"',
    ],
    "client/cpp/src/client.cc": ['#include "services/platform/status.h"'],
}


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for expected, cases in ((True, BROKEN), (False, ALLOWED)):
            for name, lines in cases.items():
                for line in lines:
                    path = root / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"#include <string>\n{line}\n")
                    _, found = check(root)
                    if bool(found) != expected:
                        failures.append(f"{name}: {line!r}: {'not caught' if expected else found[0]}")
                    elif expected and not found[0].startswith(f"{name}:2: may not "):
                        failures.append(f"{name}: {line!r}: unclear message {found[0]!r}")
                    path.unlink()
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true", help="prove that every rule catches what it forbids")
    arguments = parser.parse_args()
    if arguments.self_test:
        found = self_test()
        print("\n".join(found) or f"layering self-test: {sum(map(len, BROKEN.values()))} violations caught")
    else:
        files, found = check(arguments.root.resolve())
        print("\n".join(found) or f"layering: {files} files, no forbidden include")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
