//! Attention and products of activations with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{
    Attention, AttentionGradient, AttentionGradients, Dropout, Epilogue, Heads, PackedMatrix,
    Precision, Rows, attention_gradient, attention_with_log_sums, matmul, matmul_nt,
    weight_gradient,
};

use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

/// [`super::attention_dropping`] in the graph. What drops weights is computed in f32.
pub(super) fn record_attention(
    q: &Tensor<3>,
    k: &Tensor<3>,
    v: &Tensor<3>,
    heads: usize,
    precision: Precision,
    dropout: Option<Dropout>,
) -> Option<Tensor<3>> {
    let inputs = [Recorded::of(q)?, Recorded::of(k)?, Recorded::of(v)?];
    let [batch, queries, q_channels] = q.dims();
    let [_, keys, v_channels] = v.dims();
    let [q, k, v] = inputs.each_ref().map(Recorded::view);
    let given = Given {
        q,
        k,
        v,
        batch,
        heads,
        queries,
        keys,
        key_dim: q_channels / heads,
        value_dim: v_channels / heads,
        precision: match dropout {
            Some(_) => Precision::F32,
            None => precision,
        },
        dropout,
    };
    let mut log_sums = vec![0.0; batch * queries * heads];
    let result = computed(batch * queries * v_channels, |out| {
        attention_with_log_sums(&given.kernel(), &mut log_sums, out)
    });
    let gradient = Kept {
        given,
        result: result.clone(),
        log_sums,
    };
    Some(record(
        inputs,
        gradient,
        result,
        [batch, queries, v_channels],
    ))
}

#[derive(Clone, Debug)]
struct Given {
    q: CpuView,
    k: CpuView,
    v: CpuView,
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    key_dim: usize,
    value_dim: usize,
    precision: Precision,
    dropout: Option<Dropout>,
}

impl Given {
    fn kernel(&self) -> Attention<'_> {
        let Self {
            batch,
            heads,
            queries,
            keys,
            key_dim,
            value_dim,
            precision,
            dropout,
            ..
        } = *self;
        Attention {
            batch,
            heads,
            key_dim,
            value_dim,
            q: Heads::dense(self.q.values(), queries, heads, key_dim),
            k: Heads::dense(self.k.values(), keys, heads, key_dim),
            v: Heads::dense(self.v.values(), keys, heads, value_dim),
            scale: (key_dim as f32).sqrt().recip(),
            precision,
            dropout,
        }
    }
}

#[derive(Clone, Debug)]
struct Kept {
    given: Given,
    result: CpuView,
    log_sums: Vec<f32>,
}

impl Gradient<3> for Kept {
    fn of_inputs(self, result: CpuView, _: [bool; 3]) -> [Option<CpuView>; 3] {
        let AttentionGradients { q, k, v } = attention_gradient(&AttentionGradient {
            inputs: self.given.kernel(),
            result: self.result.values(),
            log_sums: &self.log_sums,
            grad: result.values(),
        });
        [q, k, v].map(|values| Some(CpuView::owned(values)))
    }
}

/// [`super::products`] in the graph.
pub(super) fn record_products(a: &Tensor<3>, b: &Tensor<3>) -> Option<Tensor<3>> {
    let inputs = [Recorded::of(a)?, Recorded::of(b)?];
    let [batch, m, width] = a.dims();
    let n = b.dims()[1];
    let [a, b] = inputs.each_ref().map(Recorded::view);
    let gradient = ProductsGradient { a, b, m, n, width };
    let mut result = Vec::with_capacity(batch * m * n);
    for (a, b) in gradient.items() {
        let (a, b) = (Rows::dense(a, m), Rows::dense(b, n));
        result.extend(masklet_kernels::collect(m * n, |out| {
            matmul_nt(a, b, width, out)
        }));
    }
    Some(record(
        inputs,
        gradient,
        CpuView::owned(result),
        [batch, m, n],
    ))
}

#[derive(Clone, Debug)]
struct ProductsGradient {
    a: CpuView,
    b: CpuView,
    m: usize,
    n: usize,
    width: usize,
}

impl ProductsGradient {
    /// Both operands of each batch item.
    fn items(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        let Self { m, n, width, .. } = *self;
        let a = self.a.values().chunks_exact(m * width);
        a.zip(self.b.values().chunks_exact(n * width))
    }
}

impl Gradient<2> for ProductsGradient {
    fn of_inputs(self, result: CpuView, [of_a, of_b]: [bool; 2]) -> [Option<CpuView>; 2] {
        let Self { m, n, width, .. } = self;
        let (mut a_grad, mut b_grad) = (Vec::new(), Vec::new());
        for ((a, b), grad) in self.items().zip(result.values().chunks_exact(m * n)) {
            let grad = Rows::dense(grad, m);
            if of_a {
                let b = PackedMatrix::pack_transposed(b, n, width, Precision::F32);
                a_grad.extend(masklet_kernels::collect(m * width, |out| {
                    matmul(grad, &b, Epilogue::default(), out)
                }));
            }
            if of_b {
                let a = Rows::dense(a, m);
                b_grad.extend(masklet_kernels::collect(n * width, |out| {
                    weight_gradient(grad, n, a, width, out)
                }));
            }
        }
        [
            of_a.then(|| CpuView::owned(a_grad)),
            of_b.then(|| CpuView::owned(b_grad)),
        ]
    }
}
