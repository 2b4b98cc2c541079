"""Makes what the peers run on: the checkpoint, the frames, the converted image encoder and the
features that every conversion is compared with.

    python prepare.py STEP --work DIR --preset NAME --threads N [--data DIR]
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import common

STEPS = ("checkpoint", "frames", "features", "onnx", "openvino")
SEQUENCE = "davis2016-val/JPEGImages/480p/dog"


def make_checkpoint(files, arguments):
    """A random checkpoint in the official layout, by tools/reference."""
    subprocess.run(
        [sys.executable, common.REFERENCE / "make_checkpoint.py", "--preset", arguments.preset,
         "--threads", str(arguments.threads), "-o", files.checkpoint],
        check=True,
    )


def make_frames(files, arguments):
    """The first frames of a DAVIS sequence, [frame, height, width, 3] in 8 bits."""
    import numpy as np
    from PIL import Image

    paths = sorted((arguments.data / SEQUENCE).glob("*.jpg"))[: common.VIDEO_FRAMES]
    if len(paths) < common.VIDEO_FRAMES:
        raise SystemExit(f"{common.VIDEO_FRAMES} frames are needed in {SEQUENCE} of the data folder")
    np.save(files.frames, np.stack([np.array(Image.open(path).convert("RGB")) for path in paths]))


def make_features(files, _arguments):
    """What PyTorch f32 computes for the first frame."""
    import numpy as np

    import encoders

    run, image = encoders.pytorch(files, "f32"), encoders.image(files)
    np.savez(files.features, *run(image))


def make_onnx(files, _arguments):
    import torch

    import encoders

    module = encoders.load_module(files)
    torch.onnx.export(
        module, (torch.from_numpy(encoders.image(files)),), files.onnx,
        input_names=["image"], output_names=encoders.OUTPUTS, dynamo=True, external_data=False,
    )


def make_openvino(files, _arguments):
    """From PyTorch without a detour: attention then stays one operation."""
    import openvino
    import torch

    import encoders

    module = encoders.load_module(files)
    with torch.no_grad():
        model = openvino.convert_model(module, example_input=torch.from_numpy(encoders.image(files)))
    model.reshape(list(encoders.image(files).shape))
    openvino.save_model(model, files.openvino, compress_to_fp16=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    files = common.Files(arguments.work, arguments.preset)
    os.makedirs(files.folder, exist_ok=True)
    globals()[f"make_{arguments.step}"](files, arguments)


if __name__ == "__main__":
    main()
