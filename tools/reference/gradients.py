"""The fixtures of training: losses and gradients that the official training code computes for the
micro model with fixed prompts. `python tools/reference/gradients.py`, after `make_fixtures.py`.

In float64: in float32, PyTorch's own gradients of the first block are up to 3e-3 off (a random network
is sensitive there), which is more than what masklet is allowed. Dropout is off: its random numbers are
torch's. Gradients are stored in float16, each tensor divided
by its largest absolute value, which is in the JSON file (relative error of a tensor: 2e-4).
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import micro
import pictures
import reference
from perturb import OCCLUSION_BIAS

ROOT = Path(__file__).resolve().parents[2] / "fixtures"
SIZE = 256
# Frames of the video, out of order: in the second the red object is hidden, in the last the blue one
# has left.
FRAMES = [0, 9, 4, 13]
WEIGHTS = {"loss_mask": 20, "loss_dice": 1, "loss_iou": 1, "loss_class": 1}
# For each initial frame its prompt: a mask, or points [x, y, label] of each object (labels 2 and 3
# are the corners of a box). `corrections` are clicks on both objects, one after the other.
SCENARIOS = {
    "mask": {"prompts": {0: "mask"}, "corrections": {}},
    "clicks": {
        "prompts": {
            0: [[[40, 100, 1]], [[185, 60, 1]]],
            2: [[[40, 70, 2], [120, 160, 3]], [[130, 70, 2], [210, 170, 3]]],
        },
        "corrections": {
            0: [[[60, 118, 1], [200, 88, 0]], [[90, 40, 0], [170, 30, 1]]],
            3: [[[190, 90, 1], [30, 200, 0]], [[20, 20, 0], [128, 128, 1]]],
        },
    },
}

# Fixtures are large; SAM 2 differs in the memory only.
KEPT = {"sam2": ["clicks"], "sam2.1": ["mask", "clicks"]}


def use_float64():
    """The official code names float32 in many places."""
    import sam2.modeling.position_encoding as positions

    torch.set_default_dtype(torch.float64)
    torch.float, torch.Tensor.float = torch.float64, torch.Tensor.double
    encode = positions.PositionEmbeddingRandom._pe_encoding
    positions.PositionEmbeddingRandom._pe_encoding = lambda self, c: encode(self, c.double())
    forward = positions.PositionEmbeddingSine.forward
    positions.PositionEmbeddingSine.forward = lambda self, x: forward(self, x).double()


def in_float64(model):
    """Parameters, buffers, and tensors that are neither."""
    for module in model.double().modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(module, name, value.double())
        getattr(module, "cache", {}).clear()
    return model


def build(family):
    overrides = micro.OVERRIDES + [
        "++model.num_frames_to_correct_for_train=2",
        "++model.num_init_cond_frames_for_train=2",
        "++model.add_all_frames_to_correct_as_cond=True",
    ]
    model = reference.build_training(reference.official_config(family), overrides)
    state = torch.load(ROOT / family / "model.pt", weights_only=True)["model"]
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    varying = load_file(ROOT / family / "video_varying.safetensors")
    override = varying[f"override/{OCCLUSION_BIAS}"]
    with torch.no_grad():
        model.get_parameter(OCCLUSION_BIAS).copy_(torch.from_numpy(override))
    return model, override


def masks_of(index):
    _, red, blue = pictures.video_frame(index)
    resize = lambda mask: torch.nn.functional.interpolate(
        torch.from_numpy(mask)[None, None].float(), (SIZE, SIZE), mode="nearest"
    )[0, 0]
    return torch.stack([resize(red), resize(blue)])


def prompt(points):
    """Points [x, y, label] of each object as the official code passes them."""
    points = torch.tensor(points, dtype=torch.float)
    return {"point_coords": points[..., :2], "point_labels": points[..., 2].int()}


def run(model, scenario):
    import training.model.sam2 as module
    from training.loss_fns import MultiStepMultiMasksAndIous

    frames = [reference.frame_tensor(pictures.video_frame(i)[0], SIZE) for i in FRAMES]
    pixels = torch.stack(frames).double()
    masks = torch.stack([masks_of(i) for i in FRAMES]).bool()
    objects = masks.shape[1]
    clip = SimpleNamespace(
        masks=masks,
        num_frames=len(FRAMES),
        flat_img_batch=pixels,
        flat_obj_to_img_idx=torch.arange(len(FRAMES))[:, None].expand(-1, objects),
    )
    initial = sorted(scenario["prompts"])
    corrected = sorted(scenario["corrections"])

    def prompts(backbone_out, clip, start_frame_idx=0):
        truth = {t: m.unsqueeze(1) for t, m in enumerate(clip.masks)}
        given = scenario["prompts"]
        return {
            **backbone_out,
            "gt_masks_per_frame": truth,
            "num_frames": clip.num_frames,
            "use_pt_input": given[0] != "mask",
            "init_cond_frames": initial,
            "frames_not_in_init_cond": [t for t in range(clip.num_frames) if t not in initial],
            "mask_inputs_per_frame": {t: truth[t] for t in initial if given[t] == "mask"},
            "point_inputs_per_frame": {t: prompt(given[t]) for t in initial if given[t] != "mask"},
            "frames_to_add_correction_pt": corrected,
        }

    order = initial + [t for t in range(clip.num_frames) if t not in initial]
    queue = [clicks for t in order for clicks in scenario["corrections"].get(t, [])]

    def next_click(gt_masks, pred_masks, method):
        points = torch.tensor(queue.pop(0), dtype=torch.float)
        return points[:, None, :2], points[:, None, 2].int()

    model.prepare_prompt_inputs = prompts
    module.get_next_point = next_click
    model.num_correction_pt_per_frame = 2
    model.zero_grad()
    outputs = model(clip)
    assert not queue
    criterion = MultiStepMultiMasksAndIous(
        WEIGHTS,
        supervise_all_iou=True,
        iou_use_l1_loss=True,
        pred_obj_scores=True,
    )
    losses = criterion(outputs, clip.masks.float())
    losses["core_loss"].backward()
    return clip, outputs, {name: value.item() for name, value in losses.items()}


def pack(masks):
    return np.packbits(masks.numpy().reshape(-1))


def main():
    reference.set_deterministic()
    built = {family: build(family) for family in reference.FAMILIES}
    use_float64()
    for family, (model, override) in built.items():
        in_float64(model)
        tensors = {f"override/{OCCLUSION_BIAS}": override}
        description = {"frames": FRAMES, "scenarios": {}}
        for name, scenario in SCENARIOS.items():
            if name not in KEPT[family]:
                continue
            clip, outputs, losses = run(model, scenario)
            tensors["truth"] = pack(clip.masks)
            scales, without = {}, []
            for parameter, tensor in model.named_parameters():
                gradient = tensor.grad
                if gradient is None or not gradient.any():
                    without.append(parameter)
                    continue
                scales[parameter] = float(gradient.abs().max())
                tensors[f"{name}/{parameter}"] = (gradient / gradient.abs().max()).half().numpy()
            scores = [
                [[round(float(s), 4) for s in step.flatten()] for step in out["multistep_object_score_logits"]]
                for out in outputs
            ]
            description["scenarios"][name] = {
                **scenario,
                "losses": losses,
                "object_scores": scores,
                "scales": scales,
                "without_gradient": without,
            }
            print(family, name, losses, scores, len(scales), len(without))
        save_file(tensors, ROOT / family / "gradients.safetensors")
        (ROOT / family / "gradients.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    main()
