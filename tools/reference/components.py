"""Input and output of every component of the micro model, one after the other."""

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import micro
import reference


class Watch:
    """Keeps the outputs of named modules during one forward pass."""

    def __init__(self, model, **modules):
        self.seen = {}
        self.handles = [
            model.get_submodule(path).register_forward_hook(self.keeper(name))
            for name, path in modules.items()
        ]

    def keeper(self, name):
        return lambda _m, _i, out: self.seen.__setitem__(name, out)

    def __enter__(self):
        return self.seen

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def image_encoder(model, root, out):
    pixels = np.array(Image.open(root / "pictures/input.png"))
    image = reference.frame_tensor(pixels, model.image_size)[None]
    first_blocks = {f"block_{i}": f"image_encoder.trunk.blocks.{i}" for i in (0, 2, 5, 7)}
    with Watch(
        model,
        patches="image_encoder.trunk.patch_embed",
        neck="image_encoder.neck",
        **first_blocks,
    ) as seen:
        backbone = model.forward_image(image)
    grid = seen["patches"].shape[1:3]
    embedded = seen["patches"] + model.image_encoder.trunk._get_pos_embed(grid)
    out["trunk/embedded_every_2nd"] = embedded[0, ::2, ::2]
    out["trunk/stage_0_every_2nd"] = seen["block_0"][0, ::2, ::2]
    for stage, block in enumerate((2, 5, 7), start=1):
        out[f"trunk/stage_{stage}"] = seen[f"block_{block}"][0]
    levels = seen["neck"][0]
    out["neck/level_0_every_4th"] = levels[0][0, :, ::4, ::4]
    out["neck/level_1_every_2nd"] = levels[1][0, :, ::2, ::2]
    out["neck/level_3"] = levels[3][0]  # level 2 is features/stride_16
    features = backbone["backbone_fpn"]
    out["features/stride_4"], out["features/stride_8"], out["features/stride_16"] = [
        f[0] for f in features
    ]
    return features


def positions(model, features, out):
    from sam2.modeling.position_encoding import compute_axial_cis
    from sam2.modeling.sam2_utils import get_1d_sine_pe

    neck = model.image_encoder.neck.position_encoding
    out["position/sine_image"] = neck(features[-1])[0]
    out["position/sine_memory"] = model.memory_encoder.position_encoding(features[-1])[0]
    distances = torch.tensor([-15.0, -3.0, -1.0, 0.0, 1.0, 2.0, 7.0, 15.0])
    out["position/temporal_distances"] = distances
    out["position/temporal_sine"] = get_1d_sine_pe(distances / 15, dim=model.hidden_dim)
    turn = compute_axial_cis(dim=model.hidden_dim, end_x=16, end_y=16, theta=10000.0)
    out["position/rotary_cos"], out["position/rotary_sin"] = turn.real, turn.imag
    out["position/dense_prompt"] = model.sam_prompt_encoder.get_dense_pe()[0]


PROMPTS = {
    "points": ([[31.5, 90.25], [200.0, 17.0], [140.0, 140.0]], [1, 0, 1]),
    "box": ([[20.0, 60.0], [75.5, 140.0]], [2, 3]),
    "box_and_points": ([[20.0, 60.0], [75.5, 140.0], [40.0, 100.0]], [2, 3, 1]),
    "nothing": ([[0.0, 0.0]], [-1]),
}


def prompt_encoder(model, out):
    encoder = model.sam_prompt_encoder
    sparse = {}
    for name, (coordinates, labels) in PROMPTS.items():
        points = torch.tensor([coordinates]), torch.tensor([labels], dtype=torch.int32)
        sparse[name], no_mask = encoder(points=points, boxes=None, masks=None)
        out[f"prompt/{name}/coordinates"], out[f"prompt/{name}/labels"] = points[0][0], points[1][0]
        out[f"prompt/{name}/sparse"] = sparse[name][0]
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    logits = 8 * torch.sin(x / 9) * torch.cos(y / 7) + 0.1 * (x - y)
    out["prompt/mask/logits"] = logits
    _, dense = encoder(points=None, boxes=None, masks=logits[None, None])
    out["prompt/mask/dense"] = dense[0]
    out["prompt/no_mask"] = no_mask[0, :, 0, 0]
    return sparse, no_mask, dense


def mask_decoder(model, features, sparse, no_mask, dense, out):
    decoder = model.sam_mask_decoder
    embedding = features[-1] + model.no_mem_embed.view(1, -1, 1, 1)
    for name, sparse_name, dense_input in [
        ("points", "points", no_mask),
        ("box", "box", no_mask),
        ("mask", "nothing", dense),
    ]:
        inputs = dict(
            image_embeddings=embedding,
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse[sparse_name],
            dense_prompt_embeddings=dense_input,
            repeat_image=False,
            high_res_features=features[:-1],
        )
        with Watch(decoder, transformer="transformer", upscaled="output_upscaling.4") as seen:
            masks, ious, tokens, score = decoder.predict_masks(**inputs)
        put = lambda key, value: out.__setitem__(f"decoder/{name}/{key}", value)
        put("transformer_tokens", seen["transformer"][0][0])
        if name == "points":
            put("transformer_image", seen["transformer"][1][0])
            put("upscaled", seen["upscaled"][0])
            put("masks", masks[0])
        else:
            put("masks_every_2nd", masks[0, :, ::2, ::2])
        put("ious", ious[0])
        put("mask_tokens", tokens[0])
        put("object_score", score[0])
        put("stability", decoder._get_stability_scores(masks)[0])
        single = decoder(multimask_output=False, **inputs)
        put("single_iou", single[1][0])
        put("single_is_mask", torch.tensor([(masks[0] == single[0][0]).all((1, 2)).int().argmax()]))


def stability_fallback(model, out):
    """Three sets of four masks and IoU predictions; the single mask is stable in the first, not in
    the second, and empty (which counts as stable) in the third."""
    decoder = model.sam_mask_decoder
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    slope = torch.stack([x - 7.5, 0.01 * (x - 7.5), -1.0 - x])
    others = torch.stack([y - 5, 10 - x, y + x - 15]).expand(3, 3, 16, 16)
    masks = torch.cat([slope[:, None], others], 1)
    ious = torch.tensor([[0.1, 0.5, 0.9, 0.7], [0.8, 0.5, 0.6, 0.7], [0.2, 0.3, 0.25, 0.1]])
    chosen, iou = decoder._dynamic_multimask_via_stability(masks, ious)
    out["fallback/masks"], out["fallback/ious"] = masks.contiguous(), ious
    out["fallback/stability"] = decoder._get_stability_scores(masks[:, :1])[:, 0]
    out["fallback/chosen_masks"], out["fallback/chosen_ious"] = chosen, iou


def heads(model, features, out, biases):
    """The whole way from features to masks and object pointer, with the object and without."""
    embedding = features[-1] + model.no_mem_embed.view(1, -1, 1, 1)
    for name, labels in [("click", [1]), ("two_clicks", [1, 0])]:
        coordinates = [[31.5, 90.25], [200.0, 17.0]][: len(labels)]
        points = {
            "point_coords": torch.tensor([coordinates]),
            "point_labels": torch.tensor([labels], dtype=torch.int32),
        }
        for bias in ("present", "absent"):
            value = biases["present"] - (40.0 if bias == "absent" else 0.0)
            micro.set_occlusion_bias(model, value)
            _, high, ious, low, _, pointer, score = model._forward_sam_heads(
                embedding, points, None, features[:-1], multimask_output=len(labels) == 1
            )
            out[f"heads/{name}/{bias}/ious"] = ious[0]
            out[f"heads/{name}/{bias}/object_score"] = score[0]
            out[f"heads/{name}/{bias}/object_pointer"] = pointer[0]
            if bias == "present":
                out[f"heads/{name}/{bias}/low_res_logits"] = low[0, 0]
                present = low, pointer
    micro.set_occlusion_bias(model, biases["present"])
    return present


def mask_as_output(model, features, root, out):
    mask = torch.from_numpy(np.array(Image.open(root / "pictures/input_mask.png")) > 0)
    for name, value in [("object", mask), ("empty", torch.zeros_like(mask))]:
        value = value[None, None].float()
        low, _, _, _, _, pointer, score = model._use_mask_as_output(
            features[-1], features[:-1], value
        )
        out[f"mask_as_output/{name}/low_res_logits"] = low[0, 0]
        out[f"mask_as_output/{name}/object_pointer"] = pointer[0]
        out[f"mask_as_output/{name}/object_score"] = score[0]
        if name == "object":
            out["mask_as_output/downsampled_prompt"] = model.mask_downsample(value)[0, 0]


def memory_encoder(model, features, low, out):
    feats = [f.flatten(2).permute(2, 0, 1) for f in features]
    sizes = [f.shape[-2:] for f in features]
    high = torch.nn.functional.interpolate(low, (256, 256), mode="bilinear", align_corners=False)
    out["memory_encoder/low_res_logits"] = low[0, 0]
    out["memory_encoder/high_res_logits_every_3rd"] = high[0, 0, ::3, ::3]
    kept = {}
    for name, score, clicked in [
        ("tracked", 3.0, False),
        ("clicked", 3.0, True),
        ("absent", -3.0, False),
    ]:
        with Watch(
            model,
            mask="memory_encoder.mask_downsampler",
            fused="memory_encoder.fuser",
        ) as seen:
            encoded, position = model._encode_new_memory(
                feats, sizes, high, torch.tensor([[score]]), clicked
            )
        kept[name] = encoded
        out[f"memory_encoder/{name}/features"] = encoded[0]
        if name == "tracked":
            out[f"memory_encoder/{name}/mask"] = seen["mask"][0]
            out[f"memory_encoder/{name}/fused"] = seen["fused"][0]
    out["memory_encoder/position"] = position[0][0]
    return kept, position[0]


def memory_attention(model, features, memories, position, pointer, out):
    """Two spatial memories (the conditioning frame and the newest) and three object pointers."""
    flat = lambda x: x.flatten(2).permute(2, 0, 1)
    spatial = [flat(memories[n].bfloat16().float()) for n in ("clicked", "tracked")]
    encodings = [flat(position) + model.maskmem_tpos_enc[i] for i in (model.num_maskmem - 1, 0)]
    pointers = torch.stack([pointer, -0.5 * pointer, pointer.flip(-1)])
    tokens = pointers.reshape(-1, 1, 4, model.mem_dim).permute(0, 2, 1, 3).flatten(0, 1)
    distances = torch.tensor([5, 1, 2])
    if model.add_tpos_enc_to_obj_ptrs:
        from sam2.modeling.sam2_utils import get_1d_sine_pe

        projected = model.obj_ptr_tpos_proj(get_1d_sine_pe(distances / 15, dim=model.hidden_dim))
        out["memory_attention/pointer_position"] = projected
        pointer_position = projected[:, None].repeat_interleave(4, 0)
    else:
        pointer_position = torch.zeros(len(tokens), 1, model.mem_dim)
    memory = torch.cat([*spatial, tokens])
    memory_position = torch.cat([*encodings, pointer_position])
    with Watch(model.memory_attention, first="layers.0") as seen:
        result = model.memory_attention(
            curr=[flat(features[-1])],
            curr_pos=[flat(model.image_encoder.neck.position_encoding(features[-1]))],
            memory=memory,
            memory_pos=memory_position,
            num_obj_ptr_tokens=len(tokens),
        )
    out["memory_attention/pointer_distances"] = distances.to(torch.int32)
    out["memory_attention/pointers"] = pointers[:, 0]
    out["memory_attention/memory"] = memory[:, 0]
    out["memory_attention/memory_position"] = memory_position[:, 0]
    out["memory_attention/after_layer_0"] = seen["first"][0]
    out["memory_attention/output"] = result[:, 0]


@torch.no_grad()
def collect(model, biases, root):
    out = {}
    features = image_encoder(model, root, out)
    positions(model, features, out)
    sparse, no_mask, dense = prompt_encoder(model, out)
    mask_decoder(model, features, sparse, no_mask, dense, out)
    stability_fallback(model, out)
    low, pointer = heads(model, features, out, biases)
    mask_as_output(model, features, root, out)
    memories, position = memory_encoder(model, features, low, out)
    memory_attention(model, features, memories, position, pointer, out)
    return {name: tensor.detach().clone().contiguous() for name, tensor in out.items()}


def write(model, folder, biases, root):
    save_file(collect(model, biases, root), folder / "components.safetensors")
