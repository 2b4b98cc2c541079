"""Random weights under which nothing in the network can hide.

The official initial values leave whole terms at zero or one (position embeddings, layer scales,
norm weights, no-memory embeddings), and a network with such weights gives nearly constant masks.
`randomise` gives every parameter and buffer a value with noise in it; `calibrate` then scales the
last layers of the heads so that masks, IoU predictions and occlusion scores vary as those of a
trained network do: both signs, spatial structure, a changing best mask.
"""

import math

import torch
from torch import nn

NORMS = ("LayerNorm", "LayerNorm2d")
OCCLUSION_BIAS = "sam_mask_decoder.pred_obj_score_head.layers.2.bias"

# Standard deviation of parameters that belong to no standard layer.
LOOSE = {
    "pos_embed": 0.5,
    "pos_embed_window": 0.5,
    "maskmem_tpos_enc": 0.5,
    "no_mem_embed": 0.5,
    "no_mem_pos_enc": 0.5,
    "no_obj_ptr": 1.0,
    "no_obj_embed_spatial": 0.7,
    "positional_encoding_gaussian_matrix": 0.8,
}


# What is scaled up after that, by the end of its name.
GAINS = {
    "q_proj.weight": 1.5,
    "cross_attn_image.q_proj.weight": 2.0,
    "cross_attn_image.out_proj.weight": 1.3,
    "obj_ptr_proj.layers.2.weight": 4.0,
}


def noise(shape, generator):
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def fresh_value(module, name, tensor, generator):
    """A noisy value for one parameter or buffer, in the scale that keeps activations near one."""
    n = noise(tensor.shape, generator)
    kind = type(module).__name__
    if kind in NORMS:
        return 1.0 + 0.2 * n if name == "weight" else 0.2 * n
    if name == "bias":
        return 0.2 * n
    if isinstance(module, nn.ConvTranspose2d):
        # The taps of one kernel are alike: masks are then areas and not checkerboards.
        common = noise((*tensor.shape[:2], 1, 1), generator)
        return (0.95 * common + 0.3 * n) / math.sqrt(module.in_channels)
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        return n / math.sqrt(tensor[0].numel())
    if isinstance(module, nn.Embedding):
        return n
    if name == "gamma":
        return 0.5 + 0.2 * n
    return LOOSE[name] * n


@torch.no_grad()
def randomise(model, seed, gains=None):
    """Gives every parameter and buffer a new value, module by module; `gains` overrides `GAINS`."""
    generator = torch.Generator().manual_seed(seed)
    seen = 0
    for module in model.modules():
        for name, tensor in [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]:
            tensor.copy_(fresh_value(module, name, tensor, generator))
            seen += 1
    assert seen == len(model.state_dict())
    # Sharper attention, so that it is not an average over everything, and memories that count.
    for name, tensor in model.named_parameters():
        for end, gain in (GAINS | (gains or {})).items():
            if name.endswith(end):
                tensor.mul_(gain)


@torch.no_grad()
def round_to_half(model):
    """Rounds every value to one that float16 holds exactly."""
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.copy_(tensor.half().float())


class HeadProbe:
    """Collects what the heads of the mask decoder put out while it is open."""

    def __init__(self, model):
        decoder = model.sam_mask_decoder
        self.hyper = [[] for _ in decoder.output_hypernetworks_mlps]
        self.upscaled, self.iou, self.score = [], [], []
        into = lambda to: lambda _m, _i, out: to.append(out.detach().clone())
        self.handles = [
            mlp.register_forward_hook(into(to))
            for mlp, to in zip(decoder.output_hypernetworks_mlps, self.hyper)
        ]
        for module, to in [
            (decoder.output_upscaling[4], self.upscaled),
            (decoder.iou_prediction_head.layers[-1], self.iou),
            (decoder.pred_obj_score_head, self.score),
        ]:
            self.handles.append(module.register_forward_hook(into(to)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def calibrate_neck(model, image):
    """Scales the neck so that each of its levels has standard deviation one on `image`."""
    neck = model.image_encoder.neck
    stages = model.image_encoder.trunk(image)
    for conv, stage in zip(neck.convs, reversed(stages)):
        scale(conv.conv, 1.0 / conv(stage).std().item())
    # The embedding is the sum of the two coarsest levels.
    embedding = neck(stages)[0][2].std().item()
    for conv in list(neck.convs)[:2]:
        scale(conv.conv, 1.0 / embedding)


@torch.no_grad()
def scale(layer, factor):
    layer.weight.mul_(factor)
    layer.bias.mul_(factor)


@torch.no_grad()
def calibrate_heads(model, probe, logit_std=5.0, logit_mean=-2.0):
    """Rescales the last layers of the heads from what `probe` saw; leaves the mean score at 0."""
    decoder = model.sam_mask_decoder
    upscaled = torch.cat([u.flatten(2).transpose(1, 2).flatten(0, 1) for u in probe.upscaled])
    direction = upscaled.mean(0)
    for index, (mlp, hyper) in enumerate(zip(decoder.output_hypernetworks_mlps, probe.hyper)):
        h = torch.cat(hyper)
        logits = h @ upscaled[::7].T
        factor = logit_std / logits.std().item()
        last = mlp.layers[-1]
        scale(last, factor)
        shift = logit_mean - 0.5 * index - factor * logits.mean().item()
        last.bias.add_(shift * direction / direction.square().sum())
    iou = torch.cat(probe.iou)
    last = decoder.iou_prediction_head.layers[-1]
    factor = 1.0 / iou.std(0).clamp_min(1e-4)
    last.weight.mul_(factor[:, None])
    last.bias.sub_(iou.mean(0)).mul_(factor).add_(
        torch.tensor([0.8, 0.35, 0.6, 0.1])[: len(factor)]
    )
    score = torch.cat(probe.score)
    last = decoder.pred_obj_score_head.layers[-1]
    factor = 2.0 / max(score.std().item(), 1e-4)
    last.weight.mul_(factor)
    last.bias.sub_(score.mean()).mul_(factor)


def calibrate(model, image, run, rounds=2):
    """`run(model)` plays a few predictions; the heads are scaled to what they put out in them."""
    calibrate_neck(model, image)
    for _ in range(rounds):
        with torch.no_grad(), HeadProbe(model) as probe:
            run(model)
        calibrate_heads(model, probe)
