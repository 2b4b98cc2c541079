//! How long a part of the network takes forwards, and forwards and backwards, with gradients recorded
//! on the CPU; `bench/gradients/compare.py` sets it beside PyTorch.
//!
//! ```sh
//! cargo run --release -p masklet-model --example gradients -- encoder 256 8
//! ```
//!
//! Arguments: `encoder`, `attention`, `decoder` or `memory`; the side of the image; the batch. Prints
//! one line of JSON. Parameters are random: time does not depend on them.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use masklet_model::config::Preset;
use masklet_model::memory_bank::{MemoryEntry, PointerMemory, Selection, SpatialMemory};
use masklet_model::{
    Compute, ImageFeatures, LoadedModel, MaskChoice, MaskEncoding, Point, PointLabel, Precision,
    Prompts, Sam2,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const POINTERS: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, side, batch] = &arguments[..] else {
        eprintln!("usage: gradients encoder|attention|decoder|memory SIDE BATCH");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse().expect("a whole number");
    let (side, batch): (usize, usize) = (number(side), number(batch));
    let device = Device::flex().autodiff();
    let compute = Compute {
        device: device.clone(),
        precision: Precision::F32,
    };
    let preset: Preset = "sam2.1-tiny".parse().expect("a known name");
    let mut config = preset.config();
    config.image_size = side;
    let model = LoadedModel::random(&config, 1, &compute).expect("a valid configuration");
    let inputs = Inputs {
        side,
        batch,
        device,
    };
    let step: Box<dyn Fn() -> Vec<Tensor<4>>> = match part.as_str() {
        "encoder" => Box::new(inputs.encoder(model.network)),
        "attention" => Box::new(inputs.attention(model.network)),
        "decoder" => Box::new(inputs.decoder(model.network)),
        "memory" => Box::new(inputs.memory(model.network)),
        other => {
            eprintln!("`{other}` is not encoder, attention, decoder or memory");
            std::process::exit(2);
        }
    };
    let weights: Vec<Tensor<4>> = step()
        .iter()
        .map(|output| output.random_like(Distribution::Normal(0.0, 1.0)).detach())
        .collect();
    let (mut forward, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let start = Instant::now();
        let outputs = step();
        forward.push(start.elapsed().as_secs_f64());
        let loss = outputs
            .into_iter()
            .zip(&weights)
            .map(|(output, weight)| (output * weight.clone()).sum())
            .reduce(|a, b| a + b)
            .expect("every part has an output");
        drop(loss.backward());
        whole.push(start.elapsed().as_secs_f64());
    }
    println!(
        "{{\"forward\": {:.4}, \"both\": {:.4}, \"peak_mib\": {}}}",
        median(&mut forward[1..]),
        median(&mut whole[1..]),
        peak_mib(),
    );
}

struct Inputs {
    side: usize,
    batch: usize,
    device: Device,
}

impl Inputs {
    fn random<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device)
    }

    fn features(&self) -> ImageFeatures {
        let (batch, grid) = (self.batch, self.side / 16);
        ImageFeatures::new(
            self.random([batch, grid, grid, 256]).require_grad(),
            self.random([batch, 4 * grid, 4 * grid, 32]).require_grad(),
            self.random([batch, 2 * grid, 2 * grid, 64]).require_grad(),
        )
    }

    fn encoder(self, network: Sam2) -> impl Fn() -> Vec<Tensor<4>> {
        let pixels = self.random([self.batch, self.side, self.side, 3]);
        move || {
            let found = network.encode_image(pixels.clone());
            vec![found.embedding, found.stride4, found.stride8]
        }
    }

    /// With a full memory bank: seven spatial memories and sixteen pointers.
    fn attention(self, network: Sam2) -> impl Fn() -> Vec<Tensor<4>> {
        let features = self.features();
        let tokens = (self.side / 16).pow(2);
        let entries: Vec<MemoryEntry> = (0..POINTERS)
            .map(|_| MemoryEntry {
                spatial: self.random([self.batch, tokens, 64]).require_grad(),
                pointer: self.random([self.batch, 256]).require_grad(),
            })
            .collect();
        move || {
            let spatial = |(age, entry)| SpatialMemory { age, entry };
            let pointer = |(i, entry)| PointerMemory {
                distance: i as f32,
                entry,
            };
            let selection = Selection {
                spatial: entries.iter().take(7).enumerate().map(spatial).collect(),
                pointers: entries.iter().enumerate().map(pointer).collect(),
                max_distance: 15.0,
            };
            vec![network.condition(&features, Some(&selection))]
        }
    }

    fn decoder(self, network: Sam2) -> impl Fn() -> Vec<Tensor<4>> {
        let features = self.features();
        let click = Point {
            x: 40.0,
            y: 60.0,
            label: PointLabel::Positive,
        };
        let batch = self.batch;
        move || {
            let prompts = Prompts {
                points: vec![vec![click]; batch],
                masks: None,
            };
            let embedding = features.embedding.clone();
            let found = network.segment(embedding, &features, prompts, MaskChoice::Multi);
            let iou = found.iou.unsqueeze::<4>();
            vec![found.logits, iou, found.object_score.unsqueeze::<4>()]
        }
    }

    fn memory(self, network: Sam2) -> impl Fn() -> Vec<Tensor<4>> {
        let features = self.features();
        let low = self.side / 4;
        let logits = self.random([self.batch, 1, low, low]).require_grad();
        let score = Tensor::ones([self.batch, 1], &self.device);
        move || {
            let (logits, score) = (logits.clone(), score.clone());
            let memory = network.remember(&features, logits, score, MaskEncoding::Soft);
            vec![memory.unsqueeze::<4>()]
        }
    }
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The most memory this process has had, where Linux tells it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
