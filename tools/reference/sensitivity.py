"""Which parameters does no stored output depend on?"""

import json

import numpy as np
import torch

import components
import images
import micro
import pictures
from perturb import OCCLUSION_BIAS, noise
from scripts import SCRIPTS
from video import Replay



def is_without_effect_by_design(name):
    """`no_mem_pos_enc` is in every official checkpoint and in no computation. The bias of the keys
    adds the same to all scores of a query, which the softmax takes out again, unless the keys are
    rotated in between."""
    return name == "no_mem_pos_enc" or (
        name.startswith("sam_mask_decoder") and name.endswith("k_proj.bias")
    )


def stages(model, biases, frames, root):
    """Functions that give outputs, cheap ones first, and the change that counts as one (rounding
    errors grow from frame to frame)."""
    yield lambda: {n: t.numpy() for n, t in components.collect(model, biases, root).items()}, 1e-3
    yield lambda: images.collect(model, root), 1e-3
    for name in ("present", "varying"):
        def play(name=name):
            micro.set_occlusion_bias(model, biases[name])
            outputs = Replay(model, SCRIPTS[name], frames, root).outputs
            micro.set_occlusion_bias(model, biases["present"])
            return {n: v for n, v in outputs.items() if not n.endswith("mask")}
        yield play, 5e-2


def moved(before, after, by):
    # The keys of memory attention are rounded to bfloat16: one rounding the other way is no effect.
    names = before.keys() - {"memory_attention/memory"}
    return any(np.abs(before[name] - after[name]).max() > by for name in names)


def check(root):
    frames = [pictures.video_frame(i)[0] for i in range(pictures.VIDEO_FRAMES)]
    for family in ("sam2", "sam2.1"):
        model = micro.make(family)
        biases = micro.occlusion_biases(model, family)
        steps = list(stages(model, biases, frames, root))
        before = [step() for step, _ in steps]
        generator = torch.Generator().manual_seed(0)
        without = []
        for name, tensor in model.state_dict().items():
            if name == OCCLUSION_BIAS:
                continue  # `biases` sets it; the two sets of videos are its test
            kept = tensor.clone()
            tensor.copy_(kept + 0.1 * noise(kept.shape, generator))
            if not any(moved(b, step(), by) for b, (step, by) in zip(before, steps)):
                without.append(name)
            tensor.copy_(kept)
        print(json.dumps({"family": family, "parameters": len(model.state_dict()),
                          "without effect": without}), flush=True)
        unexplained = [name for name in without if not is_without_effect_by_design(name)]
        assert not unexplained, f"no fixture depends on {unexplained}"
