//! Gradients: what training needs besides the forward kernels.
//!
//! Each kernel takes the gradient of an operation's output and gives those of its inputs. Nothing
//! that is long is kept from the forward pass: normalised rows and attention's weights are computed
//! again while their inputs are in the cache.
//!
//! Sums over rows are cut into parts by the sizes alone and added in order, so a gradient does not
//! depend on the number of threads or on their timing.

mod activation;
mod attention;
mod attention_core;
mod conv;
mod depthwise;
mod norm;
mod pooling;
mod resize;
mod sums;
mod weights;
mod windowed;

pub use activation::activation_gradient;
pub use attention::{AttentionGradient, AttentionGradients, attention_gradient};
pub use conv::{conv2d_gradient, conv2d_weight_gradient};
pub use depthwise::depthwise_weight_gradient;
pub use norm::{NormGradients, layer_norm_gradient};
pub use pooling::{max_pool_2x2_gradient, sum_2x2};
pub use resize::resize_bilinear_gradient;
pub use sums::column_sums;
pub use weights::weight_gradient;
pub use windowed::{WindowedGradients, windowed_attention_gradient};
