"""Writes fixtures/metrics: small made-up masks, and what the official evaluators say of them.

    python tools/reference/metric_fixtures.py --davis DAVIS2017_EVALUATION

needs numpy, pillow, opencv-python-headless, scikit-image, vos-benchmark 0.1.0 and a checkout of
https://github.com/davisvideochallenge/davis2017-evaluation, whose functions are imported.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from evaluators import davis_functions, davis_scores, sav_scores, vos_benchmark_scores
from PIL import Image

ROOT = Path(__file__).resolve().parents[2] / "fixtures" / "metrics"
VOID = 255


class Scene:
    """Ellipses on label maps [frames, height, width]; later ones lie over earlier ones."""

    def __init__(self, frames, height, width):
        self.maps = np.zeros((frames, height, width), np.uint8)
        self.y, self.x = np.mgrid[:height, :width]

    def ellipse(self, frame, label, cx, cy, rx, ry):
        self.maps[frame][((self.x - cx) / rx) ** 2 + ((self.y - cy) / ry) ** 2 <= 1] = label

    def void_border(self, frame, label):
        """Surrounds an object with a border of void, as careful annotators do."""
        inside = self.maps[frame] == label
        grown = np.zeros_like(inside)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                grown |= np.roll(inside, (dy, dx), (0, 1))
        self.maps[frame][grown & ~inside] = VOID


def moving(frames, height, width, labels, rng, wobble):
    """Objects on straight ways; `wobble` moves them by so many pixels."""
    scene = Scene(frames, height, width)
    ways = np.random.default_rng(17)
    for label in labels:
        start, step = ways.uniform(0.2, 0.8, 2), ways.uniform(-0.02, 0.02, 2)
        size = ways.uniform(0.1, 0.25, 2)
        for frame in range(frames):
            cx, cy = (start + frame * step) * (width, height) + rng.normal(0, wobble, 2)
            rx, ry = size * (width, height) * (1 + rng.normal(0, 0.05, 2) * wobble)
            scene.ellipse(frame, label, cx, cy, max(rx, 1), max(ry, 1))
    return scene


def pair(frames, height, width, labels, wobble=1.5, seed=3):
    still, moved = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    return (
        moving(frames, height, width, labels, still, 0),
        moving(frames, height, width, labels, moved, wobble),
    )


def cases():
    """Name, truth [frames, height, width], predicted."""
    for frames in (3, 4, 5, 6, 7, 20):
        truth, found = pair(frames, 40, 61, [1, 2])
        yield f"frames_{frames}", truth.maps, found.maps
    for width in (1, 63, 64, 65, 130):
        truth, found = pair(5, 33, width, [1])
        yield f"width_{width}", truth.maps, found.maps
    truth, found = pair(4, 300, 420, [1, 2, 3], wobble=4)
    yield "wide_tolerance", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1, 2])
    found.maps[...] = 0
    yield "nothing_predicted", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1, 2])
    truth.maps[3:6] = 0
    found.maps[5:7] = 0
    yield "empty_frames", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1, 2, 3])
    truth.maps[:4][truth.maps[:4] == 2] = 0
    found.maps[:6][found.maps[:6] == 2] = 0
    found.maps[found.maps == 3] = 0
    yield "object_appears_late", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1, 2])
    truth.maps[:4][truth.maps[:4] == 2] = 0
    yield "object_predicted_too_early", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1])
    found.ellipse(4, 2, 10, 10, 5, 5)
    yield "stranger_predicted", truth.maps, found.maps

    truth, found = pair(9, 40, 61, [1, 2])
    for frame in range(9):
        truth.void_border(frame, 1)
        truth.void_border(frame, 2)
    yield "void_borders", truth.maps, found.maps

    truth, found = pair(6, 40, 61, [1])
    truth.maps[2] = 1
    found.maps[2:4] = 1
    yield "whole_picture", truth.maps, found.maps

    truth, found = pair(7, 40, 61, [1])
    yield "binary", truth.maps * 255, found.maps * 255


def save(name, maps):
    """Frames one below the other, as a palette picture."""
    frames, height, width = maps.shape
    picture = Image.fromarray(maps.reshape(frames * height, width))
    picture.putpalette([channel for grey in range(256) for channel in (grey, grey, grey)])
    picture.save(ROOT / name, optimize=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--davis", type=Path, required=True)
    davis = davis_functions(parser.parse_args().davis)
    ROOT.mkdir(parents=True, exist_ok=True)
    reference = []
    for name, truth, found in cases():
        save(f"{name}_truth.png", truth)
        save(f"{name}_predicted.png", found)
        binary = name == "binary"
        reference.append(
            {
                "name": name,
                "frames": len(truth),
                "davis": davis_scores(davis, truth, found, binary, ignore_void=False),
                "davis_void_ignored": davis_scores(davis, truth, found, binary, ignore_void=True),
                "vos_benchmark": vos_benchmark_scores(truth, found),
                "sav": sav_scores(truth, found),
            }
        )
    (ROOT / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main()
