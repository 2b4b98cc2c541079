//! The operations the network is made of.
//!
//! Every operation is composed of tensor operations, so that it runs on any device and is
//! differentiable. Where its tensors are f32 values on the CPU it calls a kernel of `masklet-kernels`
//! instead: plain values come in through [`cpu`], and where gradients are recorded, through
//! [`recorded`], which also knows the kernel of the backward pass (the `gradient.rs` beside each
//! operation). The composed form stays the reference that both fast forms are tested against.
//!
//! Images and feature maps are channels-last, `[batch, height, width, channels]`, and token
//! sequences `[batch, tokens, channels]`.

mod attention;
mod conv;
mod cpu;
mod dropout;
mod feed_forward;
#[cfg(test)]
mod gradient_tests;
mod grid_attention;
mod linear;
mod norm;
mod recorded;
mod resize;
mod rotary;
mod sample;
#[cfg(test)]
mod tests;
mod window_attention;
mod window_block;

pub(crate) use attention::{attention, attention_dropping, products};
pub(crate) use conv::{Conv2d, ConvTranspose2x2, DepthwiseConv};
#[cfg(test)]
pub(crate) use cpu::composed;
pub use dropout::seed_dropout;
pub(crate) use dropout::{drop_path, dropout, drops};
pub(crate) use feed_forward::{FeedForward, Mlp};
pub(crate) use grid_attention::GridMemories;
pub(crate) use linear::{Activation, Linear, PackForGood};
pub(crate) use norm::LayerNorm;
pub use resize::{Interpolation, resize};
pub(crate) use rotary::RotaryTable;
pub(crate) use sample::{max_pool_2x2, sigmoid_scaled, upsample_nearest_2x_add};
pub(crate) use window_attention::{WindowSpec, window_attention};
pub(crate) use window_block::BlockParts;
