//! Keys made of memories and pointers, and the features conditioned on them.

use burn::tensor::Tensor;

use super::reference::Reference;
use crate::memory_bank::{MemoryEntry, PointerMemory, Selection, SpatialMemory};

pub(super) fn compare(r: &Reference) {
    let config = r.network.config();
    let (grid, dim) = (config.grid(), config.hidden_dim);
    let memory_dim = config.memory_encoder.memory_dim;
    let tokens: Tensor<3> = r.tensor("memory_attention/memory");
    let pointers: Tensor<2> = r.tensor("memory_attention/pointers");
    let entry = |spatial: usize, pointer: usize| MemoryEntry {
        spatial: tokens.clone().narrow(1, spatial * grid * grid, grid * grid),
        pointer: pointers.clone().narrow(0, pointer, 1),
    };
    // Two spatial memories and three pointers; the third pointer's spatial memory is not looked at.
    let entries = [entry(0, 0), entry(1, 1), entry(0, 2)];
    let distances = r.tensor::<1>("memory_attention/pointer_distances");
    let distances: Vec<f32> = distances.into_data().try_into_vec().unwrap();
    let selection = Selection {
        spatial: [0, 1]
            .map(|age| SpatialMemory {
                age,
                entry: &entries[age],
            })
            .into(),
        pointers: distances
            .into_iter()
            .zip(&entries)
            .map(|(distance, entry)| PointerMemory { distance, entry })
            .collect(),
        max_distance: 15.0,
    };

    let memory = r.network.memory_tokens(&selection);
    r.check("memory_attention/memory", memory.tokens.clone());
    r.check("memory_attention/memory_position", memory.positions.clone());
    if r.has("memory_attention/pointer_position") {
        let split = dim / memory_dim;
        let of_pointers = memory
            .positions
            .clone()
            .narrow(1, 2 * grid * grid, 3 * split);
        let of_pointers = of_pointers.reshape([3, split, memory_dim]).narrow(1, 0, 1);
        let of_pointers = of_pointers.reshape([3, memory_dim]);
        r.check("memory_attention/pointer_position", of_pointers);
    }

    let features = r.features();
    let attention = &r.network.memory_attention;
    let keys = memory.tokens.clone() + memory.positions.clone();
    let embedding = features.embedding.clone().reshape([1, grid * grid, dim]);
    let input = embedding + attention.geometry.positions.clone();
    let first = attention.layers[0].forward(input, &keys, &memory, &attention.geometry);
    r.check("memory_attention/after_layer_0", first);

    let output = r.network.condition(&features, Some(&selection));
    let output = output.reshape([1, grid * grid, dim]);
    r.check("memory_attention/output", output);
}
