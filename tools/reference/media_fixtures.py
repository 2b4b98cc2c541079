#!/usr/bin/env python3
"""Writes the fixtures of crates/media/tests/fixtures from the packages the reference uses.

    python3 -m venv venv
    venv/bin/pip install pillow==13.0.0 torch==2.15.0 torchvision numpy pycocotools
    venv/bin/python tools/reference/media_fixtures.py

All pictures are procedurally generated; running it again gives the same files.
"""

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco
from torchvision.transforms import Normalize, Resize, ToTensor

OUT = Path(__file__).resolve().parents[2] / "crates/media/tests/fixtures"
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
# Name, height, width, target size: both axes down, both up, mixed, same, and (last) the
# shape for which Pillow 13 runs the vertical pass first.
RESIZES = [
    ("down", 47, 61, 16),
    ("up", 7, 11, 24),
    ("wide", 9, 70, 20),
    ("same", 12, 12, 12),
    ("tall", 90, 25, 24),
]


def picture(height, width, seed):
    """Smooth colours, hard edges and noise: [height, width, 3] bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(14 * y - 3 * x), np.sin(40 * x * y)], -1)
    image = 127.5 + 127.5 * waves
    image[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.03] = [255, 255, 0]
    image += rng.normal(0, 12, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def image_predictor(array, size):
    transform = torch.nn.Sequential(Resize((size, size)), Normalize(MEAN, STD))
    return transform(ToTensor()(array)).permute(1, 2, 0).contiguous().numpy()


def video_predictor(array, size):
    resized = np.array(Image.fromarray(array).resize((size, size)))
    tensor = torch.from_numpy(resized / 255.0).to(torch.float32)
    return ((tensor - torch.tensor(MEAN)) / torch.tensor(STD)).numpy()


def write_resizes():
    for seed, (name, height, width, size) in enumerate(RESIZES):
        array = picture(height, width, seed)
        Image.fromarray(array).save(OUT / f"resize_{name}.png")
        image_predictor(array, size).astype("<f4").tofile(OUT / f"resize_{name}_image.f32")
        video_predictor(array, size).astype("<f4").tofile(OUT / f"resize_{name}_video.f32")
    soft = np.array(Image.fromarray(picture(23, 31, 9)).convert("L")) > 128
    Image.fromarray(soft).save(OUT / "resize_mask.png")
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(soft)[None, None].float(),
        size=(16, 16), align_corners=False, mode="bilinear", antialias=True,
    )
    resized.numpy().astype("<f4").tofile(OUT / "resize_mask_16.f32")


def write_modes():
    """One small picture in many file modes, each with what `convert("RGB")` makes of it."""
    base = Image.fromarray(picture(6, 8, 20))
    ramp = Image.linear_gradient("L").resize((8, 6))
    transparent = base.copy()
    transparent.putalpha(ramp)
    files = {
        "mode_rgb.png": base,
        "mode_grey.png": base.convert("L"),
        "mode_grey_alpha.png": transparent.convert("LA"),
        "mode_rgba.png": transparent,
        "mode_palette.png": base.quantize(8),
        "mode_bilevel.png": base.convert("1"),
        "mode_bmp.bmp": base,
        "mode_tiff.tif": base,
        "mode_webp.webp": base,
        "mode_gif.gif": base.quantize(8),
    }
    for name, image in files.items():
        path = OUT / name
        image.save(path, **({"lossless": True} if name.endswith("webp") else {}))
        with Image.open(path) as stored:
            np.array(stored.convert("RGB")).tofile(path.with_suffix(".rgb"))
    deep = np.array(ramp).astype(np.uint16) * 257
    deep[0, :3] = [1, 255, 256]
    Image.fromarray(deep).save(OUT / "mode_grey16.png")
    # Pillow clips 16-bit grey when converting; the high byte is what the crate documents.
    np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, -1).tofile(OUT / "mode_grey16.rgb")
    y, x = np.mgrid[0:16, 0:24]
    smooth = np.stack([x * 9, y * 14, 255 - x * 5 - y * 5], -1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees", which the reference ignores
    path = OUT / "mode_jpeg.jpg"
    Image.fromarray(smooth).save(path, quality=95, subsampling=0, exif=exif)
    with Image.open(path) as stored:
        np.array(stored.convert("RGB")).tofile(path.with_suffix(".rgb"))


def patched(data, old, new):
    """`data` with one occurrence of `old` replaced."""
    assert data.count(old) == 1, (old, data.count(old))
    return data.replace(old, new)


def sampled(data, luma):
    """The same coefficients, read with other sampling factors for the first channel."""
    frame = data.index(b"\xff\xc0")
    return data[:frame + 11] + bytes([luma]) + data[frame + 12:]


def write_jpegs():
    """JPEGs of every kind, each with what `convert("RGB")` makes of it, as PNG."""

    def encoded(height, width, mode="RGB", **options):
        # Enlarged a little: detail in luma and chroma, but small files.
        image = Image.fromarray(picture(height // 2 + 1, width // 2 + 1, 31))
        buffer = io.BytesIO()
        image.resize((width, height)).convert(mode).save(buffer, "JPEG", **options)
        return buffer.getvalue()

    baseline = encoded(33, 17, subsampling=2, quality=80)
    inks = encoded(17, 19, "CMYK", quality=70)
    scan = b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11"
    adobe = b"Adobe\x00\x64\x00\x00\x00\x00"
    files = {
        "420": baseline,
        "422": encoded(33, 17, subsampling=1, quality=80),
        "444": encoded(17, 33, subsampling=0, quality=80),
        # As many blocks in as many units as the files they are made from.
        "440": sampled(encoded(32, 32, subsampling=1, quality=60), 0x12),
        "411": sampled(encoded(32, 64, subsampling=2, quality=40), 0x41),
        "one_pixel": encoded(1, 1, quality=80),
        "grey": encoded(19, 23, "L", quality=80),
        "grey_progressive": encoded(19, 23, "L", quality=80, progressive=True),
        "progressive": encoded(41, 35, subsampling=2, quality=70, progressive=True),
        "restarts": encoded(35, 41, subsampling=2, quality=70, restart_marker_blocks=2),
        "stored_as_rgb": encoded(13, 21, quality=70, keep_rgb=True),
        "cmyk": inks,
        "ycck": patched(inks, adobe + b"\x00", adobe + b"\x02"),
        "cmyk_without_adobe": patched(inks, b"Adobe", b"Other"),
        # Oddities of real files that are no damage: a scan header as some cameras write
        # it, padding before the end marker, and something after it.
        "odd_scan_header": patched(baseline, scan + b"\x00\x3f\x00", scan + bytes(3)),
        "padded": baseline[:-2] + bytes(5) + baseline[-2:] + b"more after the end",
    }
    for name, data in files.items():
        (OUT / f"jpeg_{name}.jpg").write_bytes(data)
        with Image.open(io.BytesIO(data)) as stored:
            stored.convert("RGB").save(OUT / f"jpeg_{name}.png", optimize=True)


def write_masks():
    """The same mask in every form a mask file comes in."""
    y, x = np.mgrid[0:9, 0:13]
    mask = ((x - 6) ** 2 + (y - 4) ** 2 < 14) | ((x == 12) & (y > 6))
    grey = mask.astype(np.uint8)
    palette = Image.fromarray(grey * 3).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128])
    colour = np.zeros((9, 13, 3), np.uint8)
    colour[mask] = [0, 0, 1]
    Image.fromarray(grey).save(OUT / "mask_one.png")
    Image.fromarray(grey * 255).save(OUT / "mask_255.png")
    Image.fromarray(mask).save(OUT / "mask_bilevel.png")
    Image.fromarray(grey.astype(np.uint16)).save(OUT / "mask_16bit.png")
    Image.fromarray(colour).save(OUT / "mask_rgb.png")
    palette.save(OUT / "mask_palette.png")


def write_rles():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:240, 0:320]
    ring = (np.hypot(x - 160, y - 120) < 100) & (np.hypot(x - 150, y - 130) > 40)
    masks = [
        np.zeros((5, 7)), np.ones((5, 7)), np.ones((1, 1)),
        rng.random((16, 11)) < 0.5, rng.random((40, 30)) < 0.02, rng.random((30, 40)) > 0.02,
        ring, (x // 7 + y // 5) % 3 == 0, y < 3, x >= 319, (x == 0) & (y == 0),
    ]
    records = []
    for index, mask in enumerate(masks):
        mask = np.asfortranarray(mask, dtype=np.uint8)
        rle = coco.encode(mask)
        name = f"rle_{index}.png"
        Image.fromarray(mask.astype(bool)).save(OUT / name)
        records.append({
            "file": name,
            "rle": {"size": rle["size"], "counts": rle["counts"].decode()},
            "area": int(coco.area(rle)),
            "bbox": [int(v) for v in coco.toBbox(rle)],
        })
    (OUT / "rle.json").write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write_resizes()
    write_modes()
    write_jpegs()
    write_masks()
    write_rles()
    print(f"{sum(f.stat().st_size for f in OUT.iterdir()) / 1024:.0f} KiB in {OUT}")
