"""How far bf16 is from f32: mask IoU between the two on every frame of a short video, for every preset.

    python bench/precision.py --masklet target/release/masklet --frames FOLDER_OF_JPEGS

Checkpoints are random (tools/reference/make_checkpoint.py) unless --weights names a folder with
<preset>.pt. One object is clicked on the first frame and tracked with each precision. Ends with 1 if
an IoU is below --least.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PRESETS = [f"{family}-{size}" for family in ("sam2", "sam2.1") for size in ("tiny", "small", "base_plus", "large")]


def main():
    arguments = parse_arguments()
    worst = 1.0
    with tempfile.TemporaryDirectory() as folder:
        clip = first_frames(arguments.frames, arguments.count, Path(folder) / "clip")
        for preset in arguments.presets:
            ious = compare(arguments, preset, clip, Path(folder))
            worst = min(worst, *ious)
            print(f"{preset:18}", *(f"{iou:.4f}" for iou in ious), flush=True)
    print(f"least {worst:.4f}, wanted {arguments.least}")
    return int(worst < arguments.least)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masklet", type=Path, required=True, help="the binary")
    parser.add_argument("--frames", type=Path, required=True, help="folder of JPEGs, one a frame")
    parser.add_argument("--count", type=int, default=8, help="frames to track")
    parser.add_argument("--point", default="0.55,0.5", help="the click, as shares of width and height")
    parser.add_argument("--presets", type=lambda text: text.split(","), default=PRESETS)
    parser.add_argument("--weights", type=Path, help="folder with <preset>.pt; what is missing is made there")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--least", type=float, default=0.99)
    return parser.parse_args()


def first_frames(source, count, clip):
    """A folder with the first frames only."""
    clip.mkdir()
    frames = sorted(source.glob("*.jpg"))[:count]
    if len(frames) < count:
        sys.exit(f"{source} has {len(frames)} JPEGs, not {count}")
    for frame in frames:
        shutil.copy(frame, clip)
    return clip


def compare(arguments, preset, clip, folder):
    weights = (arguments.weights or folder) / f"{preset}.pt"
    if not weights.exists():
        make = ROOT / "tools" / "reference" / "make_checkpoint.py"
        subprocess.run([sys.executable, make, "--preset", preset, "-o", weights], check=True, stdout=subprocess.DEVNULL)
    height, width = cv2.imread(str(next(clip.glob("*.jpg")))).shape[:2]
    x, y = (float(share) for share in arguments.point.split(","))
    masks = []
    for precision in ("f32", "bf16"):
        out = folder / f"{preset}-{precision}"
        command = [arguments.masklet, "video", clip, "--weights", weights, "--precision", precision]
        command += ["--point", f"0:{x * width:.0f},{y * height:.0f}", "--threads", str(arguments.threads), "-q", "-o", out]
        subprocess.run(command, check=True)
        files = sorted((out / "masks" / "1").glob("*.png"))
        masks.append([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127 for file in files])
    if not arguments.weights:
        weights.unlink()
    return [iou(a, b) for a, b in zip(*masks, strict=True)]


def iou(a, b):
    union = np.logical_or(a, b).sum()
    return np.logical_and(a, b).sum() / union if union else 1.0


if __name__ == "__main__":
    sys.exit(main())
