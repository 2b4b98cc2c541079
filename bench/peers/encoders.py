"""The image encoder in PyTorch, ONNX Runtime and OpenVINO: each function returns a callable from an
image [1, 3, side, side] to the three feature maps, finest first, as `SAM2Base.forward_image` gives
them to the rest of the model (with conv_s0 and conv_s1)."""

from contextlib import nullcontext

import numpy as np

import common

OUTPUTS = ["stride_4", "stride_8", "stride_16"]


def load_model(files):
    """The official `SAM2VideoPredictor` with the checkpoint's weights."""
    import torch

    reference = common.import_reference()
    family, size = files.folder.name.split("-")
    model = reference.build(reference.official_config(family, size))
    model.load_state_dict(torch.load(files.checkpoint, weights_only=True)["model"])
    return model


def image(files):
    """The first frame, preprocessed, [1, 3, side, side]."""
    side = 1024
    return common.import_reference().frame_tensor(np.load(files.frames)[0], side)[None].numpy()


def load_module(files):
    """`forward_image` as a module that can be exported."""
    import torch

    class ImageEncoder(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, image):
            return tuple(self.model.forward_image(image)["backbone_fpn"])

    return ImageEncoder(load_model(files)).eval().requires_grad_(False)


def autocast(precision):
    import torch

    return torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()


def pytorch(files, precision, threads=None):
    import torch

    if threads:
        torch.set_num_threads(threads)
    module = load_module(files)

    def run(image):
        with torch.inference_mode(), autocast(precision):
            return [output.float().numpy() for output in module(torch.from_numpy(image))]

    return run


def onnxruntime(files, _precision, threads):
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = runtime.InferenceSession(files.onnx, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(OUTPUTS, {"image": image})


def openvino(files, precision, threads):
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(core.read_model(files.openvino), "CPU", {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
    })
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != {"f32": "f32", "bf16": "bf16"}[precision]:
        raise SystemExit(f"OpenVINO runs in {used} on this processor, not in {precision}")
    request = compiled.create_infer_request()

    def run(image):
        request.infer([image], share_inputs=True)
        return [request.get_output_tensor(i).data for i in range(len(OUTPUTS))]

    return run


ENGINES = {"pytorch": pytorch, "onnxruntime": onnxruntime, "openvino": openvino}


def largest_difference(outputs, expected):
    """The largest difference of a feature map, relative to the map's largest value."""
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(outputs, expected))
