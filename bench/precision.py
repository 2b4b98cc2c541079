"""How far bf16 is from f32: mask IoU between the two on every frame of a short video, for every preset.

    python bench/precision.py --masklet target/release/masklet --frames FOLDER_OF_JPEGS

Checkpoints are random (tools/reference/make_checkpoint.py) unless --weights names a folder with
<preset>.pt. One object is clicked on the first frame and tracked with each precision. Ends with 1 if
an IoU is below --least.

--peer adds a line for the official package: its own f32 against its bf16 autocast, on the same
checkpoint, frames and click. On a processor without bf16 products masklet rounds weights only; with
MASKLET_CPU=bf16-emulated in the environment it rounds as processors that have them do.
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
PRECISIONS = ("f32", "bf16")
PRESETS = [f"{family}-{size}" for family in ("sam2", "sam2.1") for size in ("tiny", "small", "base_plus", "large")]


def main():
    arguments = parse_arguments()
    worst = 1.0
    with tempfile.TemporaryDirectory() as folder:
        clip = first_frames(arguments.frames, arguments.count, Path(folder) / "clip")
        for preset in arguments.presets:
            ious = compare(arguments, preset, clip, Path(folder))
            worst = min(worst, *ious)
            show(preset, ious)
            if arguments.peer:
                show("  PyTorch autocast", compare_peer(arguments, preset, clip, Path(folder)))
            if not arguments.weights:
                checkpoint(arguments, preset, Path(folder)).unlink()
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
    parser.add_argument("--least", type=float, default=0.99, help="what masklet has to reach")
    parser.add_argument("--peer", action="store_true", help="the official package as well (needs what tools/reference needs)")
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


def show(name, ious):
    print(f"{name:18}", *(f"{iou:.4f}" for iou in ious), flush=True)


def checkpoint(arguments, preset, folder):
    """The preset's checkpoint, made if it is missing."""
    weights = (arguments.weights or folder) / f"{preset}.pt"
    if not weights.exists():
        make = ROOT / "tools" / "reference" / "make_checkpoint.py"
        subprocess.run([sys.executable, make, "--preset", preset, "-o", weights], check=True, stdout=subprocess.DEVNULL)
    return weights


def click(arguments, clip):
    """The clicked pixel, the same for everybody."""
    height, width = cv2.imread(str(next(clip.glob("*.jpg")))).shape[:2]
    x, y = (float(share) for share in arguments.point.split(","))
    return round(x * width), round(y * height)


def compare(arguments, preset, clip, folder):
    """The IoU of masklet's masks in bf16 and f32, frame by frame."""
    weights = checkpoint(arguments, preset, folder)
    x, y = click(arguments, clip)
    masks = []
    for precision in PRECISIONS:
        out = folder / f"{preset}-{precision}"
        command = [arguments.masklet, "video", clip, "--weights", weights, "--precision", precision]
        command += ["--point", f"0:{x},{y}", "--threads", str(arguments.threads), "-q", "-o", out]
        subprocess.run(command, check=True)
        files = sorted((out / "masks" / "1").glob("*.png"))
        masks.append([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127 for file in files])
    return [iou(a, b) for a, b in zip(*masks, strict=True)]


def compare_peer(arguments, preset, clip, folder):
    """The same of the official package, whose bf16 is PyTorch's autocast."""
    sys.path.insert(0, str(ROOT / "tools" / "reference"))
    import reference
    import torch

    torch.set_num_threads(arguments.threads)
    model = reference.build(reference.official_config(*preset.split("-")))
    weights = torch.load(checkpoint(arguments, preset, folder), weights_only=True)
    model.load_state_dict(weights["model"])
    frames = [cv2.imread(str(file))[:, :, ::-1] for file in sorted(clip.glob("*.jpg"))]
    masks = []
    for precision in PRECISIONS:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            state = reference.init_state(model, frames)
            model.add_new_points_or_box(state, 0, 1, points=[click(arguments, clip)], labels=[1])
            tracked = model.propagate_in_video(state)
            masks.append([(logits[0, 0] > 0).numpy() for _, _, logits in tracked])
    return [iou(a, b) for a, b in zip(*masks, strict=True)]


def iou(a, b):
    union = np.logical_or(a, b).sum()
    return np.logical_and(a, b).sum() / union if union else 1.0


if __name__ == "__main__":
    sys.exit(main())
