//! Scaled dot-product attention, and plain products of two activations.

mod gradient;

use burn::tensor::{Tensor, TensorData, activation::softmax};
use masklet_kernels::{Attention, Dropout, Heads, Precision, Rows, matmul_nt};

use super::cpu::{CpuView, written};
use super::dropout::attention_dropout;
use gradient::{record_attention, record_products};

/// `softmax(q·kᵀ/√d)·v` for each head.
///
/// `q` is `[batch, queries, heads·d]`, `k` `[batch, keys, heads·d]`, `v` `[batch, keys, heads·e]`;
/// the result is `[batch, queries, heads·e]`. `precision` is that of the kernels' products.
pub(crate) fn attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    heads: usize,
    precision: Precision,
) -> Tensor<3> {
    attention_dropping(q, k, v, heads, precision, 0.0)
}

/// [`attention`], some of whose weights are left out in training.
pub(crate) fn attention_dropping(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    heads: usize,
    precision: Precision,
    rate: f64,
) -> Tensor<3> {
    let [batch, queries, q_channels] = q.dims();
    let [_, keys, v_channels] = v.dims();
    let (key_dim, value_dim) = (q_channels / heads, v_channels / heads);
    let scale = (key_dim as f64).sqrt().recip();
    let views = (CpuView::of(&q), CpuView::of(&k), CpuView::of(&v));
    if let (Some(q_view), Some(k_view), Some(v_view)) = &views {
        let inputs = Attention {
            batch,
            heads,
            key_dim,
            value_dim,
            q: Heads::dense(q_view.values(), queries, heads, key_dim),
            k: Heads::dense(k_view.values(), keys, heads, key_dim),
            v: Heads::dense(v_view.values(), keys, heads, value_dim),
            scale: scale as f32,
            precision,
            dropout: None,
        };
        return written([batch, queries, v_channels], &q.device(), |out| {
            masklet_kernels::attention(&inputs, out)
        });
    }
    let dropout = attention_dropout(&q, rate);
    if let Some(result) = record_attention(&q, &k, &v, heads, precision, dropout) {
        return result;
    }
    let split = |x: Tensor<3>| {
        let [_, tokens, channels] = x.dims();
        x.reshape([batch, tokens, heads, channels / heads])
            .swap_dims(1, 2)
    };
    let scores = split(q).mul_scalar(scale).matmul(split(k).swap_dims(2, 3));
    left_out(softmax(scores, 3), dropout)
        .matmul(split(v))
        .swap_dims(1, 2)
        .reshape([batch, queries, v_channels])
}

/// The weights `[batch, heads, queries, keys]` without those that are left out.
fn left_out(weights: Tensor<4>, dropout: Option<Dropout>) -> Tensor<4> {
    let Some(dropout) = dropout else {
        return weights;
    };
    let [batch, heads, queries, keys] = weights.dims();
    let factors = dropout.factors(batch * heads, queries, keys);
    let factors = TensorData::new(factors, weights.dims());
    let factors = Tensor::from_data(factors, &weights.device());
    weights * factors
}

/// `a·bᵀ` for each batch item: `[batch, m, width]` and `[batch, n, width]` give `[batch, m, n]`.
pub(crate) fn products(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let [batch, m, width] = a.dims();
    let n = b.dims()[1];
    if let (1, Some(a_view), Some(b_view)) = (batch, CpuView::of(&a), CpuView::of(&b)) {
        return written([1, m, n], &a.device(), |out| {
            let (a, b) = (
                Rows::dense(a_view.values(), m),
                Rows::dense(b_view.values(), n),
            );
            matmul_nt(a, b, width, out)
        });
    }
    match record_products(&a, &b) {
        Some(result) => result,
        None => a.matmul(b.swap_dims(1, 2)),
    }
}
