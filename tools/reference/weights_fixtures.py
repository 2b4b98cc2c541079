"""Writes the fixtures of `crates/model/tests/weights*.rs`.

Small files as PyTorch writes them (every number format, views, shared storages, parameters,
extra keys, old and hostile files), the values they hold (`golden.json`), and the names and shapes
of the official models (`presets.json`).

    python tools/reference/weights_fixtures.py

Deterministic, and needs no checkpoint: the models are built with random weights.
"""

import collections
import io
import json
import os
import pathlib
import re
import zipfile

import safetensors.torch
import torch
from sam2.build_sam import build_sam2

OUT = pathlib.Path(__file__).parents[2] / "crates/model/tests/fixtures/weights"

PRESETS = {
    f"{family}-{size}": f"configs/{family}/{family}_hiera_{short}.yaml"
    for family in ("sam2", "sam2.1")
    for size, short in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}

# What `weights::detect` reads.
DETECTION = re.compile(
    r"image_encoder\.trunk\.(patch_embed\.proj\.weight|pos_embed|pos_embed_window)"
    r"|image_encoder\.trunk\.blocks\.\d+\.attn\.proj\.bias"
    r"|memory_attention\.layers\.\d+\.norm1\.weight"
    r"|sam_mask_decoder\.iou_token\.weight|maskmem_tpos_enc|no_obj_embed_spatial"
    r"|obj_ptr_tpos_proj\.weight"
)


class Evil:
    """A pickle of this runs a command when Python loads it."""

    def __reduce__(self):
        return os.system, ("touch /tmp/masklet-was-here",)


def values(*shape, dtype=torch.float32):
    """Distinct values, among them some that 16-bit formats have to round."""
    count = torch.tensor(shape).prod().item()
    return ((torch.arange(count) - count / 3) * 0.3711).reshape(shape).to(dtype)


def rezipped(data, rename=lambda name: name, method=zipfile.ZIP_STORED, replace={}):
    """The same archive with other names, compression or members, and not in zip64 form."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for info in old.infolist():
            name = info.filename.split("/", 1)[1]
            member = replace.get(name, old.read(info))
            new.writestr(zipfile.ZipInfo(rename(info.filename)), member, method)
    return out.getvalue()


def saved(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer, **options)
    return buffer.getvalue()


def readable():
    """Files that are read, with the tensors that they hold."""
    floats = {"a.weight": values(3, 5), "a.bias": values(5), "scalar": torch.tensor(0.1)}
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        tensors = {name: tensor.to(dtype) for name, tensor in floats.items()}
        name = str(dtype).removeprefix("torch.")
        yield f"{name}.pt", saved({"model": tensors}), tensors
        yield f"{name}.safetensors", safetensors.torch.save(tensors, {"format": "pt"}), tensors
    kinds = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
    integers = {str(k).removeprefix("torch."): (values(7).abs() * 3).to(k) for k in kinds}
    integers["int64"] -= 3
    yield "integers.pt", saved({"model": integers}), integers

    base = values(4, 6)
    views = {
        "whole": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 1:5:2],
        "permuted": values(2, 3, 4).permute(2, 0, 1),
        "element": base[2, 3],
        "expanded": values(3, 1).expand(3, 4),
        "unit": values(1, 4).as_strided((1, 4), (9, 1)),
        "empty": torch.zeros(0, 3),
    }
    yield "views.pt", saved({"model": views}), views

    annotated = torch.nn.Parameter(values(2, 2))
    annotated.no_decay = True
    parameters = {"weight": torch.nn.Parameter(values(3, 2)), "annotated": annotated}
    yield "parameters.pt", saved({"model": parameters}), parameters

    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(values(*parameter.shape))
    state = module.state_dict()
    yield "bare_state_dict.pt", saved(state), state
    # Protocol 2 writes bytes and sets as calls.
    newer = {"raw": b"bytes", "set": {5}, "frozen": frozenset({6}), "model": state}
    yield "protocol_4.pt", saved(newer, pickle_protocol=4), state
    yield "protocol_5.pt", saved({"raw": bytearray(b"bytes"), **newer}, pickle_protocol=5), state
    extra = {
        "epoch": 7,
        "time": 1.5,
        "big": 1 << 80,
        "negative": -70000,
        "done": False,
        "none": None,
        "masklet.note": "kept as metadata",
        "history": [1, [2.0, "three"], (4, None), {}],
        "optimizer": {"state": {0: {"exp_avg": values(2)}}, "param_groups": [{"lr": 0.1}]},
        "loss": collections.OrderedDict(),
        "model": state,
    }
    yield "training.pt", saved(extra), state
    plain = saved({"model": floats})
    yield "deflated.pt", rezipped(plain, method=zipfile.ZIP_DEFLATED), floats
    yield "renamed.pt", rezipped(plain, lambda n: "any name/" + n.split("/", 1)[1]), floats
    torch.serialization.set_crc32_options(False)
    yield "without_checksums.pt", saved({"model": floats}), floats
    torch.serialization.set_crc32_options(True)


def unreadable():
    """Files that are refused."""
    tensors = {"weight": values(3)}
    plain = saved({"model": tensors})
    yield "malicious.pt", saved({"model": tensors, "x": Evil()})
    yield "malicious_instead_of_tensor.pt", saved({"model": {"weight": Evil()}})
    yield "device.pt", saved({"model": tensors, "device": torch.device("cpu")})
    yield "complex.pt", saved({"model": {"weight": torch.zeros(2, dtype=torch.complex64)}})
    legacy = saved({"model": tensors}, _use_new_zipfile_serialization=False)
    # It names storages by their address in memory.
    yield "legacy.pt", re.sub(rb"\d{10,}", lambda address: b"1" * len(address[0]), legacy)
    yield "big_endian.pt", rezipped(plain, replace={"byteorder": b"big"})
    yield "no_tensors.pt", saved({"model": {"depth": 3}, "epoch": 1})
    yield "whole_list.pt", saved([values(2)])
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(zipfile.ZipInfo("word/document.xml"), "<w/>")
    yield "not_torch.zip", other.getvalue()
    data = bytearray(plain)
    at = plain.index(values(3).numpy().tobytes())
    data[at] ^= 0x10
    yield "flipped_bit.pt", bytes(data)
    yield "float8.safetensors", safetensors.torch.save({"w": torch.zeros(4).to(torch.float8_e4m3fn)})


def shapes(name):
    state = build_sam2(PRESETS[name], None, device="cpu").state_dict()
    return {key: list(tensor.shape) for key, tensor in state.items()}


def presets():
    """Complete for the two tiny models, and what detection reads for the others."""
    newer, older = shapes("sam2.1-tiny"), shapes("sam2-tiny")
    without = [key for key in newer if key not in older]
    assert older == {key: shape for key, shape in newer.items() if key not in without}
    result = {"sam2.1-tiny": newer, "sam2-tiny without": without}
    for name in PRESETS:
        if not name.endswith("tiny"):
            read = shapes(name).items()
            result[name] = {key: shape for key, shape in read if DETECTION.fullmatch(key)}
    return result


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    golden = {}
    for name, data, tensors in readable():
        (OUT / name).write_bytes(data)
        golden[name] = {
            key: {
                "dtype": str(t.dtype).removeprefix("torch."),
                "shape": list(t.shape),
                "values": t.detach().float().flatten().tolist(),
            }
            for key, t in tensors.items()
        }
    for name, data in unreadable():
        (OUT / name).write_bytes(data)
    compact = {"separators": (",", ":")}
    (OUT / "golden.json").write_text(json.dumps(golden, **compact) + "\n")
    (OUT / "presets.json").write_text(json.dumps(presets(), **compact) + "\n")
    total = sum(f.stat().st_size for f in OUT.iterdir())
    print(f"{len(list(OUT.iterdir()))} files, {total} bytes in {OUT}")


if __name__ == "__main__":
    main()
