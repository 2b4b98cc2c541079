//! Encodings that depend on no input.

use burn::tensor::Device;

use super::reference::Reference;
use crate::ops::RotaryTable;
use crate::position_encoding::{sine_1d, sine_2d};

pub(super) fn compare(r: &Reference) {
    let device = Device::flex();
    let config = r.network.config();
    let (grid, dim) = (config.grid(), config.hidden_dim);
    let memory_dim = config.memory_encoder.memory_dim;
    r.check_grid("position/sine_image", sine_2d(grid, dim, &device));
    r.check_grid("position/sine_memory", sine_2d(grid, memory_dim, &device));

    let distances = r
        .tensor::<1>("position/temporal_distances")
        .div_scalar(15.0);
    let distances: Vec<f32> = distances.into_data().try_into_vec().unwrap();
    r.check("position/temporal_sine", sine_1d(&distances, dim, &device));

    let rotary = RotaryTable::new(grid, dim, config.memory_attention.rope_theta, &device);
    r.check("position/rotary_cos", rotary.cos);
    r.check("position/rotary_sin", rotary.sin);

    let dense = r.network.prompt_encoder.dense_positions();
    r.check_grid("position/dense_prompt", dense);
}
