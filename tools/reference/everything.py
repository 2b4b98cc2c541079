"""Fixtures of the automatic mask generator: `python tools/reference/everything.py`, after
`make_fixtures.py`, whose checkpoints it reads and leaves as they are. See fixtures/README.md.

The micro model's masks hardly depend on where the click is, and cover the picture: of a grid of
them one would be left. So the last layer of its hypernetworks is replaced (stored as `override/…`)
by one that answers to what differs from click to click, and the masks are cut at a high logit.
"""

import collections
import json

import numpy as np
import sam2.automatic_mask_generator as official
import torch
from PIL import Image
from safetensors.numpy import save_file

import micro
import pictures
import reference
from make_fixtures import ROOT, rounded

SIZE = (150, 210)  # height, width
SPOTS = [(30, 28), (88, 22), (150, 32), (185, 75), (125, 80), (65, 78), (25, 105), (92, 125), (160, 122)]
GAIN = 2.0
# The logit where masks are cut, such that several different ones are left, and by how much it is
# moved to measure stability.
CUTS = {
    "sam2": collections.defaultdict(lambda: 20.0, mask_to_mask=200.0, single=60.0),
    "sam2.1": collections.defaultdict(lambda: 14.0, mask_to_mask=30.0, single=30.0),
}
OFFSET = 0.5
CROPS = {"points_per_side": 9, "crop_n_layers": 1, "crop_n_points_downscale_factor": 2}
# `point_grids` take the place of `points_per_side`: (x, y) in 0..1, one list for each crop layer.
GRIDS = [
    [[round((x + 0.3) / n, 3), round(((2 * x + y) % n + 0.6) / n, 3)] for x in range(n) for y in range(n)]
    for n in (7, 5)
]
CASES = {
    "grid": {"points_per_side": 8, "points_per_batch": 24},
    "crops": CROPS | {"crop_nms_thresh": 0.25},
    "mask_to_mask": {"points_per_side": 6, "points_per_batch": 10, "use_m2m": True},
    "small_regions": {"points_per_side": 6, "min_mask_region_area": 12},
    "single": CROPS | {"multimask_output": False, "crop_overlap_ratio": 0.5, "crop_nms_thresh": 0.1},
    "given_points": {"points_per_side": None, "point_grids": GRIDS, "crop_n_layers": 1},
}
# What SAM did and SAM 2 still has code for: regions below this many pixels are removed from the
# finished masks of a case, and those that became alike are thinned out again.
REMOVAL = {"case": "grid", "min_area": 80, "nms_thresh": 0.7}


def picture():
    """Flat blobs on a flat ground: masks are simple, and the file small."""
    rng = np.random.default_rng(3)
    image = np.full((*SIZE, 3), (96, 100, 92), np.uint8)
    for x, y in SPOTS:
        shape = pictures.blob(*SIZE, x, y, rng.uniform(9, 20), rng.uniform(9, 18), rng.uniform(0, 3), 3)
        image[shape] = rng.integers(0, 64, 3) * 4
    return image


def load(family):
    """The micro model as it is in the fixtures."""
    model = reference.build(reference.official_config(family), micro.OVERRIDES)
    state = torch.load(ROOT / family / "model.pt", weights_only=True)["model"]
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return model


def generator(model, **options):
    grids = options.pop("point_grids", None)
    options["point_grids"] = grids and [np.array(grid) for grid in grids]
    made = official.SAM2AutomaticMaskGenerator(model, output_mode="coco_rle", **options)
    made.predictor._bb_feat_sizes = [(model.image_size // stride,) * 2 for stride in (4, 8, 16)]
    return made


@torch.no_grad()
def answer_to_clicks(model, image):
    """Replaces the hypernetworks' last layers; returns the new parameters."""
    layers = [mlp.layers[-1] for mlp in model.sam_mask_decoder.output_hypernetworks_mlps]
    seen = collections.defaultdict(list)
    hooks = [
        layer.register_forward_hook(lambda _m, _a, out, layer=layer: seen[layer].append(out.clone()))
        for layer in layers
    ]
    generator(model, points_per_side=6).generate(image)
    changed = {}
    for index, (layer, hook) in enumerate(zip(layers, hooks)):
        hook.remove()
        answers = torch.cat(seen[layer])
        mean = answers.mean(0)
        gain = GAIN * mean.norm() / (answers - mean).norm(dim=1).mean()
        layer.bias.sub_(mean).mul_(gain)
        layer.weight.mul_(gain)
        prefix = f"sam_mask_decoder.output_hypernetworks_mlps.{index}.layers.2"
        changed |= {f"{prefix}.{name}": p.numpy().copy() for name, p in layer.named_parameters()}
    return changed


class Stages:
    """Counts the masks that come to each stage, and keeps the scores that decide."""

    def __enter__(self):
        self.counts = collections.Counter()
        self.ious, self.stabilities, self.nms = [], [], []
        self.replaced = {}
        for name in ("calculate_stability_score", "is_box_near_crop_edge", "batched_nms"):
            self.replaced[name] = getattr(official, name)
            setattr(official, name, getattr(self, name))
        return self

    def __exit__(self, *_):
        for name, function in self.replaced.items():
            setattr(official, name, function)

    def calculate_stability_score(self, masks, *rest):
        scores = self.replaced["calculate_stability_score"](masks, *rest)
        self.counts["above_predicted_iou"] += len(masks)
        self.stabilities += scores.tolist()
        return scores

    def is_box_near_crop_edge(self, boxes, *rest):
        near = self.replaced["is_box_near_crop_edge"](boxes, *rest)
        self.counts["stable"] += len(boxes)
        self.counts["near_crop_edge"] += int(near.sum())
        return near

    def batched_nms(self, boxes, *rest, **options):
        kept = self.replaced["batched_nms"](boxes, *rest, **options)
        self.nms.append((len(boxes), len(kept)))
        return kept


def widest_gap(values, low, high):
    """A threshold that no value is close to: the middle of the widest gap between two quantiles."""
    values = np.sort([v for v in values if np.isfinite(v)])
    values = values[(values >= np.quantile(values, low)) & (values <= np.quantile(values, high))]
    at = np.argmax(np.diff(values))
    return round(float(values[at] + values[at + 1]) / 2, 4), float(values[at + 1] - values[at]) / 2


def with_thresholds(model, image, options):
    """The options with thresholds for the predicted IoU and the stability that cut some masks."""
    ious = []
    hook = model.sam_mask_decoder.register_forward_hook(lambda _m, args, kwargs, out: ious.append(out[1]),
                                                        with_kwargs=True)
    generator(model, **options, pred_iou_thresh=0.0, stability_score_thresh=0.0).generate(image)
    hook.remove()
    if options.get("use_m2m"):
        ious = [iou for iou in ious if iou.shape[1] == 1]
    iou, iou_margin = widest_gap(torch.cat([i.flatten() for i in ious]).tolist(), 0.05, 0.3)
    with Stages() as stages:
        generator(model, **options, pred_iou_thresh=iou, stability_score_thresh=0.0).generate(image)
    stability, stability_margin = widest_gap(stages.stabilities, 0.05, 0.3)
    margins = {"predicted_iou": iou_margin, "stability": stability_margin}
    return options | {"pred_iou_thresh": iou, "stability_score_thresh": stability}, margins


def same_set(records, others):
    return len(records) == len(others) and all(
        (a["bbox"], a["point_coords"], a["crop_box"]) == (b["bbox"], b["point_coords"], b["crop_box"])
        for a, b in zip(records, others)
    )


def disturbed(model, image, options):
    """The records where the network's input is moved by 3e-6."""
    noise = lambda x: x + 3e-6 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    hook = model.image_encoder.register_forward_pre_hook(lambda _m, args: (noise(args[0]),))
    records = generator(model, **options).generate(image)
    hook.remove()
    return records


def run(model, image, name, cut, options):
    cut = {"mask_threshold": cut, "stability_score_offset": OFFSET}
    options, margins = with_thresholds(model, image, cut | options)
    with Stages() as stages:
        records = generator(model, **options).generate(image)
    assert same_set(records, disturbed(model, image, options)), f"{name}: the set depends on rounding"
    counts = dict(stages.counts) | {"suppressed_within": [a - b for a, b in stages.nms]}
    if options.get("crop_n_layers"):
        *within, (before, after) = stages.nms
        counts |= {"suppressed_within": [a - b for a, b in within], "suppressed_across": before - after}
        assert counts["near_crop_edge"] > 0, f"{name}: no mask is at the edge of a crop"
    if "crop_nms_thresh" in options:
        assert before > after, f"{name}: no mask is suppressed across crops"
        assert len({tuple(r["crop_box"]) for r in records}) > 1, f"{name}: one crop has all masks"
    assert counts["stable"] < counts["above_predicted_iou"], f"{name}: all masks are stable"
    assert sum(counts["suppressed_within"]) > 0 and len(records) > 3, f"{name}: {counts}, {len(records)} left"
    print(f"  {name:16} {len(records):3} masks", json.dumps(rounded(counts | {"margins": margins})), flush=True)
    return {"options": options, "counts": counts, "margins": rounded(margins), "records": records}


def remove_small_regions(model, image, case):
    """The records after `postprocess_small_regions`, which `generate` of SAM 2 does not call."""
    made = generator(model, **case["options"])
    data = made._generate_masks(image)
    before = len(data["rles"])
    data = made.postprocess_small_regions(data, REMOVAL["min_area"], REMOVAL["nms_thresh"])
    assert len(data["rles"]) < before, "no two masks became alike"
    made._generate_masks = lambda _image: data
    return REMOVAL | {"records": made.generate(image)}


def write(family, image):
    print(family, flush=True)
    model = load(family)
    changed = answer_to_clicks(model, image)
    save_file({f"override/{n}": v for n, v in changed.items()}, ROOT / family / "everything.safetensors")
    cases = {
        name: run(model, image, name, CUTS[family][name], options) for name, options in CASES.items()
    }
    plain = generator(model, **cases["small_regions"]["options"] | {"min_mask_region_area": 0})
    assert not same_set(cases["small_regions"]["records"], plain.generate(image)), "no region is small"
    text = {
        "cases": cases,
        "removal": remove_small_regions(model, image, cases[REMOVAL["case"]]),
        "picture": "everything/picture.png",
    }
    (ROOT / family / "everything.json").write_text(dump(text))


def dump(text):
    """JSON with one record to a line."""
    placed = {}

    def place(value):
        if isinstance(value, dict):
            return {key: place(v) if key != "records" else mark(v) for key, v in value.items()}
        return value

    def mark(records):
        key = f"@{len(placed)}"
        placed[key] = "[\n" + ",\n".join(json.dumps(r) for r in records) + "\n]"
        return key

    shape = json.dumps(place(text), indent=1)
    for key, lines in placed.items():
        shape = shape.replace(f'"{key}"', lines)
    return shape + "\n"


def main():
    import sam2.utils.misc as misc

    reference.set_deterministic()
    misc.get_connected_components = reference.eight_connected_components
    image = picture()
    (ROOT / "everything").mkdir(exist_ok=True)
    Image.fromarray(image).save(ROOT / "everything/picture.png", optimize=True)
    for family in reference.FAMILIES:
        write(family, image)


if __name__ == "__main__":
    main()
