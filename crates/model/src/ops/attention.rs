//! Scaled dot-product attention.

use burn::tensor::{Tensor, activation::softmax};

/// `softmax(q·kᵀ/√d)·v` for each head.
///
/// `q` is `[batch, queries, heads·d]`, `k` `[batch, keys, heads·d]`, `v` `[batch, keys, heads·e]`;
/// the result is `[batch, queries, heads·e]`.
pub(crate) fn attention(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, heads: usize) -> Tensor<3> {
    let [batch, queries, q_channels] = q.dims();
    let v_channels = v.dims()[2];
    let split = |x: Tensor<3>| {
        let [_, tokens, channels] = x.dims();
        x.reshape([batch, tokens, heads, channels / heads])
            .swap_dims(1, 2)
    };
    let scale = ((q_channels / heads) as f64).sqrt().recip();
    let scores = split(q).mul_scalar(scale).matmul(split(k).swap_dims(2, 3));
    softmax(scores, 3)
        .matmul(split(v))
        .swap_dims(1, 2)
        .reshape([batch, queries, v_channels])
}
