"""python -m unittest discover bench/peers"""

import unittest
from types import SimpleNamespace

import machine
import report

try:
    import compare
except ImportError:  # psutil is not installed
    compare = None


def result(peer, number, **values):
    return {"peer": peer, "round": number, "sitting": "now", "others_busy_percent": 0.0} | values


class Ratios(unittest.TestCase):
    results = [
        result("encoder onnxruntime f32", 0, encode_s=3.0),
        result("encoder onnxruntime f32", 1, encode_s=8.0),
        result("bench masklet f32", 0, encode_s=1.0, frame_s=2.0, extra_object_s=1.5, peak_rss_mb=500),
        result("bench masklet f32", 1, encode_s=4.0, frame_s=2.0, extra_object_s=1.3, peak_rss_mb=500),
        result("bench masklet f32", 2, encode_s=9.0, frame_s=2.0, extra_object_s=1.4, peak_rss_mb=500),
    ]

    def compare(self, only):
        return report.compare({"results": self.results, "settings": {"only": only}})

    def test_values_of_the_same_round_are_divided(self):
        target = self.compare(["encoder"])["targets"][0]
        self.assertEqual((target["median"], target["min"], target["max"]), (2.5, 2.0, 3.0))
        self.assertTrue(target["met"])

    def test_an_upper_limit_is_missed_above_it(self):
        further = self.compare(["video"])["targets"][2]
        self.assertAlmostEqual(further["median"], 0.7)
        self.assertIs(further["met"], False)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        self.assertIsNone(self.compare(["encoder"])["targets"][1]["met"])

    def test_other_tasks_are_left_out(self):
        self.assertEqual({entry["quantity"] for entry in self.compare(["memory"])["medians"]}, {"peak memory, 12 frames"})


class Privacy(unittest.TestCase):
    def test_absolute_paths_become_file_names(self):
        self.assertEqual(machine.without_paths("No such file: '/data/me/x/a.onnx'"), "No such file: 'a.onnx'")
        self.assertEqual(machine.without_paths("2.5 s/frame, and/or"), "2.5 s/frame, and/or")


@unittest.skipIf(compare is None, "psutil is not installed")
class Turns(unittest.TestCase):
    def test_another_peer_begins_each_round_and_each_has_its_turn(self):
        turns = list(compare.turns(SimpleNamespace(rounds=3, only=["encoder", "video"], skip=[])))
        by_round = [[str(peer) for number, peer in turns if number == r] for r in range(3)]
        self.assertEqual(len({names[0] for names in by_round}), 3)
        self.assertEqual(len({frozenset(names) for names in by_round}), 1)

    def test_skipped_peers_have_no_turn_and_are_named(self):
        arguments = SimpleNamespace(rounds=1, only=["video"], skip=["pytorch bf16"])
        turns = [str(peer) for _, peer in compare.turns(arguments)]
        self.assertEqual(turns, ["bench masklet f32", "bench masklet bf16", "video pytorch f32"])
        self.assertEqual(list(compare.skipped(arguments)), ["video pytorch bf16"])


if __name__ == "__main__":
    unittest.main()
