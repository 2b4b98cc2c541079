"""Scores of real masks: masklet beside the official evaluators, which must agree to 1e-6.

    python tools/checks/metric_parity.py --data DAVIS2016 --davis DAVIS2017_EVALUATION \
        --masklet target/release/masklet [--sequences 6]

Needs what tools/reference/metric_fixtures.py needs. Predictions are made from the annotations: the
first mask copied to every frame, each mask two frames late, and label maps of several objects, in
which the masks of other sequences lie over each other, some objects missing on some frames.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from evaluators import davis_functions, davis_scores, sav_scores, vos_benchmark_scores  # noqa: E402

TOLERANCE = 1e-6


def read(folder):
    return np.stack([np.array(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def write(folder, maps):
    folder.mkdir(parents=True)
    for frame, labels in enumerate(maps):
        Image.fromarray(labels).save(folder / f"{frame:05}.png")


def write_objects(folder, maps, labels):
    """As SA-V: a folder for each object, in truth from its first appearance on."""
    for label in labels:
        present = np.flatnonzero((maps == label).any((1, 2)))
        (folder / f"{label:03}").mkdir(parents=True)
        for frame in range(present[0], len(maps)):
            picture = Image.fromarray(((maps[frame] == label) * 255).astype(np.uint8))
            picture.save(folder / f"{label:03}" / f"{frame:05}.png")


def several_objects(sequences, index):
    """Label maps of three sequences over each other, with a void border and absences."""
    chosen = [sequences[(index + shift) % len(sequences)] for shift in range(3)]
    frames = min(len(maps) for maps in chosen)
    height = min(maps.shape[1] for maps in chosen)
    width = min(maps.shape[2] for maps in chosen)
    labels = np.zeros((frames, height, width), np.uint8)
    for number, maps in enumerate(chosen, 1):
        labels[maps[:frames, :height, :width] > 0] = number
    inside = labels > 0
    edge = inside ^ (inside & np.roll(inside, 2, 2))
    labels[edge] = 255
    labels[: frames // 3][labels[: frames // 3] == 2] = 0
    labels[frames // 2 : frames // 2 + 5] = 0
    return labels


def run(masklet, truth, found, rules, *more):
    command = [masklet, "eval", "score", "--truth", truth, "--pred", found, "--rules", rules]
    command += ["--json", "--quiet", *more]
    done = subprocess.run([str(part) for part in command], capture_output=True, check=True)
    units = json.loads(done.stdout)["rows"][0]["units"]
    return {unit["name"]: {str(o["id"]): o for o in unit["objects"]} for unit in units}


class Differences:
    def __init__(self):
        self.largest, self.compared = {}, {}

    def add(self, kind, found, expected):
        found, expected = np.asarray(found, float), np.asarray(expected, float)
        assert found.shape == expected.shape, f"{kind}: {found.shape} and {expected.shape}"
        difference = float(np.abs(found - expected).max(initial=0))
        self.largest[kind] = max(self.largest.get(kind, 0), difference)
        self.compared[kind] = self.compared.get(kind, 0) + found.size


def statistics(of):
    return [of["mean"], of["recall"], of["decay"]]


def compare_davis(differences, kind, found, expected):
    assert found.keys() == expected.keys(), f"{kind}: objects {found.keys()}, {expected.keys()}"
    for label, official in expected.items():
        for measure in "jf":
            per_frame = [frame[measure] for frame in found[label]["frames"]]
            differences.add(f"{kind}, frames", per_frame, official[measure])
            ours = statistics(found[label][measure])
            differences.add(f"{kind}, statistics", ours, official[f"{measure}_statistics"])


def compare_means(differences, kind, found, expected):
    assert found.keys() == expected.keys(), f"{kind}: objects {found.keys()}, {expected.keys()}"
    for label, official in expected.items():
        ours = [found[label][measure]["mean"] * 100 for measure in "jf"]
        differences.add(kind, ours, official)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--davis", type=Path, required=True)
    parser.add_argument("--masklet", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=20)
    args = parser.parse_args()
    davis = davis_functions(args.davis)
    folders = sorted((args.data / "Annotations" / "480p").iterdir())[: args.sequences]
    single = {folder.name: read(folder) for folder in folders}
    several = {name: several_objects(list(single.values()), at) for at, name in enumerate(single)}
    differences = Differences()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        late = lambda maps: maps[np.maximum(np.arange(len(maps)) - 2, 0)]  # noqa: E731
        copied = lambda maps: maps[np.zeros(len(maps), int)]  # noqa: E731
        for guess_name, guess in (("copied", copied), ("late", late)):
            for kind, truths in (("single", single), ("several", several)):
                place = scratch / f"{kind}_{guess_name}"
                for name, maps in truths.items():
                    write(place / "truth" / name, maps)
                    write(place / "found" / name, guess(maps))
                    if kind == "several":
                        labels = sav_scores(maps, guess(maps)).keys()
                        labels = [int(label) for label in labels]
                        write_objects(place / "sav_truth" / name, maps, labels)
                        write_objects(place / "sav_found" / name, guess(maps), labels_of(maps, guess, labels))
                check(args.masklet, davis, differences, place, kind, truths, guess)
    for kind, largest in differences.largest.items():
        print(f"{kind}: {differences.compared[kind]} numbers, largest difference {largest:.1e}")
    sys.exit(max(differences.largest.values()) > TOLERANCE)


def labels_of(maps, guess, labels):
    """Those that the guess has at all; a folder of an object never found cannot be written."""
    found = np.unique(guess(maps)).tolist()
    return [label for label in labels if label in found]


def check(masklet, davis, differences, place, kind, truths, guess):
    truth, found = place / "truth", place / "found"
    binary = kind == "single"
    ours = run(masklet, truth, found, "davis")
    ignoring = run(masklet, truth, found, "davis", "--ignore-void")
    benchmark = run(masklet, truth, found, "vos-benchmark")
    for name, maps in truths.items():
        expected = davis_scores(davis, maps, guess(maps), binary, ignore_void=False)
        compare_davis(differences, f"DAVIS code, {kind}", ours[name], expected)
        expected = davis_scores(davis, maps, guess(maps), binary, ignore_void=True)
        compare_davis(differences, f"DAVIS code, void ignored, {kind}", ignoring[name], expected)
        expected = vos_benchmark_scores(maps, guess(maps))
        compare_means(differences, f"vos-benchmark, {kind}", benchmark[name], expected)
    if kind == "several":
        sav = run(masklet, place / "sav_truth", place / "sav_found", "sa-v", "--missing-as-empty")
        for name, maps in truths.items():
            compare_means(differences, "SA-V evaluator", sav[name], sav_scores(maps, guess(maps)))


if __name__ == "__main__":
    main()
