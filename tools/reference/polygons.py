"""Writes crates/data/tests/fixtures/polygons.json: polygons and what pycocotools makes of them."""

import json
import random
from pathlib import Path

from pycocotools import mask as coco_mask

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "crates/data/tests/fixtures/polygons.json"


def polygons(random):
    """Hand-made corner cases first, then random ones of several kinds."""
    yield 10, 12, [[1, 1, 8, 1, 8, 6, 1, 6]]
    yield 10, 12, [[1.5, 1.5, 8.5, 1.5, 8.5, 6.5, 1.5, 6.5]]
    yield 10, 12, [[0, 0, 12, 0, 12, 10, 0, 10]]
    yield 10, 12, [[-5, -5, 20, -5, 20, 20, -5, 20]]
    yield 10, 12, [[2, 2, 9, 8, 9, 2, 2, 8]]
    yield 10, 12, [[1, 1, 6, 1, 6, 6, 1, 6], [4, 4, 10, 4, 10, 9, 4, 9]]
    yield 10, 12, [[3, 3, 3, 3, 3, 3]]
    yield 10, 12, [[3, 1, 3, 8, 3, 4]]
    yield 10, 12, [[1, 4, 11, 4, 6, 4]]
    yield 10, 12, [[1, 1, 1, 1, 8, 1, 8, 6, 8, 6, 1, 6]]
    yield 1, 1, [[0, 0, 1, 0, 1, 1, 0, 1]]
    yield 10, 12, [[0.4, 0.4, 0.6, 0.4, 0.6, 0.6]]
    yield 10, 12, [[20, 20, 30, 20, 30, 30]]
    for case in range(60):
        height, width = random.randint(1, 60), random.randint(1, 60)
        parts = []
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            corners = random.randint(3, 14)
            reach = random.choice([0, 0, 4])
            digits = random.choice([0, 1, 2, 4])
            part = []
            for _ in range(corners):
                part.append(round(random.uniform(-reach, width + reach), digits))
                part.append(round(random.uniform(-reach, height + reach), digits))
            parts.append(part)
        yield height, width, parts


def main():
    cases = []
    for height, width, parts in polygons(random.Random(5)):
        rle = coco_mask.merge(coco_mask.frPyObjects(parts, height, width))
        rle["counts"] = rle["counts"].decode()
        cases.append({"polygons": parts, "rle": rle, "area": int(coco_mask.area(rle))})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
