"""Writes `fixtures/efficientnet_lite/`: what the package computes with a narrow trunk.

    python tools/lite/make_fixture.py

The layers are EfficientNet-Lite0's with a quarter of its channels and random values, those of the batch
norms included, so that every term shows. The package computes in float64.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.torch import save_file

import trunk

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDER = FIXTURES / "efficientnet_lite"
SIDE = 64


@torch.no_grad()
def randomise(model):
    """Norms that are no identities, and weights that keep the size of what goes through."""
    generator = torch.Generator().manual_seed(3)

    def uniform(tensor, low, high):
        tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            uniform(module.weight, 0.7, 1.6)
            uniform(module.bias, -0.3, 1.0)
            uniform(module.running_mean, -0.3, 0.3)
            uniform(module.running_var, 0.5, 1.5)
        elif isinstance(module, torch.nn.Conv2d):
            spread = (2 / module.weight[0].numel()) ** 0.5
            module.weight.copy_(spread * torch.randn(module.weight.shape, generator=generator, dtype=module.weight.dtype))


def main():
    torch.set_num_threads(1)
    model = EfficientNet.from_name(
        "efficientnet-lite0", width_coefficient=0.25, depth_divisor=4, image_size=SIDE
    ).double().eval()
    randomise(model)
    picture = Image.open(FIXTURES / "pictures/input.png").convert("RGB").crop((0, 0, SIDE, SIDE))
    pixels = torch.from_numpy(np.array(picture)).double().permute(2, 0, 1)[None] / 255
    pixels = (pixels - trunk.OUR_MEAN[:, None, None]) / trunk.OUR_STD[:, None, None]
    maps = trunk.features(model, pixels)
    FOLDER.mkdir(exist_ok=True)
    described = trunk.config(model)
    (FOLDER / "config.json").write_text(json.dumps(described, indent=1) + "\n")
    parameters = {name: value.float() for name, value in trunk.tensors(model).items()}
    save_file(parameters, FOLDER / "trunk.safetensors")
    names = [f"stride_{stride}" for stride in (4, 8, 16, 32)]
    # Height, width, channels.
    features = {n: m[0].permute(1, 2, 0).float().contiguous() for n, m in zip(names, maps, strict=True)}
    save_file(features, FOLDER / "features.safetensors")
    for name, map in features.items():
        print(name, list(map.shape), f"largest {map.abs().max():.3g}, spread {map.std():.3g}", file=sys.stderr)


if __name__ == "__main__":
    main()
