//! The self-test's network: small, with random parameters from a fixed seed.

use burn::tensor::{Tensor, TensorData};
use masklet::{Compute, MaskChoice, Model, Official, Sam2Config};
use masklet_kernels::cpu_features;
use masklet_model::config::{Family, Size, TrunkConfig};
use masklet_model::memory_bank::{Direction, MemoryBank, MemoryEntry, RecentChoice};
use masklet_model::{MaskEncoding, Point, PointLabel, Prompts};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::scene::MovingPattern;

const SEED: u64 = 2;

/// The values of each part of the network, and how they were computed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Computed {
    /// Instructions used for f32.
    pub(super) f32_path: String,
    /// Instructions used for bf16.
    pub(super) bf16_path: String,
    /// What each part gave, in the order of computation.
    pub(super) parts: Vec<Part>,
}

/// What a part of the network gave.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) values: Vec<f32>,
}

/// SAM 2.1 with a slim image encoder and a small picture: every kind of layer of the official
/// models, and little of each.
fn config() -> Sam2Config {
    let tiny = Official {
        family: Family::Sam2_1,
        size: Size::Tiny,
    };
    let mut trunk = tiny.trunk();
    trunk.embed_dim = 32;
    trunk.stages = vec![1, 1, 2, 1];
    trunk.global_attention_blocks = vec![3];
    let mut config = tiny.config();
    config.trunk = TrunkConfig::Hiera(trunk);
    config.image_size = 256;
    config.memory_attention.num_layers = 2;
    config
}

/// Takes a frame through the whole network, and a second one with the memory of the first.
///
/// No value depends on a choice (a best mask, an object there or not), which arithmetic of another
/// precision might make otherwise.
pub(super) fn compute(compute: Compute) -> Result<Computed, Failure> {
    let model = Model::random(&config(), SEED, compute)?;
    let network = model.network();
    let frames = MovingPattern::new(2);
    let mut parts = Vec::new();
    let mut part = |name: &str, tensor: TensorData| {
        parts.push(Part {
            name: name.to_owned(),
            values: tensor.iter::<f32>().collect(),
        });
    };

    let features = network.encode_image(frames.pixels(&model));
    part("image encoder", features.embedding.to_data());
    let click = Point {
        x: 80.0,
        y: 128.0,
        label: PointLabel::Positive,
    };
    let prompts = Prompts {
        points: vec![vec![click]],
        masks: None,
    };
    let embedding = network.condition(&features, None);
    let decoded = network.segment(embedding, &features, prompts, MaskChoice::Multi);
    part("mask decoder", decoded.logits.to_data());
    let present = Tensor::ones([1, 1], model.device());
    let first = decoded.logits.narrow(1, 0, 1);
    let spatial = network.remember(&features, first, present, MaskEncoding::Soft);
    part("memory encoder", spatial.to_data());

    let [_, _, dim] = decoded.tokens.dims();
    let entry = MemoryEntry {
        spatial,
        pointer: decoded.tokens.narrow(1, 0, 1).reshape([1, dim]),
    };
    let mut bank = MemoryBank::default();
    bank.insert_conditioning(0, entry);
    let choice = RecentChoice::ByAge;
    let memories = bank.select(1, Direction::Forward, None, &model.config().memory, choice);
    let conditioned = network.condition(&features, Some(&memories));
    part("memory attention", conditioned.to_data());

    let features = cpu_features();
    Ok(Computed {
        f32_path: features.f32_path.to_owned(),
        bf16_path: features.bf16_path.to_owned(),
        parts,
    })
}
