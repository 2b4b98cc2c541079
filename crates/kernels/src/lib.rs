//! The arithmetic of promptable segmentation on a CPU, as functions over `f32` slices.
//!
//! This is the floor under `masklet-model`: every operation the network spends time in, written for
//! the instructions the processor has, and the workspace's only crate with `unsafe` code. It knows
//! nothing of tensors, weights files or the network. Slices are row-major and images channels-last;
//! doc comments give the shapes.
//!
//! ```
//! use masklet_kernels::*;
//! // y = gelu(x W^T + b) for two rows of three numbers; W is [4, 3] as in PyTorch.
//! let weight = PackedMatrix::pack(&[0.1; 12], 4, 3, Precision::F32);
//! let x = [1.0, 2.0, 3.0, -1.0, -2.0, -3.0];
//! let epilogue = Epilogue::activated(&[0.0; 4], Activation::Gelu);
//! let y = collect(8, |out| matmul(Rows::dense(&x, 2), &weight, epilogue, out));
//! assert!(y[0] > 0.4 && y[4] < 0.0);
//! ```
//!
//! # Why it is made this way
//!
//! **One kernel, several instruction sets.** A kernel is written once, generic over a small vector
//! vocabulary (`simd.rs`), and compiled once for each of AVX-512, AVX2, NEON and plain Rust. Which
//! one runs is decided at run time, once per call; `MASKLET_CPU=avx512bf16|avx512|avx2|portable` sets
//! an upper limit. bf16 products use AMX tiles or `vdpbf16ps` where there are any; elsewhere bf16
//! weights are widened to f32 on the way, which still halves their memory traffic. AMX multiplies f32
//! numbers too, cut into three bf16 parts, with less error than multiply-adds (`product/parts.rs`).
//! `MASKLET_CPU=bf16-emulated` rounds both operands as those instructions do, on any processor.
//!
//! **One product under everything.** Linear layers, MLPs, attention and convolutions are all blocks
//! of rows times panels of 32 columns (`product.rs`), with sums in registers from first to last. They
//! differ in where rows come from (in place, normalised, gathered from an image) and what happens to
//! the sums (bias, activation, residual, softmax), and both are done while the data is in the cache.
//!
//! **Memory decides.** On the processors we measured, writing a product to memory costs more than
//! computing it: output lines are fetched before the sums are ready, an MLP's hidden rows and
//! attention's scores never leave the cache, and workspaces are kept by their thread. Results go to
//! memory that need not be initialised ([`collect`], [`Out`]); a [`Written`] proves that it was filled.
//!
//! **The same bytes.** A number is summed in the same order whatever the number of threads.
//!
//! # Files
//!
//! | | |
//! |---|---|
//! | `cpu`, `simd` (`avx512`, `avx2`, `neon`, `portable`), `peak` | what the processor can do |
//! | `product` (`amx`, `dot`, `parts`), `panel`, `pack`, `rows`, `epilogue`, `matmul`, `mlp`, `block`, `activations` | products |
//! | `attention` (`keys`, `core`, `softmax`, `dropout`, `windowed`, `grid`) | attention |
//! | `conv` (`depthwise`, `transposed`), `resize`, `rotary`, `norm`, `elementwise`, `math` | the rest |
//! | `gradient` and the files in it, named like those of the forward kernels | what training needs besides |
//! | `buffers`, `output` | memory |
#![deny(missing_docs)]

mod activations;
mod attention;
mod block;
mod buffers;
mod conv;
mod cpu;
mod elementwise;
mod epilogue;
mod gradient;
mod math;
mod matmul;
mod mlp;
mod norm;
mod output;
mod pack;
mod panel;
mod peak;
mod product;
mod resize;
mod rotary;
mod rows;
mod simd;
#[cfg(test)]
mod tests;

pub use activations::matmul_nt;
pub use attention::{
    Attention, Dropout, GridAttention, Heads, QueryPooling, Window, WindowedAttention, attention,
    attention_with_log_sums, grid_attention, windowed_attention, windowed_attention_with_log_sums,
};
pub use block::{Projection, WindowBlock, window_block};
pub use conv::{
    Conv2d, ConvShape, ConvTranspose2x2, DepthwiseConv, DepthwiseShape, Images, conv_transpose_2x2,
    conv2d, depthwise_conv, depthwise_gradient,
};
pub use cpu::{CpuFeatures, bf16_native, cpu_features};
pub use elementwise::{activate, activated, sigmoid_scaled};
pub use epilogue::{Activation, Epilogue};
pub use gradient::{
    AttentionGradient, AttentionGradients, NormGradients, WindowedGradients, activation_gradient,
    attention_gradient, column_sums, conv2d_gradient, conv2d_weight_gradient,
    depthwise_weight_gradient, layer_norm_gradient, max_pool_2x2_gradient,
    resize_bilinear_gradient, sum_2x2, weight_gradient, windowed_attention_gradient,
};
pub use matmul::{matmul, matmul_add, matmul_norm};
pub use mlp::{Mlp, mlp, mlp_add};
pub use norm::{layer_norm, layer_norm_activated};
pub use output::{Out, Written, collect};
pub use pack::PackedMatrix;
pub use peak::peak_gflops;
pub use product::Precision;
pub use resize::{max_pool_2x2, resize_bilinear, upsample_add};
pub use rotary::{RotaryTable, rotary};
pub use rows::{LayerNorm, Rows};
