"""What tests/bench/plot_profile.py makes of stacks; that it draws them, `make profile` sees."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "plot_profile.py"
sys.path.insert(0, str(SCRIPT.parent))
sys.dont_write_bytecode = True
import plot_profile  # noqa: E402
from plot_profile import Frame, Sample  # noqa: E402

STACKS = """\
inputs/0    12
\t            20ca3 __memmove_avx (/usr/lib/libc.so.6)
\t             6a78 kantoku::inputs::Engine::Spawn(absl::Span<int>, int) (/build/bin/kantoku)

default-executo    13
\tffffffff8159265f sys_futex ([kernel.kallsyms])
\t             6a78 kantoku::executor::(anonymous namespace)::Run<kantoku::Task>() (/build/bin/kantoku)

"""


def frames(*names):
    """Innermost first, each "symbol@library", of our own program where no library is named."""
    return tuple(Frame(*(name.split("@") if "@" in name else (name, "kantoku"))) for name in names)


class Read(unittest.TestCase):
    def test_a_sample_is_its_thread_and_its_frames_without_arguments(self):
        self.assertEqual(
            list(plot_profile.read_samples(STACKS.splitlines(keepends=True))),
            [Sample(12, "inputs/0", (Frame("__memmove_avx", "libc.so.6"),
                                     Frame("kantoku::inputs::Engine::Spawn", "kantoku"))),
             Sample(13, "default-executo", (Frame("sys_futex", "[kernel.kallsyms]"),
                                            Frame("kantoku::executor::Run", "kantoku")))])

    def test_names_lose_what_only_templates_and_compilers_say(self):
        for symbol, name in (
                ("std::vector<std::pair<int, int>>::push_back(std::pair<int, int>&&)", "std::vector::push_back"),
                ("void grpc::Run<a::B>(int)", "grpc::Run"),
                ("kantoku::(anonymous namespace)::F(int) [clone .cold]", "kantoku::F"),
                ("kantoku::inputs::Partition::Size() const", "kantoku::inputs::Partition::Size")):
            self.assertEqual(plot_profile.plain(symbol), name)


class Layers(unittest.TestCase):
    layers = plot_profile.Layers(plot_profile.classes_of(plot_profile.ROOT))

    def layer(self, *names):
        return self.layers.of(frames(*names))

    def test_the_innermost_frame_that_is_of_a_layer_decides(self):
        engine = "kantoku::inputs::Engine::Spawn"
        partition = "kantoku::inputs::Partition::ApplySpawn"
        self.assertEqual(self.layer("memcpy@libc.so.6", engine, partition), "Inputs: engine")
        self.assertEqual(self.layer("mi_malloc@libmimalloc.so.2", partition), "Inputs: edge and partition")
        self.assertEqual(self.layer("google::protobuf::Clear@libprotobuf.so.32", partition), "wire: Protobuf")
        self.assertEqual(self.layer("sqlite3_step@libsqlite3.so.0", partition), "store: SQLite")
        self.assertEqual(self.layer("kantoku::inputs::EncodeSpecBody", engine), "Inputs: edge and partition")
        self.assertEqual(self.layer("start_thread@libc.so.6"), "rest")

    def test_ciphers_are_those_of_who_calls_them(self):
        self.assertEqual(self.layer("AES@libcrypto.so.3", "SSL_write@libssl.so.3", "tsi@libgrpc.so.29"), "wire: TLS")
        self.assertEqual(self.layer("SHA@libcrypto.so.3", "kantoku::platform::HmacKeys::Sign"),
                         "leases, receipts, tokens")

    def test_the_system_works_for_whom_its_stack_says(self):
        kernel = "copy@[kernel.kallsyms]"
        for call, layer in (("ext4_sync", "store: disk"), ("tcp_sendmsg", "wire: sockets"),
                            ("do_futex", "waits and wakes of threads"), ("brk", "rest")):
            self.assertEqual(self.layer(kernel, f"{call}@[kernel.kallsyms]", "kantoku::inputs::Engine::Spawn"), layer)

    def test_what_is_not_the_servers_is_one_layer(self):
        samples = [Sample(1, "inputs/0", frames("kantoku::inputs::Engine::Spawn")),
                   Sample(1, "rpc", frames("kantoku::outputs::PutCall::Read")),
                   Sample(2, "rpc", frames("kantoku::executor::Core::Take")),
                   Sample(2, "rpc", frames("sqlite3_step@libsqlite3.so.0")),
                   Sample(3, "rpc", frames("memcpy@libc.so.6"))]
        self.assertEqual(plot_profile.by_layer(samples, self.layers),
                         {"Inputs: engine": 1, "Outputs": 1, "executor": 2, "client": 1})

    def test_every_layer_has_a_row(self):
        all_layers = {*plot_profile.FOLDERS.values(), *plot_profile.NAMESPACES.values(),
                      *(layer for layer, _ in plot_profile.SYSTEM)}
        self.assertLessEqual(all_layers, set(plot_profile.ORDER))

    def test_the_folders_are_there(self):
        for folder in plot_profile.FOLDERS:
            self.assertTrue((plot_profile.ROOT / folder).is_dir(), folder)


class Drawn(unittest.TestCase):
    def test_the_table_is_in_parts_of_all(self):
        table = plot_profile.table({"a": ({"client": 3, "Events": 1}, 8.0), "b": ({"client": 1}, None)})
        self.assertIn("| client | 75.0 | 100.0 |", table)
        self.assertIn("| Events | 25.0 | 0.0 |", table)
        self.assertIn("| all, µs a task | 8.0 |  |", table)

    def test_boxes_stand_above_their_caller_and_narrow_ones_are_left_out(self):
        samples = [Sample(1, "t", frames("f", "main"))] * 3 + [Sample(1, "t", frames("g", "main"))]
        self.assertEqual(list(plot_profile.boxes(plot_profile.tree_of(samples), 4, least=0.5)),
                         [(0, 1, 0, "spawner"), (0, 1, 1, "main"), (0, 0.75, 2, "f")])

    def test_stacks_that_are_missing_are_an_error_of_one_line(self):
        with tempfile.TemporaryDirectory() as directory:
            figures = pathlib.Path(directory) / "figures.jsonl"
            figures.write_text('{"scenario": "absent"}\n')
            done = subprocess.run([sys.executable, SCRIPT, figures, directory, directory],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^plot_profile: .*absent\.stacks.*\n$")


if __name__ == "__main__":
    unittest.main()
