//! Patch embedding, stages, neck levels and projected features.

use super::reference::{Reference, every};
use crate::image_encoder::Trunk;

pub(super) fn compare(r: &Reference) {
    let encoder = &r.network.image_encoder;
    let Trunk::Hiera(trunk) = &encoder.trunk else {
        panic!("the official models have a Hiera");
    };
    let embedded = trunk.embed(r.pixels());
    r.check("trunk/embedded_every_2nd", every(embedded, 2));

    let stages = trunk.forward(r.pixels());
    r.check("trunk/stage_0_every_2nd", every(stages[0].clone(), 2));
    for (i, stage) in stages.iter().enumerate().skip(1) {
        r.check(&format!("trunk/stage_{i}"), stage.clone());
    }

    let mut neck = encoder.neck.clone();
    neck.scalp = 0;
    let levels = neck.forward(stages);
    r.check_map("neck/level_0_every_4th", every(levels[0].clone(), 4));
    r.check_map("neck/level_1_every_2nd", every(levels[1].clone(), 2));
    r.check_map("neck/level_3", levels[3].clone());

    let features = r.network.encode_image(r.pixels());
    r.check_map("features/stride_4", features.stride4);
    r.check_map("features/stride_8", features.stride8);
    r.check_map("features/stride_16", features.embedding);
}
