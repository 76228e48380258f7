#!/usr/bin/python3
"""Where the CPU time of scenarios goes: a table by layer for all of them, a flame graph for each.

    plot_profile.py FIGURES.jsonl STACKS-DIRECTORY PLOTS-DIRECTORY > TABLE.md

STACKS-DIRECTORY holds <scenario>.stacks for each line of FIGURES, as `perf script -F comm,pid,ip,sym,dso`
writes it. A sample belongs to the innermost frame that is of a layer; memory and standard library belong
to who called them. What spawners and executors do belongs to these as a whole, whatever it is.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What a folder's classes do, the longest folder first that matches.
FOLDERS = {
    "client": "client",
    "services/all-in-one/bench": "client",
    "services/events": "Events",
    "services/executor-runtime": "executor",
    "services/inputs": "Inputs: edge and partition",
    "services/inputs/engine": "Inputs: engine",
    "services/inputs/selector": "Inputs: engine",
    "services/outputs": "Outputs",
    "services/platform/auth": "leases, receipts, tokens",
    "services/platform/identity": "leases, receipts, tokens",
    "services/platform/partition": "runner of partitions",
    "services/platform/rpc": "calls and queues",
    "services/platform/sqlite": "store: SQLite",
    "services/platform/store": "store: SQLite",
}
# What has no class that a header names.
NAMESPACES = {
    "kantoku::inputs": "Inputs: edge and partition",
    "kantoku::outputs": "Outputs",
    "kantoku::events": "Events",
    "kantoku::executor": "executor",
    "kantoku::platform": "calls and queues",
    "kantoku::bench": "client",
    "kantoku": "client",
}
# What the system does, by what is in the stack: the first that matches.
SYSTEM = [
    ("store: disk", re.compile(r"fdatasync|fsync|ext4_|jbd2|blk_mq|pwrite|vfs_write$")),
    ("wire: sockets", re.compile(r"sendmsg|recvmsg|tcp_|sock_")),
    ("waits and wakes of threads", re.compile(r"futex|epoll|eventfd|schedule|clock_nanosleep")),
    ("memory from the system", re.compile(r"page_fault|mmap|munmap|madvise")),
]
ORDER = ["client", "executor", "wire: sockets", "wire: TLS", "wire: gRPC", "wire: Protobuf",
         "calls and queues", "leases, receipts, tokens", "Inputs: edge and partition",
         "Inputs: engine", "Outputs", "Events", "runner of partitions", "store: SQLite",
         "store: disk", "waits and wakes of threads", "memory from the system", "rest"]

Frame = collections.namedtuple("Frame", "symbol library")
Sample = collections.namedtuple("Sample", "pid thread frames")  # Innermost frame first.


def read_samples(lines):
    """Of what `perf script` writes: a line of thread and pid, its frames, an empty line."""
    head, frames = None, []
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if head is not None and frames:
                yield Sample(*head, tuple(frames))
            head, frames = None, []
        elif not line[0].isspace() and head is None:
            thread, pid = line.rsplit(None, 1)
            head = (int(pid), thread.strip())
        else:
            frame = re.match(r"\s*[0-9a-f]+ (.*) \(([^()]*)\)$", line)
            if frame:
                frames.append(Frame(plain(frame[1]), frame[2].rsplit("/", 1)[-1]))
    if head is not None and frames:
        yield Sample(*head, tuple(frames))


def plain(symbol):
    """A function's name without arguments, template arguments and anonymous namespaces."""
    symbol = symbol.replace("(anonymous namespace)::", "").replace("operator()", "operator call")
    depth, kept = 0, []
    for letter in symbol:
        depth += letter in "<("
        if depth == 0:
            kept.append(letter)
        depth -= letter in ">)"
    name = re.sub(r"\[abi:\w+\]|\[clone [^]]*\]|\+0x[0-9a-f]+$| const$", "", "".join(kept)).strip()
    return name.split(" ")[-1] if not name.startswith("operator") and "operator " not in name else name


def classes_of(root):
    """{(namespace, class): layer} of all headers below the folders above."""
    layers = {}
    for folder in sorted(FOLDERS, key=len):
        for header in sorted((root / folder).rglob("*.h")):
            text = header.read_text(encoding="utf-8")
            space = re.search(r"^namespace (kantoku[\w:]*) \{", text, re.MULTILINE)
            if space:
                for name in re.findall(r"^(?:class|struct) (?:\w+\(.*?\) )?(\w+)[^;]*$", text, re.MULTILINE):
                    layers[space[1], name] = FOLDERS[folder]
    return layers


class Layers:
    """Says which layer a stack belongs to."""

    def __init__(self, classes):
        self._classes = classes

    def of(self, frames):
        system = [frame.symbol for frame in frames if frame.library.startswith("[kernel")]
        if system and frames[0].library.startswith("[kernel"):
            return next((layer for layer, word in SYSTEM if any(map(word.search, system))), "rest")
        crypto = False
        for frame in frames:
            if re.match(r"lib(crypto|ssl)\b", frame.library):
                crypto = True
                continue
            layer = self._of_frame(frame)
            if layer is not None:
                return {"wire: gRPC": "wire: TLS"}.get(layer, "leases, receipts, tokens") if crypto else layer
        return "rest"

    def _of_frame(self, frame):
        if frame.library.startswith("libsqlite3"):
            return "store: SQLite"
        if frame.library.startswith("libprotobuf") or re.match(r"google::protobuf|kantoku::\w+::v1::", frame.symbol):
            return "wire: Protobuf"
        if re.match(r"lib(grpc|gpr|upb|address_sorting)", frame.library) or frame.symbol.startswith("grpc::"):
            return "wire: gRPC"
        if not frame.symbol.startswith("kantoku::"):
            return None
        words = frame.symbol.split("::")
        for count in range(len(words) - 1, 0, -1):
            layer = self._classes.get(("::".join(words[:count]), words[count]))
            if layer is not None:
                return layer
        return next((layer for space, layer in NAMESPACES.items() if frame.symbol.startswith(space + "::")), None)


def roles_of(samples):
    """{pid: "server", "executor" or "spawner"}, by what runs in them."""
    roles = {}
    for sample in samples:
        if re.match(r"(inputs|outputs|events)/", sample.thread):
            roles[sample.pid] = "server"
        elif any(frame.symbol.startswith("kantoku::executor::") for frame in sample.frames):
            roles.setdefault(sample.pid, "executor")
    return roles


def by_layer(samples, layers):
    """{layer: samples}; what others than the server do is client's or executor's as a whole."""
    roles = roles_of(samples)
    counts = collections.Counter()
    for sample in samples:
        role = roles.get(sample.pid, "spawner")
        counts[{"spawner": "client", "executor": "executor"}.get(role) or layers.of(sample.frames)] += 1
    return counts


def table(columns):
    """Markdown of {scenario: ({layer: samples}, microseconds of CPU a task, or None)}: parts of all CPU,
    and what that is of a task."""
    lines = ["| where, % of CPU | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for layer in ORDER:
        cells = [f"{100 * counts.get(layer, 0) / sum(counts.values()):.1f}" for counts, _ in columns.values()]
        lines.append(f"| {layer} | " + " | ".join(cells) + " |")
    costs = ["" if cost is None else f"{cost:.1f}" for _, cost in columns.values()]
    lines.append("| all, µs a task | " + " | ".join(costs) + " |")
    return "\n".join(lines)


def tree_of(samples):
    """A call tree from the outermost frame inwards: {name: [samples, tree]}."""
    roles = roles_of(samples)
    root = {}
    for sample in samples:
        here = root
        names = [roles.get(sample.pid, "spawner"), *(frame.symbol for frame in reversed(sample.frames))]
        for name in names:
            node = here.setdefault(name, [0, {}])
            node[0] += 1
            here = node[1]
    return root


def boxes(tree, whole, least=0.006, begin=0, depth=0):
    """(begin, width, depth, name) of what is wide enough to be seen; widest first within its caller."""
    for name, (count, below) in sorted(tree.items(), key=lambda item: (-item[1][0], item[0])):
        if count / whole >= least:
            yield begin / whole, count / whole, depth, name
            yield from boxes(below, whole, least, begin, depth + 1)
        begin += count


def draw(name, samples, path):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    pyplot.rcParams.update({"svg.hashsalt": "kantoku", "svg.fonttype": "none"})
    drawn = list(boxes(tree_of(samples), len(samples)))
    height = max(depth for _, _, depth, _ in drawn) + 1
    figure = pyplot.figure(figsize=(16, 0.2 * height + 0.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, height + 2))
    axes.axis("off")
    axes.text(0.5, height + 0.8, f"{name}: CPU time of all processes, {len(samples)} samples",
              ha="center", fontsize=10)
    for begin, width, depth, symbol in drawn:
        own = symbol.startswith("kantoku::")
        axes.add_patch(Rectangle((begin, depth), width, 0.95, linewidth=0,
                                 facecolor="#8fbbe0" if own else "#d9dee2"))
        letters = int(width * 210)
        if letters >= 6:
            short = "::".join(symbol.split("::")[-2:])
            axes.text(begin + 0.001, depth + 0.25, short if len(short) <= letters else short[:letters - 1] + "…",
                      fontsize=6.5, family="monospace")
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures")
    parser.add_argument("stacks", type=pathlib.Path)
    parser.add_argument("plots", type=pathlib.Path)
    arguments = parser.parse_args()
    layers = Layers(classes_of(ROOT))
    columns = {}
    try:
        with open(arguments.figures, encoding="utf-8") as lines:
            figures = [json.loads(line) for line in lines]
        for line in figures:
            name = line["scenario"]
            with open(arguments.stacks / f"{name}.stacks", encoding="utf-8", errors="replace") as text:
                samples = list(read_samples(text))
            if not samples:
                raise ValueError(f"{name}: no samples")
            columns[name] = by_layer(samples, layers), line.get("cpu_seconds_per_million")
            draw(name, samples, arguments.plots / f"{name}.svg")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"plot_profile: {error}")
    print(table(columns))


if __name__ == "__main__":
    main()
