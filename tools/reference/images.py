"""`SAM2ImagePredictor` on two pictures, with every kind of prompt."""

import json

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

import reference
from video import Margins, pack

BOX = [55, 48, 188, 142]
# `mask`: the case and the index of the mask whose low-resolution logits are the mask prompt.
CASES = {
    "point": {"points": [[120, 95]], "labels": [1]},
    "point_single": {"points": [[120, 95]], "labels": [1], "multimask": False},
    "points": {"points": [[120, 95], [150.5, 80.25], [230, 60]], "labels": [1, 1, 0]},
    "points_single": {
        "points": [[120, 95], [150.5, 80.25], [230, 60]],
        "labels": [1, 1, 0],
        "multimask": False,
    },
    "box": {"boxes": [BOX]},
    "box_single": {"boxes": [BOX], "multimask": False},
    "box_points": {"boxes": [BOX], "points": [[90, 70], [230, 60]], "labels": [1, 0]},
    "box_points_single": {
        "boxes": [BOX],
        "points": [[90, 70], [230, 60]],
        "labels": [1, 0],
        "multimask": False,
    },
    "mask_point": {"mask": ["point", 1], "points": [[100, 110]], "labels": [1]},
    "mask_point_single": {
        "mask": ["point", 1],
        "points": [[100, 110]],
        "labels": [0],
        "multimask": False,
    },
    "mask": {"mask": ["box_single", 0]},
    "mask_single": {"mask": ["box_single", 0], "multimask": False},
    "mask_box_points_single": {
        "mask": ["points_single", 0],
        "boxes": [BOX],
        "points": [[90, 70]],
        "labels": [1],
        "multimask": False,
    },
    "boxes": {"boxes": [BOX, [195, 10, 268, 108]]},
    "boxes_single": {
        "boxes": [BOX, [195, 10, 268, 108], [0, 0, 299, 195]],
        "multimask": False,
    },
}
# Both pictures at once; prompts for each, in order.
BATCH = [
    {"points": [[120, 95], [20, 180]], "labels": [1, 0]},
    {"points": [[80, 150], [120, 50]], "labels": [1, 0]},
]


def arguments(case, logits):
    as_array = lambda key: np.array(case[key]) if key in case else None
    boxes = as_array("boxes")
    return dict(
        point_coords=as_array("points"),
        point_labels=as_array("labels"),
        box=boxes[0] if boxes is not None and len(boxes) == 1 else boxes,
        mask_input=logits[case["mask"][0]][case["mask"][1]][None] if "mask" in case else None,
        multimask_output=case.get("multimask", True),
    )


class Scores:
    """The occlusion scores that the image predictor throws away."""

    def __init__(self, model):
        self.hook = model.sam_mask_decoder.register_forward_hook(
            lambda _m, _a, out: setattr(self, "last", out[3].numpy())
        )


def keep(out, name, masks, ious, logits, scores):
    """Several boxes at once give one more dimension in front, which is kept."""
    if name == "point":
        out[f"{name}/low_res_logits"] = logits
    else:
        out[f"{name}/low_res_logits_every_2nd"] = logits[..., ::2, ::2]
    out[f"{name}/ious"] = ious
    out[f"{name}/object_score"] = scores[:, 0].copy()
    if masks.shape[-3] == 1 or name == "point":
        planes = masks.reshape(-1, *masks.shape[-2:])
        out[f"{name}/masks"] = np.stack([pack(plane) for plane in planes])


def collect(model, root):
    predictor, scores = reference.image_predictor(model), Scores(model)
    pixels = [np.array(Image.open(root / f"pictures/{i}.png")) for i in (0, 1)]
    out, logits = {}, {}
    for which, picture in enumerate(pixels):
        out[f"preprocessed_{which}_every_4th"] = predictor._transforms(picture).numpy()[:, ::4, ::4].copy()
    predictor.set_image(pixels[0])
    out["image_embedding"] = predictor.get_image_embedding()[0].numpy()
    for name, case in CASES.items():
        masks, ious, logits[name] = predictor.predict(**arguments(case, logits))
        keep(out, name, masks, ious, logits[name], scores.last)
    predictor.set_image_batch(pixels)
    batches = {"batch": True, "batch_single": False}
    for name, multimask in batches.items():
        results = predictor.predict_batch(
            [np.array(p["points"]) for p in BATCH],
            [np.array(p["labels"]) for p in BATCH],
            multimask_output=multimask,
        )
        for which, (masks, ious, low) in enumerate(zip(*results)):
            keep(out, f"{name}_{which}", masks, ious, low, scores.last)
            if which == 0:
                out.pop(f"{name}_{which}/object_score")  # the hook keeps the last picture's only
    scores.hook.remove()
    return out


def write(model, folder, root):
    with Margins(model) as margins:
        out = collect(model, root)
    summary = margins.summary()
    areas = [float(np.unpackbits(m).mean()) for n, v in out.items() if n.endswith("/masks") for m in v]
    summary["mask_area_range"] = [min(areas), max(areas)]
    save_file({n: np.ascontiguousarray(v) for n, v in out.items()}, folder / "image.safetensors")
    text = {
        "picture": "pictures/0.png",
        "cases": CASES,
        "batch": [{"picture": f"pictures/{i}.png"} | p for i, p in enumerate(BATCH)],
        "margins": summary,
    }
    (folder / "image.json").write_text(json.dumps(text, indent=1) + "\n")
    print("  image", json.dumps(summary), flush=True)
