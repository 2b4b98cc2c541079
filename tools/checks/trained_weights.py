"""Trains sam2.1-tiny for a few steps and gives the file it writes to the official package.

    python tools/checks/trained_weights.py --masklet target/release/masklet

The official package must accept every name and shape, and segment a picture as masklet does with the
same file: logits within 1e-3 of their range. Ends with 1 if not.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
import clip  # noqa: E402
import pictures  # noqa: E402
import reference  # noqa: E402

SIZE, CLICK, LIMIT = 256, (90, 60), 1e-3
CONFIG = f"""
steps = 3
checkpoint_encoder = true
[model]
preset = "sam2.1-tiny"
image_size = {SIZE}
[data.sample]
frames = 3
[optimizer]
learning_rate = 1e-4
trunk_learning_rate = 1e-4
ema = 0.5
[validation]
every = 0
[monitor]
samples_every = 0
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masklet", type=Path, required=True, help="the binary")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        weights = train(arguments.masklet, folder)
        picture = folder / "picture.png"
        Image.fromarray(pictures.still(0)[0]).save(picture)
        expected = official_logits(weights, picture)
        found = masklet_logits(arguments.masklet, weights, picture, folder)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"the official package takes every tensor; its logits differ by {difference:.1e} of their range")
    return int(not difference <= LIMIT)


def train(masklet, folder):
    clip.write(folder / "data", frames=6, objects=2)
    (folder / "config.toml").write_text(CONFIG)
    run(masklet, "train", folder / "config.toml", "--data", folder / "data", "-o", folder / "run", "--quiet")
    return folder / "run" / "last.safetensors"


def official_logits(weights, picture):
    """Logits [masks, grid, grid] of a click."""
    model = reference.build(reference.official_config("sam2.1", "tiny"), reference.input_size(SIZE))
    model.load_state_dict(load_file(weights), strict=True)
    predictor = reference.image_predictor(model)
    predictor.set_image(np.array(Image.open(picture)))
    _, _, logits = predictor.predict(np.array([CLICK]), np.array([1]), multimask_output=True)
    return logits


def masklet_logits(masklet, weights, picture, folder):
    logits = folder / "logits.safetensors"
    point = ",".join(map(str, CLICK))
    run(masklet, "image", picture, "--point", point, "--weights", weights, "--quiet", "--precision", "f32",
        "--logits", logits, "-o", folder / "masks")  # fmt: skip
    # The official predictor limits what it returns.
    return load_arrays(logits)["low_res_logits"].clip(-32.0, 32.0)


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    sys.exit(main())
