"""Loading the official package so that its results can be compared bit by bit."""

import os

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np
import torch
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FAMILIES = ("sam2", "sam2.1")
SIZES = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
PRESETS = [f"{family}-{size}" for family in FAMILIES for size in SIZES]


def set_deterministic(threads=1):
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)


def official_config(family, size="tiny"):
    """The name of an official configuration file."""
    return f"configs/{family}/{family}_hiera_{SIZES[size]}.yaml"


def build(config, overrides=()):
    """A `SAM2VideoPredictor` in evaluation mode on the CPU, as `build_sam2_video_predictor` makes
    it, but without hole filling: the official package does that in a CUDA extension only, and
    silently leaves it out where that is missing."""
    from sam2.build_sam import build_sam2_video_predictor

    model = build_sam2_video_predictor(
        config, device="cpu", hydra_overrides_extra=list(overrides)
    )
    model.fill_hole_area = 0
    accept_memories_alone(model)
    return model


def build_training(config, overrides=(), dropout=0.0):
    """A `SAM2Train` in training mode on the CPU; whatever drops does so at the rate `dropout`."""
    from sam2.build_sam import build_sam2

    model = build_sam2(
        config,
        device="cpu",
        mode="train",
        hydra_overrides_extra=["++model._target_=training.model.sam2.SAM2Train", *overrides],
        apply_postprocessing=False,
    )
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout) and module.p:
            module.p = dropout
        if getattr(module, "dropout_p", 0.0):
            module.dropout_p = dropout
    return model


def input_size(size):
    """Overrides for square inputs of `size` pixels."""
    grid = size // 16
    layer = "++model.memory_attention.layer"
    feat_sizes = [f"{layer}.{kind}_attention.feat_sizes=[{grid},{grid}]" for kind in ("self", "cross")]
    return [f"++model.image_size={size}", *feat_sizes]


def frame_tensor(pixels, size):
    """What the official loader makes of one frame: `pixels` is [height, width, 3] in 8 bits."""
    resized = np.array(Image.fromarray(pixels).resize((size, size)))
    # The official code divides in float64, stores float32, then normalises.
    image = torch.from_numpy(resized / 255.0).permute(2, 0, 1).float()
    image -= torch.tensor(MEAN)[:, None, None]
    image /= torch.tensor(STD)[:, None, None]
    return image


def init_state(model, frames):
    """`SAM2VideoPredictor.init_state` on a list of pictures instead of a folder of JPEG files."""
    import sam2.sam2_video_predictor as module

    height, width = frames[0].shape[:2]
    images = torch.stack([frame_tensor(frame, model.image_size) for frame in frames])
    module.tqdm = lambda steps, **_: steps
    official = module.load_video_frames
    module.load_video_frames = lambda **_: (images, height, width)
    try:
        return model.init_state("")
    finally:
        module.load_video_frames = official


def image_predictor(model):
    """A `SAM2ImagePredictor`; its feature sizes are fixed for 1024 px and have to follow."""
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    predictor = SAM2ImagePredictor(model)
    predictor._bb_feat_sizes = [(model.image_size // s,) * 2 for s in (4, 8, 16)]
    return predictor


def eight_connected_components(mask):
    """`sam2.utils.misc.get_connected_components`, which needs CUDA, done by OpenCV."""
    import cv2

    labels, counts = [], []
    for plane in mask[:, 0].to(torch.uint8).numpy():
        _, label, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
        area = stats[label, cv2.CC_STAT_AREA]
        area[label == 0] = 0
        labels.append(torch.from_numpy(label))
        counts.append(torch.from_numpy(area.astype(np.int32)))
    return torch.stack(labels)[:, None], torch.stack(counts)[:, None]


def clear_memory_around(model, state, frame, index):
    """sam2 1.1.0 calls `_clear_obj_non_cond_mem_around_input`, which it does not define. This is
    its `_clear_non_cond_mem_around_input` for the one object that the caller names."""
    reach = model.memory_temporal_stride_for_eval * model.num_maskmem
    outputs = state["output_dict_per_obj"][index]["non_cond_frame_outputs"]
    for t in range(frame - reach, frame + reach + 1):
        outputs.pop(t, None)


def accept_memories_alone(model):
    """Spatial memories are kept in bfloat16 and object pointers in float32. Where a frame has no
    pointer to attend to, nothing widens the memories and the official code, run without autocast,
    stops with a type error. Widening changes no value."""

    def widen(_module, args, kwargs):
        kwargs["memory"] = kwargs["memory"].float()
        return args, kwargs

    model.memory_attention.register_forward_pre_hook(widen, with_kwargs=True)
