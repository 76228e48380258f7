"""What tests/bench/plot_growth.py makes of figures; that it draws them, `make growth` sees."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "plot_growth.py"
sys.path.insert(0, str(SCRIPT.parent))
sys.dont_write_bytecode = True
import plot_growth  # noqa: E402

ALL, SERVER = "cpu_seconds_per_million", "server_cpu_seconds_per_million"


def line(size, median, **others):
    return json.dumps({"scenario": "growth-backlog", "runs": 3, "size": size,
                       ALL: median, SERVER: median / 2, **others})


class Read(unittest.TestCase):
    def test_sizes_are_in_order_each_with_its_median_and_range(self):
        ranged = line(10, 14, least={ALL: 13, SERVER: 6}, most={ALL: 19, SERVER: 8})
        panels = plot_growth.read([ranged, line(0, 12)])
        self.assertEqual(list(panels), ["growth-backlog"])
        self.assertEqual(list(panels["growth-backlog"].items()),
                         [(0, {ALL: (12, 12, 12), SERVER: (6, 6, 6)}),
                          (10, {ALL: (13, 14, 19), SERVER: (6, 7, 8)})])

    def test_what_is_no_figure_is_named_with_its_line(self):
        for wrong, said in (("{", "line 2: "), ("[]", "line 2: "), ("{}", "line 2: 'scenario'"),
                            (line("many", 1), "line 2: no number size"),
                            (line(1, 2, least={ALL: 1}), f"line 2: no number {SERVER}")):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, said):
                plot_growth.read([line(0, 12), wrong])

    def test_no_figures_at_all_are_an_error_of_one_line(self):
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as empty:
            done = subprocess.run([sys.executable, str(SCRIPT), empty.name, "plot.svg"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"plot_growth: {empty.name}: no figures\n")


class Places(unittest.TestCase):
    def test_sizes_stand_by_their_powers_of_ten_and_nothing_a_decade_before(self):
        self.assertEqual(plot_growth.places([0, 10_000, 1_000_000]), [3, 4, 6])
        self.assertEqual(plot_growth.places([1, 10]), [0, 1])


if __name__ == "__main__":
    unittest.main()
