"""A data set of one made-up clip in DAVIS's layout, for checks and benchmarks to train on.

    python tools/reference/clip.py FOLDER --frames 6 --objects 2
"""

import argparse
from pathlib import Path

import numpy as np
import pictures
from PIL import Image

PALETTE = [0, 0, 0, 200, 0, 0, 0, 0, 200]


def write(root, frames, objects):
    """Writes the first frames of the moving picture, with the masks of one or both of its objects."""
    for folder in ("JPEGImages/clip", "Annotations/clip"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        picture, *masks = pictures.video_frame(index)
        Image.fromarray(picture).save(root / f"JPEGImages/clip/{index:05}.jpg", quality=95)
        labels = np.zeros(picture.shape[:2], np.uint8)
        for label, mask in enumerate(masks[:objects], 1):
            labels[mask] = label
        annotation = Image.fromarray(labels, "P")
        annotation.putpalette(PALETTE)
        annotation.save(root / f"Annotations/clip/{index:05}.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=6, choices=range(1, pictures.VIDEO_FRAMES + 1), metavar="N")
    parser.add_argument("--objects", type=int, default=2, choices=(1, 2))
    arguments = parser.parse_args()
    write(arguments.folder, arguments.frames, arguments.objects)


if __name__ == "__main__":
    main()
