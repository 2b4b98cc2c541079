//! The operations the network is made of, each written once.
//!
//! Every operation is composed of tensor operations, so that it runs on any device and is
//! differentiable. Images and feature maps are channels-last, `[batch, height, width, channels]`,
//! and token sequences `[batch, tokens, channels]`.

mod attention;
mod conv;
mod linear;
mod norm;
mod resize;
mod rotary;

pub(crate) use attention::attention;
pub(crate) use conv::{Conv2d, ConvTranspose2x2, max_pool_2x2, upsample_nearest_2x};
pub(crate) use linear::{Activation, Linear, Mlp};
pub(crate) use norm::LayerNorm;
pub use resize::{Interpolation, resize};
pub(crate) use rotary::RotaryTable;
