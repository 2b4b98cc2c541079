//! A frame and its mask as a spatial memory.

use burn::tensor::Tensor;

use super::reference::{Reference, every};
use crate::MaskEncoding;
use crate::ops::{Interpolation, resize};

pub(super) fn compare(r: &Reference) {
    let features = r.features();
    let logits: Tensor<4> = r.tensor("memory_encoder/low_res_logits");
    for (case, score, clicked) in [
        ("tracked", 3.0, false),
        ("clicked", 3.0, true),
        ("absent", -3.0, false),
    ] {
        let score = Tensor::full([1, 1], score, &logits.device());
        let encoding = r.network.mask_encoding(clicked);
        let memory = r
            .network
            .remember(&features, logits.clone(), score, encoding);
        r.check_grid(&format!("memory_encoder/{case}/features"), memory);
    }
    r.check_grid(
        "memory_encoder/position",
        r.network.positions.memory.clone(),
    );

    let encoder = &r.network.memory_encoder;
    let size = r.network.config().image_size;
    let logits = logits.permute([0, 2, 3, 1]);
    let high_res = resize(logits, [size, size], Interpolation::Bilinear);
    let name = "memory_encoder/high_res_logits_every_3rd";
    r.check_map(name, every(high_res.clone(), 3));
    let mask = encoder.embed_mask(high_res, MaskEncoding::Soft);
    r.check_map("memory_encoder/tracked/mask", mask.clone());
    let fused = encoder.fuse(features.embedding, mask);
    r.check_map("memory_encoder/tracked/fused", fused);
}
