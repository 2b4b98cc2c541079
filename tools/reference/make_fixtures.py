"""Makes everything in `fixtures/` (but what other scripts of this folder own) from the official
package: `python tools/reference/make_fixtures.py`. See fixtures/README.md for what is in it."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

import components
import images
import micro
import pictures
import reference
from perturb import OCCLUSION_BIAS
from scripts import DEFAULTS, SCRIPTS
from video import Margins, Replay

ROOT = Path(__file__).resolve().parents[2] / "fixtures"


def write_inputs(root):
    """The pictures: video frames, object masks, stills, and the input of the component tests."""
    for folder in ("frames", "masks", "pictures"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True)
    save = lambda array, path: Image.fromarray(array).save(root / path, optimize=True)
    frames = []
    for index in range(pictures.VIDEO_FRAMES):
        frame, red, blue = pictures.video_frame(index)
        frames.append(frame)
        save(frame, f"frames/{index:05}.png")
        for name, mask in (("red", red), ("blue", blue)):
            if f"masks/{name}_{index:02}.png" in masks_used():
                save(mask.astype(np.uint8) * 255, f"masks/{name}_{index:02}.png")
    for which in (0, 1):
        save(pictures.still(which)[0], f"pictures/{which}.png")
    size = (256, 256)
    save(np.array(Image.fromarray(frames[0]).resize(size)), "pictures/input.png")
    red = Image.fromarray(pictures.video_frame(0)[1].astype(np.uint8) * 255)
    save(np.array(red.resize(size, Image.NEAREST)), "pictures/input_mask.png")
    return frames


def masks_used():
    return {
        action["mask"]
        for script in SCRIPTS.values()
        for action in script["actions"]
        if action["action"] == "add_mask"
    }


def write_model(model, family, root):
    """Configuration and checkpoint, the latter in float16 without loss."""
    (root / "config.json").write_text(json.dumps(micro.config(family), indent=2) + "\n")
    halves = {name: tensor.half() for name, tensor in model.state_dict().items()}
    assert all(torch.equal(halves[n].float(), t) for n, t in model.state_dict().items())
    torch.save({"model": halves}, root / "model.pt")


def change_under_noise(kept, disturbed):
    """How much outputs move when the input moves by 3e-6: the floor below which nobody can match."""
    logits, overlap = 0.0, 1.0
    for name, value in kept.items():
        other = disturbed[name]
        if "low_res_logits" in name:
            logits = max(logits, float(np.abs(value - other).max() / max(np.abs(value).max(), 1e-9)))
        elif name.endswith("mask"):
            a, b = np.unpackbits(value) > 0, np.unpackbits(other) > 0
            if (a | b).any():
                overlap = min(overlap, float((a & b).sum() / (a | b).sum()))
    return {"largest_relative_logit_change": logits, "smallest_mask_iou": overlap}


def write_video(name, script, model, biases, frames, root):
    shown = micro.set_occlusion_bias(model, biases[script["occlusion"]])
    if script["options"]["fill_hole_area"]:
        import sam2.utils.misc as misc

        misc.get_connected_components = reference.eight_connected_components
    with Margins(model) as margins:
        replay = Replay(model, script, frames, ROOT)
    disturbed = Replay(model, script, frames, ROOT, disturbance=3e-6)
    if script["options"] != DEFAULTS:
        plain = Replay(model, script | {"options": DEFAULTS}, frames, ROOT)
        effect = change_under_noise(replay.outputs, plain.outputs)
        assert effect["smallest_mask_iou"] < 0.999, f"the option changes too little: {effect}"
    outputs = dict(replay.outputs)
    if script["occlusion"] == "varying":
        outputs[f"override/{OCCLUSION_BIAS}"] = np.array([shown], np.float32)
    save_file(outputs, root / f"video_{name}.safetensors")
    report = margins.summary() | {"noise": change_under_noise(replay.outputs, disturbed.outputs)}
    areas = [np.unpackbits(v).mean() for n, v in replay.outputs.items() if n.endswith("mask")]
    report["mask_area_range"] = [float(min(areas)), float(max(areas))]
    text = script | {
        "video_size": list(pictures.VIDEO_SIZE),
        "outputs": replay.log,
        "margins": report,
    }
    (root / f"video_{name}.json").write_text(dump(text))
    print(f"  {name:25}", json.dumps(rounded(report)), flush=True)
    if script["occlusion"] == "present":
        assert min(s for s in margins.scores) > 0, "an object is missing where it should not be"
    else:
        assert min(margins.scores) < 0 < max(margins.scores)
        assert report["object_score_closest_to_zero"] > 0.05
    assert max(areas) > 0.02 and min(areas) < 0.98, "masks are empty or full"


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value


def dump(script):
    """JSON with one action and one output list to a line."""
    lines = []
    for key, value in script.items():
        if key in ("actions", "outputs"):
            rows = ",\n    ".join(json.dumps(row) for row in value)
            lines.append(f'  "{key}": [\n    {rows}\n  ]')
        else:
            lines.append(f'  "{key}": {json.dumps(rounded(value))}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def make_family(family, frames):
    root = ROOT / family
    root.mkdir(exist_ok=True)
    model = micro.make(family)
    biases = micro.occlusion_biases(model, family)
    print(f"{family}: occlusion bias {biases}", flush=True)
    write_model(model, family, root)
    components.write(model, root, biases, ROOT)
    images.write(model, root, ROOT)
    for name, script in SCRIPTS.items():
        write_video(name, script, model, biases, frames, root)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check-sensitivity", action="store_true",
                        help="instead, list the parameters that no stored output depends on")
    arguments = parser.parse_args()
    reference.set_deterministic()
    if arguments.check_sensitivity:
        import sensitivity

        sensitivity.check(ROOT)
        return
    frames = write_inputs(ROOT)
    for family in reference.FAMILIES:
        make_family(family, frames)
    total = sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file())
    print(f"fixtures: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
