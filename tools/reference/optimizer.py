"""Prints what the official optimizer does, for crates/train/src/optimizer/tests.rs: AdamW's steps,
the clipped norm, the cosine, the layer ids of the trunk, and which parameters are norms.

Run by hand; takes a few seconds.
"""

import math

import torch
from torch import nn

import reference


def adamw():
    """Four steps of two parameters in two groups, as float32 literals."""
    first = nn.Parameter(torch.tensor([[0.5, -1.25, 2.0], [0.0, 3.5, -0.125]]))
    second = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = torch.optim.AdamW(
        [
            {"params": [first], "lr": 0.01, "weight_decay": 0.1},
            {"params": [second], "lr": 0.002, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.999),
    )
    for step in range(4):
        factor = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / 4))
        optimizer.param_groups[0]["lr"] = 0.01 * factor
        optimizer.param_groups[1]["lr"] = 0.002 * factor
        # Gradients that anybody can write down: they change sign, size and order.
        first.grad = torch.tensor([[0.3, -0.2, 0.0], [1e-4, 5.0, -0.7]]) * (1 - 0.75 * step)
        second.grad = torch.tensor([-0.05, 0.4]) * (step + 1)
        norm = nn.utils.clip_grad_norm_([first, second], 0.1)
        optimizer.step()
        print(f"step {step}: norm {norm.item():.9g}, factor {factor:.9g}")
        print(f"  first  {first.flatten().tolist()}")
        print(f"  second {second.tolist()}")


def layers(size):
    model = reference.build(reference.official_config("sam2.1", size))
    trunk = model.image_encoder.trunk
    names = [name for name, _ in model.named_parameters() if name.startswith("image_encoder.trunk")]
    depth = trunk.get_num_layers() + 1
    scales = {}
    for name in names:
        scale = 1.0 if "pos_embed" in name else 0.9 ** (depth - trunk.get_layer_id(name))
        scales.setdefault(round(scale, 12), []).append(name)
    print(f"{size}: {depth} layers; scale: parameters, the first of them")
    for scale, of_scale in sorted(scales.items()):
        print(f"  {scale}: {len(of_scale)}, {of_scale[0]}")
    norms, exempt = [], 0
    for module_name, module in model.named_modules():
        if "Norm" in type(module).__name__:
            norms.append(f"{module_name}.weight")
    for name, parameter in model.named_parameters():
        flat = parameter.ndim == 1 and name.endswith("weight")
        assert flat == (name in norms), name
        exempt += flat or "bias" in name
    trained = sum(parameter.numel() for parameter in model.parameters())
    buffers = [name for name in model.state_dict() if name not in dict(model.named_parameters())]
    print(f"  {len(norms)} norms; {exempt} without weight decay of {len(list(model.parameters()))}")
    print(f"  {trained} numbers are trained; buffers in checkpoints: {buffers}")


if __name__ == "__main__":
    adamw()
    layers("tiny")
    layers("base_plus")
