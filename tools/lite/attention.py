"""How the attention of the lite model begins: as a comparison of like with like.

Where queries and keys are projected by the same matrix, attention looks at what is similar, before anything
is learned ("Mimetic Initialization", arXiv 2305.09828, found such matrices in trained networks): a
click's token at the place in the picture that has its position, a pixel of a frame at the memory of pixels
that look like it. From independent random matrices the mask decoder did not learn where a click is within
the training that two cores can do.
"""

import torch

DECODER_SCALE = 1.8
MEMORY_SCALE = 1.5


def beginning(dim: int, memory_dim: int, decoder_layers: int, memory_layers: int):
    """The tensors that do not begin at random."""
    generator = torch.Generator().manual_seed(2)

    def orthogonal(rows: int, columns: int):
        size = max(rows, columns)
        return torch.linalg.qr(torch.randn(size, size, generator=generator))[0][:rows, :columns].contiguous()

    tensors = {}

    def attention(name: str, query, key):
        for projection, weight in (("q_proj", query), ("k_proj", key)):
            tensors[f"{name}.{projection}.weight"] = weight.clone().contiguous()
            tensors[f"{name}.{projection}.bias"] = torch.zeros(len(weight))

    decoder = "sam_mask_decoder.transformer."
    for layer in range(decoder_layers):
        for way in ("cross_attn_token_to_image", "cross_attn_image_to_token"):
            shared = DECODER_SCALE * orthogonal(dim // 2, dim)
            attention(f"{decoder}layers.{layer}.{way}", shared, shared)
    shared = DECODER_SCALE * orthogonal(dim // 2, dim)
    attention(f"{decoder}final_attn_token_to_image", shared, shared)

    # A memory begins as its frame's features, turned into fewer channels.
    fewer = orthogonal(memory_dim, dim)
    tensors["memory_encoder.pix_feat_proj.weight"] = torch.eye(dim)[:, :, None, None].clone()
    tensors["memory_encoder.pix_feat_proj.bias"] = torch.zeros(dim)
    tensors["memory_encoder.out_proj.weight"] = fewer[:, :, None, None].contiguous()
    tensors["memory_encoder.out_proj.bias"] = torch.zeros(memory_dim)
    for layer in range(memory_layers):
        shared = orthogonal(dim, dim)
        name = f"memory_attention.layers.{layer}.cross_attn_image"
        attention(name, MEMORY_SCALE * shared, 2 * MEMORY_SCALE * shared @ fewer.T)
    return tensors
