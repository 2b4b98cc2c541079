"""What the driver and its subprocesses share: nothing heavy is imported here, so that the driver's
own memory does not show in that of the processes it starts."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "tools" / "reference"
PRECISIONS = ("f32", "bf16")

# Frames of the video, and where measuring starts: from there on a frame attends to 7 memories and
# 16 object pointers.
FULL_BANK = 17
MEASURED_FRAMES = 3
VIDEO_FRAMES = FULL_BANK + MEASURED_FRAMES
MEMORY_FRAMES = 12


def import_reference():
    """tools/reference, the project's way to build the official models."""
    if str(REFERENCE) not in sys.path:
        sys.path.insert(0, str(REFERENCE))
    import reference

    return reference


class Files:
    """What is made once and used by all peers, in the work folder."""

    def __init__(self, work, preset):
        self.folder = Path(work) / preset
        self.checkpoint = self.folder / "checkpoint.pt"
        self.frames = self.folder / "frames.npy"
        self.onnx = self.folder / "image_encoder.onnx"
        self.openvino = self.folder / "image_encoder.xml"
        self.features = self.folder / "features.npz"
