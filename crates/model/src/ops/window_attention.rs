//! Multi-head self-attention inside windows of a feature map.

mod gradient;

use burn::tensor::Tensor;
use masklet_kernels::{Precision, QueryPooling, Window, WindowedAttention, windowed_attention};

use super::cpu::{CpuView, written};
use super::{attention, max_pool_2x2};
use gradient::record_window_attention;

/// How a map is attended to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowSpec {
    pub(crate) heads: usize,
    /// Side of the windows in tokens; `None` attends globally.
    pub(crate) window: Option<usize>,
    /// Whether queries are pooled 2×2 inside their window, which halves the resolution.
    pub(crate) pools: bool,
    /// Of the kernels' products.
    pub(crate) precision: Precision,
}

/// Self-attention inside windows.
///
/// `qkv` is `[batch, height, width, 3·channels]`. Where windows reach over the bottom or right edge
/// they are filled with tokens whose query, key and value are `padding` `[3·channels]`: the
/// reference pads with zeros before the projection, so that padding is the projection's bias and
/// takes part as keys. The result is `[batch, height', width', channels]`, the primed sizes halved
/// (rounded down) if queries are pooled.
pub(crate) fn window_attention(qkv: Tensor<4>, padding: Tensor<1>, spec: WindowSpec) -> Tensor<4> {
    let [batch, height, width, _] = qkv.dims();
    let shrink = if spec.pools { 2 } else { 1 };
    let (out_height, out_width) = (height / shrink, width / shrink);
    if let (Some(view), Some(padding)) = (CpuView::of(&qkv), CpuView::of(&padding)) {
        let inputs = kernel_inputs(&view, &padding, qkv.dims(), spec);
        let shape = [batch, out_height, out_width, inputs.heads * inputs.dim];
        return written(shape, &qkv.device(), |out| windowed_attention(&inputs, out));
    }
    if let Some(result) = record_window_attention(&qkv, &padding, spec) {
        return result;
    }
    let Some(window) = spec.window else {
        return attend(qkv, spec);
    };
    let grid = [height.div_ceil(window), width.div_ceil(window)];
    let attended = attend(partition(qkv, padding, window, grid), spec);
    merge(attended, window / shrink, grid, [out_height, out_width])
}

/// The attention as the kernels take it; `shape` is that of `qkv`.
fn kernel_inputs<'a>(
    qkv: &'a CpuView,
    padding: &'a CpuView,
    [batch, height, width, channels]: [usize; 4],
    spec: WindowSpec,
) -> WindowedAttention<'a> {
    let dim = channels / 3 / spec.heads;
    WindowedAttention {
        qkv: qkv.values(),
        padding: padding.values(),
        batch,
        height,
        width,
        heads: spec.heads,
        dim,
        window: spec.window.map_or(Window::Global, Window::Square),
        pooling: if spec.pools {
            QueryPooling::Max2x2
        } else {
            QueryPooling::None
        },
        scale: (dim as f32).sqrt().recip(),
        precision: spec.precision,
    }
}

/// Attention among all tokens of each map, `[maps, height, width, 3·channels]` →
/// `[maps, height', width', channels]`.
fn attend(qkv: Tensor<4>, spec: WindowSpec) -> Tensor<4> {
    let [maps, _, _, channels] = qkv.dims();
    let channels = channels / 3;
    let part = |i: usize| qkv.clone().narrow(3, i * channels, channels);
    let tokens = |x: Tensor<4>| x.reshape([maps as i32, -1, channels as i32]);
    let q = if spec.pools {
        max_pool_2x2(part(0))
    } else {
        part(0)
    };
    let shape = q.dims();
    attention(
        tokens(q),
        tokens(part(1)),
        tokens(part(2)),
        spec.heads,
        spec.precision,
    )
    .reshape(shape)
}

/// Cuts a map into `rows × columns` windows, filled up with `padding`.
/// `[batch, height, width, channels]` → `[batch·windows, window, window, channels]`.
fn partition(
    x: Tensor<4>,
    padding: Tensor<1>,
    window: usize,
    [rows, columns]: [usize; 2],
) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let x = extend(x, 1, rows * window - height, &padding);
    let x = extend(x, 2, columns * window - width, &padding);
    x.reshape([batch, rows, window, columns, window, channels])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([batch * rows * columns, window, window, channels])
}

/// Puts `rows × columns` windows back together and cuts off the padding.
fn merge(
    windows: Tensor<4>,
    window: usize,
    [rows, columns]: [usize; 2],
    [height, width]: [usize; 2],
) -> Tensor<4> {
    let [count, _, _, channels] = windows.dims();
    let batch = count / (rows * columns);
    windows
        .reshape([batch, rows, columns, window, window, channels])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([batch, rows * window, columns * window, channels])
        .narrow(1, 0, height)
        .narrow(2, 0, width)
}

/// Appends `count` positions of `padding` along `dim`.
fn extend(x: Tensor<4>, dim: usize, count: usize, padding: &Tensor<1>) -> Tensor<4> {
    if count == 0 {
        return x;
    }
    let mut shape = x.dims();
    shape[dim] = count;
    let filling = padding.clone().reshape([1, 1, 1, shape[3]]).expand(shape);
    Tensor::cat(vec![x, filling], dim)
}
