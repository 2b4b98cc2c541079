//! Every loss, and the gradient of every parameter, against what PyTorch's autograd computes in
//! float64 over the official modules and the official training code, through four frames of memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor};
use masklet_data::clip::{Clip, ClipFrame};
use masklet_kernels::Precision;
use masklet_media::{Mask, RgbImage, preprocess};
use masklet_model::config::Sam2Config;
use masklet_model::weights::{self, CONFIG_KEY, Checkpoint, save_safetensors};
use masklet_model::{Compute, LoadedModel, Point, PointLabel};
use masklet_train::config::LossOptions;
use masklet_train::losses::LossParts;
use masklet_train::{Annotator, ClipTensors, PromptInput, Visit, rollout};
use serde::Deserialize;

const SIZE: usize = 256;

fn fixture(name: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
}

#[derive(Deserialize)]
struct Fixture {
    frames: Vec<usize>,
    scenarios: BTreeMap<String, Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    prompts: BTreeMap<usize, ScriptedPrompt>,
    /// For each corrected frame the clicks, one for each object.
    corrections: BTreeMap<usize, Vec<Vec<[f32; 3]>>>,
    losses: BTreeMap<String, f64>,
    scales: BTreeMap<String, f64>,
    without_gradient: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ScriptedPrompt {
    Mask(String),
    Points(Vec<Vec<[f32; 3]>>),
}

/// Prompts as the fixture's script does.
struct Script<'a> {
    scenario: &'a Scenario,
    frames: usize,
    next: BTreeMap<usize, usize>,
}

impl Annotator for Script<'_> {
    fn visits(&self) -> Vec<Visit> {
        let initial = |frame: &usize| self.scenario.prompts.contains_key(frame);
        let first = self.scenario.prompts.keys().copied();
        let order = first.chain((0..self.frames).filter(|frame| !initial(frame)));
        order
            .map(|frame| Visit {
                frame,
                initial: initial(&frame),
                corrections: self.scenario.corrections.get(&frame).map_or(0, Vec::len),
            })
            .collect()
    }

    fn first_prompt(&mut self, frame: usize, _: &[Mask]) -> PromptInput {
        match &self.scenario.prompts[&frame] {
            ScriptedPrompt::Mask(word) => {
                assert_eq!(word, "mask");
                PromptInput::Mask
            }
            ScriptedPrompt::Points(points) => PromptInput::Points(
                points
                    .iter()
                    .map(|points| points.iter().map(point).collect())
                    .collect(),
            ),
        }
    }

    fn correction(&mut self, frame: usize, _: &[Mask], _: &[Mask]) -> Vec<Point> {
        let next = self.next.entry(frame).or_default();
        *next += 1;
        let clicks = &self.scenario.corrections[&frame][*next - 1];
        clicks.iter().map(point).collect()
    }
}

fn point(&[x, y, label]: &[f32; 3]) -> Point {
    let label = match label as u8 {
        0 => PointLabel::Negative,
        1 => PointLabel::Positive,
        2 => PointLabel::BoxTopLeft,
        _ => PointLabel::BoxBottomRight,
    };
    Point { x, y, label }
}

/// The micro model with the fixture's override, on a device that records gradients.
fn model(family: &str, reference: &Checkpoint) -> LoadedModel {
    let checkpoint = Checkpoint::open(fixture(format!("{family}/model.pt"))).unwrap();
    let tensors: Vec<_> = checkpoint
        .tensors()
        .map(|(name, info)| {
            let replaced = reference.read_f32(&format!("override/{name}"));
            let values = replaced.unwrap_or_else(|_| checkpoint.read_f32(name).unwrap());
            (name, info.shape.as_slice(), values)
        })
        .collect();
    let text = std::fs::read_to_string(fixture(format!("{family}/config.json"))).unwrap();
    let mut config: Sam2Config = serde_json::from_str(&text).unwrap();
    config = config.for_training();
    config.memory_attention.dropout = 0.0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let metadata = [(
        CONFIG_KEY.to_owned(),
        serde_json::to_string(&config).unwrap(),
    )];
    let tensors = tensors.iter().map(|(n, s, v)| (*n, *s, v.as_slice()));
    save_safetensors(&path, tensors, weights::Precision::F32, metadata.into()).unwrap();
    let compute = Compute {
        device: Device::flex().autodiff(),
        precision: Precision::F32,
    };
    LoadedModel::open(&path, None, &compute).unwrap()
}

/// The clip of the fixture; pictures are resized to the network's input as in inference.
fn clip(fixture_frames: &[usize], truth: &[u8]) -> ClipTensors {
    let pixels = SIZE * SIZE;
    let bit = |i: usize| truth[i / 8] >> (7 - i % 8) & 1 == 1;
    let frames = fixture_frames.iter().enumerate().map(|(t, number)| {
        let picture = RgbImage::open(fixture(format!("frames/{number:05}.png"))).unwrap();
        let resized = preprocess::resize_like_pillow(&picture, SIZE, SIZE);
        let mask = |object: usize| {
            let first = (2 * t + object) * pixels;
            Mask::from_fn(SIZE as u32, SIZE as u32, |x, y| {
                bit(first + y as usize * SIZE + x as usize)
            })
        };
        ClipFrame {
            picture: RgbImage::from_raw(SIZE as u32, SIZE as u32, resized).unwrap(),
            masks: vec![mask(0), mask(1)],
        }
    });
    let clip = Clip {
        name: "fixture".to_owned(),
        objects: vec![1, 2],
        frames: frames.collect(),
    };
    ClipTensors::new(&clip, SIZE, &Device::flex().autodiff()).unwrap()
}

struct Collect<'g> {
    gradients: &'g Gradients,
    found: BTreeMap<ParamId, Vec<f32>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found
                .insert(param.id, gradient.into_data().iter::<f32>().collect());
        }
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

fn compare(family: &str, name: &str) {
    let text = std::fs::read_to_string(fixture(format!("{family}/gradients.json"))).unwrap();
    let expected: Fixture = serde_json::from_str(&text).unwrap();
    let tensors = Checkpoint::open(fixture(format!("{family}/gradients.safetensors"))).unwrap();
    let scenario = &expected.scenarios[name];
    let truth: Vec<u8> = tensors
        .read_f32("truth")
        .unwrap()
        .iter()
        .map(|&byte| byte as u8)
        .collect();
    let model = model(family, &tensors);
    let clip = clip(&expected.frames, &truth);
    let features = model.network.encode_image(clip.pixels.clone());
    let features: Vec<_> = (0..expected.frames.len()).map(|t| features.of(t)).collect();
    let mut script = Script {
        scenario,
        frames: expected.frames.len(),
        next: BTreeMap::new(),
    };
    let options = LossOptions::default();
    let result = rollout(&model.network, &features, &clip, &mut script, &options);

    let objects = clip.objects();
    let LossParts {
        focal,
        dice,
        iou,
        occlusion,
    } = result.losses.values(objects);
    let total = result.losses.total(&options, objects);
    let value = f64::from(total.clone().into_data().iter::<f32>().next().unwrap());
    for (part, found) in [
        ("loss_mask", focal),
        ("loss_dice", dice),
        ("loss_iou", iou),
        ("loss_class", occlusion),
        ("core_loss", value),
    ] {
        let wanted = scenario.losses[part];
        let error = (found - wanted).abs() / wanted.abs();
        assert!(
            error < 1e-4,
            "{family} {name}: {part} is {found}, wanted {wanted}"
        );
    }

    let gradients = total.backward();
    let mut collect = Collect {
        gradients: &gradients,
        found: BTreeMap::new(),
    };
    model.network.visit(&mut collect);
    let largest = scenario.scales.values().copied().fold(0.0, f64::max);
    let mut worst = Vec::new();
    for parameter in &model.parameters {
        let id = &parameter.name;
        let found = collect.found.get(&parameter.id);
        let Some(&scale) = scenario.scales.get(id) else {
            let known = scenario.without_gradient.contains(id) || id.ends_with("gaussian_matrix");
            assert!(known, "{id} is not in the fixture");
            let found = found.map_or(0.0, |values| norm(values.iter().map(|&x| x.into())));
            assert!(
                found <= 1e-6 * largest,
                "{id} has a gradient of {found}, wanted none"
            );
            continue;
        };
        let found = found.unwrap_or_else(|| panic!("{id} has no gradient"));
        if let Some(layer) = id.strip_suffix("k_proj.bias")
            && layer.starts_with("sam_mask_decoder")
        {
            // What is added to all keys alike has no effect on a softmax; only rounding is left.
            let weight = scenario.scales[&format!("{layer}k_proj.weight")];
            let found = found
                .iter()
                .copied()
                .fold(0.0, |max: f32, x| max.max(x.abs()));
            assert!(
                scale < 1e-4 * weight && f64::from(found) < 1e-4 * weight,
                "{id}: {found}"
            );
            continue;
        }
        let wanted = tensors.read_f32(&format!("{name}/{id}")).unwrap();
        assert_eq!(found.len(), wanted.len(), "{id}");
        let wanted = wanted.iter().map(|&x| f64::from(x) * scale);
        let difference = found
            .iter()
            .zip(wanted.clone())
            .map(|(&a, b)| f64::from(a) - b);
        worst.push((norm(difference) / norm(wanted), scale, id));
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    let wrong: Vec<_> = worst.iter().filter(|(error, ..)| *error > 1e-3).collect();
    assert!(wrong.is_empty(), "{family} {name}: {wrong:#?}");
}

#[test]
fn sam2_1_with_a_mask_prompt() {
    compare("sam2.1", "mask");
}

#[test]
fn sam2_1_with_clicks_a_box_and_corrections() {
    compare("sam2.1", "clicks");
}

#[test]
fn sam2_with_clicks_a_box_and_corrections() {
    compare("sam2", "clicks");
}
