//! CPU kernels over slices.
mod attention;
mod buffers;
mod cpu;
mod epilogue;
mod math;
mod matmul;
mod output;
mod pack;
mod peak;
mod product;
mod rows;
mod simd;
#[cfg(test)]
mod tests;

pub use attention::{
    Attention, Heads, QueryPooling, Window, WindowedAttention, attention, windowed_attention,
};
pub use buffers::{BufferPool, pooled_vec, recycle};
pub use cpu::{CpuFeatures, bf16_native, cpu_features};
pub use epilogue::{Activation, Epilogue};
pub use matmul::{Mlp, matmul, matmul_add, matmul_norm, mlp, mlp_add};
pub use output::{Out, Written, collect};
pub use pack::PackedMatrix;
pub use peak::peak_gflops;
pub use product::Precision;
pub use rows::{LayerNorm, Rows};
