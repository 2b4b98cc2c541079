//! Two-way transformer, upscaling, all four masks and the choice among them.

use burn::tensor::Tensor;

use super::prompt_encoder::{embed, mask};
use super::reference::{Reference, every};
use crate::MaskChoice;
use crate::mask_decoder::{stability, stable_or_best};

pub(super) fn compare(r: &Reference) {
    // Cases of the decoder, their points, and whether there is a mask.
    for (case, points, masked) in [
        ("points", "points", false),
        ("box", "box", false),
        ("mask", "nothing", true),
    ] {
        compare_case(r, case, points, masked.then(|| mask(r)));
    }
    compare_fallback(r);
}

fn compare_case(r: &Reference, case: &str, points: &str, mask: Option<Tensor<4>>) {
    let decoder = &r.network.mask_decoder;
    let name = |what: &str| format!("decoder/{case}/{what}");
    let features = r.features();
    let skips = [features.stride4.clone(), features.stride8.clone()];
    let prompts = embed(r, points, mask);
    let embedding = r.network.condition(&features, None);
    let positions = r.network.prompt_encoder.dense_positions();

    let [batch, grid, _, dim] = embedding.dims();
    let tokens = decoder.tokens(prompts.sparse.clone(), batch);
    let image = (embedding.clone() + prompts.dense.clone()).reshape([batch, grid * grid, dim]);
    let (tokens, image) = decoder
        .transformer
        .forward(tokens, image, positions.clone());
    r.check(&name("transformer_tokens"), tokens);
    if case == "points" {
        r.check(&name("transformer_image"), image.clone());
        let upscaled = decoder.upscale(image.reshape([batch, grid, grid, dim]), skips.clone());
        r.check_map(&name("upscaled"), upscaled);
    }

    let all = decoder.decode_all(
        embedding.clone(),
        positions.clone(),
        skips.clone(),
        prompts.clone(),
    );
    if case == "points" {
        r.check(&name("masks"), all.logits.clone());
    } else {
        let channels_last = all.logits.clone().permute([0, 2, 3, 1]);
        r.check_map(&name("masks_every_2nd"), every(channels_last, 2));
    }
    r.check(&name("ious"), all.iou);
    r.check(&name("object_score"), all.object_score);
    r.check(&name("mask_tokens"), all.tokens);
    let delta = decoder.fallback.expect("the micro model falls back").delta;
    r.check(&name("stability"), stability(all.logits.clone(), delta));

    let single = decoder.forward(embedding, positions, skips, prompts, MaskChoice::Single);
    r.check(&name("single_iou"), single.iou);
    let which: Tensor<1> = r.tensor(&name("single_is_mask"));
    let expected = all.logits.narrow(1, which.into_scalar::<f32>() as usize, 1);
    assert_eq!(
        single.logits.into_data(),
        expected.into_data(),
        "{}",
        name("single_is_mask")
    );
}

fn compare_fallback(r: &Reference) {
    let fallback = r.network.mask_decoder.fallback;
    let fallback = fallback.expect("the micro model falls back");
    let masks: Tensor<4> = r.tensor("fallback/masks");
    let single = masks.clone().narrow(1, 0, 1);
    let scores = stability(single, fallback.delta).swap_dims(0, 1);
    r.check("fallback/stability", scores);
    let (chosen, ious) = stable_or_best(masks, r.tensor("fallback/ious"), fallback);
    r.check("fallback/chosen_masks", chosen);
    r.check("fallback/chosen_ious", ious);
}
