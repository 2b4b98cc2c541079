"""The micro model: the official classes at a size that fits into a test.

256-pixel input, width 32, eight Hiera blocks, memories of 8 channels. What is not an option of the
official configuration (8 heads and an MLP of 2048 in the mask decoder, 256 in the IoU head) stays.
Values are exact in float16, so that a checkpoint half the size loses nothing.
"""

import torch

import pictures
import reference
from perturb import OCCLUSION_BIAS, calibrate, randomise, round_to_half

OVERRIDES = [
    "++model.image_size=256",
    "++model.image_encoder.trunk.embed_dim=8",
    "++model.image_encoder.trunk.stages=[1,2,3,2]",
    "++model.image_encoder.trunk.global_att_blocks=[4]",
    "++model.image_encoder.trunk.window_spec=[8,4,14,7]",
    "++model.image_encoder.neck.d_model=32",
    "++model.image_encoder.neck.position_encoding.num_pos_feats=32",
    "++model.image_encoder.neck.backbone_channel_list=[64,32,16,8]",
    "++model.memory_attention.d_model=32",
    "++model.memory_attention.num_layers=2",
    "++model.memory_attention.layer.d_model=32",
    "++model.memory_attention.layer.dim_feedforward=64",
    "++model.memory_attention.layer.self_attention.embedding_dim=32",
    "++model.memory_attention.layer.self_attention.feat_sizes=[16,16]",
    "++model.memory_attention.layer.cross_attention.embedding_dim=32",
    "++model.memory_attention.layer.cross_attention.feat_sizes=[16,16]",
    "++model.memory_attention.layer.cross_attention.kv_in_dim=8",
    "++model.memory_encoder.out_dim=8",
    "++model.memory_encoder.in_dim=32",
    "++model.memory_encoder.position_encoding.num_pos_feats=8",
    "++model.memory_encoder.mask_downsampler.embed_dim=32",
    "++model.memory_encoder.fuser.layer.dim=32",
]
# Chosen among a few so that the two objects stay apart while rounding errors do not grow from frame
# to frame, as they easily do in a network with random weights.
SEEDS = {"sam2": 3, "sam2.1": 1}
GAINS = {
    "sam2": {},
    "sam2.1": {
        "cross_attn_image.q_proj.weight": 1.3,
        "cross_attn_image.out_proj.weight": 1.0,
        "obj_ptr_proj.layers.2.weight": 3.0,
    },
}
# Added to the last bias of the occlusion head, objects are always there.
PRESENT = 16.0
# Added to it, the objects of the script `varying` come and go, with no score close to zero.
VARYING = {"sam2": -0.76, "sam2.1": 1.85}


def config(family):
    """The same model as masklet's `Sam2Config` in JSON."""
    newer = family == "sam2.1"
    return {
        "image_size": 256,
        "hidden_dim": 32,
        "trunk": {
            "embed_dim": 8,
            "num_heads": 1,
            "stages": [1, 2, 3, 2],
            "window_sizes": [8, 4, 14, 7],
            "global_attention_blocks": [4],
            "background_size": [7, 7],
            "mlp_ratio": 4.0,
            "drop_path_rate": 0.0,
        },
        "neck": {"top_down_levels": [2, 3], "scalp": 1},
        "prompt_encoder": {"mask_channels": 16},
        "mask_decoder": {
            "depth": 2,
            "num_heads": 8,
            "mlp_dim": 2048,
            "attention_downsample": 2,
            "num_multimask_outputs": 3,
            "iou_head_depth": 3,
            "iou_head_hidden_dim": 256,
            "iou_sigmoid": True,
            "stability_fallback": {"delta": 0.05, "threshold": 0.98},
        },
        "memory_attention": {
            "num_layers": 2,
            "num_heads": 1,
            "feedforward_dim": 64,
            "rope_theta": 10000.0,
            "dropout": 0.1,
        },
        "memory_encoder": {
            "memory_dim": 8,
            "fuser_layers": 2,
            "fuser_kernel": 7,
            "sigmoid_scale": 20.0,
            "sigmoid_bias": -10.0,
            "binarize_clicked_masks": True,
            "no_object_embedding": newer,
        },
        "memory": {
            "num_maskmem": 7,
            "max_conditioning_frames": None,
            "max_object_pointers": 16,
            "pointer_position": "signed_projected" if newer else "none",
            "temporal_stride": 1,
        },
    }


def rehearse(model):
    """Predictions whose statistics the heads are scaled to."""
    frames = [pictures.video_frame(i)[0] for i in (0, 3, 6, 10, 13)]
    state = reference.init_state(model, frames)
    model.add_new_points_or_box(state, 0, 1, points=[[35, 60]], labels=[1])
    model.add_new_points_or_box(state, 0, 2, points=[[150, 35], [60, 120]], labels=[1, 0])
    model.add_new_points_or_box(state, 0, 3, box=[10, 40, 60, 85])
    list(model.propagate_in_video(state))


def make(family, seed=None):
    """A randomised, calibrated micro model; its occlusion scores are centred on zero."""
    model = reference.build(reference.official_config(family), OVERRIDES)
    randomise(model, SEEDS[family] if seed is None else seed, GAINS[family])
    picture = reference.frame_tensor(pictures.video_frame(0)[0], model.image_size)
    calibrate(model, picture[None], rehearse)
    round_to_half(model)
    return model


@torch.no_grad()
def set_occlusion_bias(model, value):
    bias = model.get_parameter(OCCLUSION_BIAS)
    bias.fill_(float(torch.tensor(value).half()))
    return bias.item()


def occlusion_biases(model, family):
    """Sets the bias for objects that are always there; returns it, and the one for `varying`."""
    centre = model.get_parameter(OCCLUSION_BIAS).item()
    return {
        name: set_occlusion_bias(model, centre + offset)
        for name, offset in [("varying", VARYING[family]), ("present", PRESENT)]
    }
