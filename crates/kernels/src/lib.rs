//! CPU kernels.
mod activations;
mod attention;
mod buffers;
mod conv;
mod cpu;
mod elementwise;
mod epilogue;
mod math;
mod matmul;
mod norm;
mod output;
mod pack;
mod peak;
mod product;
mod resize;
mod rotary;
mod rows;
mod simd;
#[cfg(test)]
mod tests;

pub use activations::{matmul_nn, matmul_nt};
pub use attention::{
    Attention, Heads, QueryPooling, Window, WindowedAttention, attention, windowed_attention,
};
pub use buffers::{BufferPool, pooled_vec, recycle};
pub use conv::{
    Conv2d, ConvShape, ConvTranspose2x2, DepthwiseConv, Images, conv_transpose_2x2, conv2d,
    depthwise_conv,
};
pub use cpu::{CpuFeatures, bf16_native, cpu_features};
pub use elementwise::{activate, add, add_bias, add_scaled, add_scaled_assign, sigmoid_scaled};
pub use epilogue::{Activation, Epilogue};
pub use matmul::{Mlp, matmul, matmul_add, matmul_norm, mlp, mlp_add};
pub use norm::{layer_norm, layer_norm_activated, softmax_rows};
pub use output::{Out, Written, collect};
pub use pack::PackedMatrix;
pub use peak::peak_gflops;
pub use product::Precision;
pub use resize::{max_pool_2x2, resize_bilinear, upsample_add};
pub use rotary::{RotaryTable, rotary};
pub use rows::{LayerNorm, Rows};
