//! Numbers of the reference come from `tools/reference/optimizer.py` (torch 2.15, sam2 1.1.0).

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor};
use burn::tensor::{Device, TensorData};
use masklet_model::config::{Official, Preset, Sam2Config, TrunkConfig};
use masklet_model::{Compute, LoadedModel};

use super::*;

const HEAD: &str = "obj_ptr_proj.layers.0.weight";
const NECK_BIAS: &str = "image_encoder.neck.convs.0.conv.bias";
const TRUNK_BIAS: &str = "image_encoder.trunk.patch_embed.proj.bias";

/// A small network that records gradients.
fn model() -> LoadedModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sam2.1/config.json");
    let config: Sam2Config = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let compute = Compute {
        device: Device::flex().autodiff(),
        ..Compute::default()
    };
    LoadedModel::random(&config, 7, &compute).unwrap()
}

/// The names, shapes and ids of a preset's parameters, with a narrow trunk.
fn narrow(preset: &str) -> Vec<ParameterName> {
    let model: Official = preset.parse().unwrap();
    let mut trunk = model.trunk();
    trunk.embed_dim = 16;
    let mut config = model.config();
    config.trunk = TrunkConfig::Hiera(trunk);
    LoadedModel::random(&config, 0, &Compute::default())
        .unwrap()
        .parameters
}

fn config(steps: usize) -> TrainConfig {
    TrainConfig {
        steps,
        optimizer: OptimizerOptions {
            learning_rate: 0.01,
            trunk_learning_rate: 0.002,
            ..OptimizerOptions::default()
        },
        ..TrainConfig::default()
    }
}

fn id(model: &LoadedModel, name: &str) -> ParamId {
    model.parameters.iter().find(|p| p.name == name).unwrap().id
}

/// The values of a parameter.
fn values(model: &LoadedModel, network: &Sam2, name: &str) -> Vec<f32> {
    struct Read(ParamId, Vec<f32>);
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.id == self.0 {
                self.1 = param.val().into_data().iter::<f32>().collect();
            }
        }
    }
    let mut read = Read(id(model, name), Vec::new());
    network.visit(&mut read);
    read.1
}

/// All parameters' bits, in the order of the network.
fn bits(model: &LoadedModel, network: &Sam2) -> Vec<u32> {
    let names = model.parameters.iter().map(|p| p.name.as_str());
    names
        .flat_map(|name| values(model, network, name))
        .map(f32::to_bits)
        .collect()
}

/// Values by parameter; those of a parameter that are not given are zero.
type Given<'a> = &'a [(&'a str, Vec<f32>)];

fn by_id(model: &LoadedModel, given: Given<'_>) -> HashMap<ParamId, Vec<f32>> {
    given
        .iter()
        .map(|(name, values)| (id(model, name), values.clone()))
        .collect()
}

fn padded<const D: usize>(given: &[f32], like: &Tensor<D>) -> Tensor<1> {
    let mut values = given.to_vec();
    values.resize(like.shape().num_elements(), 0.0);
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), &like.device())
}

fn with(model: &LoadedModel, given: Given<'_>) -> Sam2 {
    struct Write(HashMap<ParamId, Vec<f32>>);
    impl ModuleMapper for Write {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(given) = self.0.get(&param.id) else {
                return param;
            };
            let values = padded(given, &param.val().inner());
            with_values(param, values)
        }
    }
    model.network.clone().map(&mut Write(by_id(model, given)))
}

/// Adds the gradients of a backward pass in which the parameters have just these.
fn add(sum: &mut GradientSum, model: &LoadedModel, network: &Sam2, given: Given<'_>) {
    struct Loss(HashMap<ParamId, Vec<f32>>, Option<Tensor<1>>);
    impl ModuleVisitor for Loss {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(given) = self.0.get(&param.id) {
                let value = flat(param.val());
                let gradient = padded(given, &value);
                let part = (value * gradient).sum();
                self.1 = Some(match self.1.take() {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
    }
    let mut loss = Loss(by_id(model, given), None);
    network.visit(&mut loss);
    sum.add(loss.1.unwrap().backward(), network);
}

fn gradients(model: &LoadedModel, network: &Sam2, given: Given<'_>) -> GradientSum {
    let mut sum = GradientSum::default();
    add(&mut sum, model, network, given);
    sum
}

fn near(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * (1.0 + expected.abs())
}

#[test]
fn steps_are_those_of_torch_with_its_clipped_norm_and_cosine() {
    let expected = [
        (
            5.077_647_21,
            [
                0.489_500_016,
                -1.238_749_98,
                1.998_000_03,
                -0.009_949_479_25,
                3.486_500_02,
                -0.114_875_011,
            ],
            [1.001_999_97, -2.002_000_09],
        ),
        (
            1.500_416_64,
            [
                0.480_460_733,
                -1.229_060_17,
                1.996_265_41,
                -0.018_508_195_9,
                3.474_858_76,
                -0.106_160_961,
            ],
            [1.003_448_25, -2.003_448_25],
        ),
        (
            2.804_906_37,
            [
                0.478_725_404,
                -1.226_913_09,
                1.995_167_49,
                -0.019_961_044_2,
                3.471_476_55,
                -0.104_631_469,
            ],
            [1.004_440_67, -2.004_440_55],
        ),
        (
            6.529_261_11,
            [
                0.478_883_564,
                -1.226_897_84,
                1.994_704_96,
                -0.019_688_742_2,
                3.470_941_07,
                -0.104_876_347,
            ],
            [1.004_853_84, -2.004_853_73],
        ),
    ];
    let model = model();
    let mut network = with(
        &model,
        &[
            (HEAD, vec![0.5, -1.25, 2.0, 0.0, 3.5, -0.125]),
            (NECK_BIAS, vec![1.0, -2.0]),
        ],
    );
    let mut optimizer = Optimizer::new(&config(4), &model.parameters).unwrap();
    for (step, (norm, head, neck)) in (0..).zip(expected) {
        let scaled = |values: &[f32], factor: f32| values.iter().map(|v| v * factor).collect();
        let given: [(&str, Vec<f32>); 2] = [
            (
                HEAD,
                scaled(&[0.3, -0.2, 0.0, 1e-4, 5.0, -0.7], 1.0 - 0.75 * step as f32),
            ),
            (NECK_BIAS, scaled(&[-0.05, 0.4], step as f32 + 1.0)),
        ];
        let found = gradients(&model, &network, &given);
        let update;
        (network, update) = optimizer.step(network, found, step).unwrap();
        assert!(near(update.gradient_norm, norm, 1e-6), "{update:?}");
        for (name, expected) in [(HEAD, &head[..]), (NECK_BIAS, &neck)] {
            let found = values(&model, &network, name);
            for (&found, &expected) in found.iter().zip(expected) {
                assert!(
                    near(found.into(), expected, 1e-6),
                    "{step} {name}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn only_what_has_a_gradient_moves_and_still_records_gradients() {
    let model = model();
    let mut optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let before = model.network.clone();
    let found = gradients(&model, &before, &[(HEAD, vec![1.0])]);
    let (after, _) = optimizer.step(before.clone(), found, 0).unwrap();
    for parameter in &model.parameters {
        let moved =
            values(&model, &before, &parameter.name) != values(&model, &after, &parameter.name);
        assert_eq!(moved, parameter.name == HEAD, "{}", parameter.name);
    }
    // A second pass through the moved network works as the first.
    let found = gradients(&model, &after, &[(HEAD, vec![1.0]), (NECK_BIAS, vec![1.0])]);
    let (_, update) = optimizer.step(after, found, 1).unwrap();
    assert!(near(update.gradient_norm, f64::sqrt(2.0), 1e-6));
}

#[test]
fn gradients_of_several_passes_are_added() {
    let model = model();
    let network = &model.network;
    let mut sum = GradientSum::default();
    add(
        &mut sum,
        &model,
        network,
        &[(HEAD, vec![3.0]), (NECK_BIAS, vec![1.0])],
    );
    add(&mut sum, &model, network, &[(HEAD, vec![1.0, 5.0])]);
    let mut optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let (_, update) = optimizer.step(network.clone(), sum, 0).unwrap();
    assert!(near(
        update.gradient_norm,
        f64::sqrt(16.0 + 25.0 + 1.0),
        1e-6
    ));
}

#[test]
fn short_gradients_and_those_without_a_limit_are_left_as_they_are() {
    let model = model();
    let first_moment = |clip: f64, gradient: f32| {
        let mut config = config(10);
        config.optimizer.gradient_clip = clip;
        let mut optimizer = Optimizer::new(&config, &model.parameters).unwrap();
        let found = gradients(&model, &model.network, &[(HEAD, vec![gradient])]);
        optimizer.step(model.network.clone(), found, 0).unwrap();
        let momentum = &optimizer.memory.moments[&id(&model, HEAD)].momentum;
        momentum.moment_1.to_data().iter::<f64>().next().unwrap()
    };
    assert!(near(first_moment(0.1, 0.05), 0.005, 1e-6));
    assert!(near(first_moment(0.1, 3.0), 0.01, 1e-6));
    assert!(near(first_moment(0.0, 3.0), 0.3, 1e-6));
}

#[test]
fn the_schedule_rises_linearly_and_falls_as_a_cosine() {
    let schedule = Schedule {
        steps: 10,
        warmup_steps: 4,
        final_fraction: 0.1,
    };
    let factors: Vec<f64> = (0..=10).map(|step| schedule.factor(step)).collect();
    let close = |place: usize, expected: f64| (factors[place] - expected).abs() < 1e-12;
    assert_eq!(factors[..4], [0.25, 0.5, 0.75, 1.0]);
    assert!(close(4, 1.0) && close(7, 0.55) && close(10, 0.1));
    assert!(factors[4..].is_sorted_by(|a, b| a > b));
    // The reference, without a rise: printed by the tool.
    let plain = Schedule {
        steps: 4,
        warmup_steps: 0,
        final_fraction: 0.1,
    };
    for (step, expected) in (0..).zip([1.0, 0.868_198_052, 0.55, 0.231_801_948]) {
        assert!((plain.factor(step) - expected).abs() < 1e-9);
    }
    assert_eq!(plain.factor(100), plain.factor(4));
}

/// How many parameters of the trunk have which share of its learning rate, smallest share first.
fn trunk_shares(parameters: &[ParameterName]) -> Vec<(f64, usize, String)> {
    let options = OptimizerOptions {
        trunk_learning_rate: 1.0,
        ..OptimizerOptions::default()
    };
    let groups = ParameterGroups::new(parameters, &options, &[]).unwrap();
    let mut shares: Vec<(f64, usize, String)> = Vec::new();
    for (_, group) in groups
        .iter()
        .filter(|(_, g)| g.name.starts_with("image_encoder.trunk"))
    {
        let share = group.learning_rate;
        match shares
            .iter_mut()
            .find(|found| (found.0 - share).abs() < 1e-9)
        {
            Some(found) => found.1 += 1,
            None => shares.push((share, 1, group.name.clone())),
        }
    }
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    shares
}

#[test]
fn layer_decay_of_a_convolutional_trunk_begins_at_its_stem() {
    let model = LoadedModel::random(&Preset::Lite.config(), 0, &Compute::default()).unwrap();
    let shares = trunk_shares(&model.parameters);
    assert_eq!(shares.len(), 17);
    for (layer, (share, _, name)) in shares.iter().enumerate() {
        let expected = 0.9f64.powi(17 - layer as i32);
        assert!((share - expected).abs() < 1e-9, "{name}");
        let place = match layer {
            0 => ".stem.".to_owned(),
            _ => format!(".blocks.{}.", layer - 1),
        };
        assert!(name.contains(&place), "{name}");
    }
}

#[test]
fn layer_decay_is_the_references_for_tiny_and_base_plus() {
    for (preset, blocks, larger, patches) in [
        ("sam2.1-tiny", 12, &[1, 3, 10][..], 0.254_186_582_833),
        ("sam2.1-base_plus", 24, &[2, 5, 21], 0.071_789_798_769),
    ] {
        let shares = trunk_shares(&narrow(preset));
        assert_eq!(shares.len(), blocks + 2);
        let (share, count, name) = &shares[0];
        assert!((share - patches).abs() < 1e-9 && *count == 2 && name.contains("patch_embed"));
        for (block, (share, count, name)) in shares[1..=blocks].iter().enumerate() {
            let expected = 0.9f64.powi((blocks - block) as i32);
            assert!((share - expected).abs() < 1e-9, "{name}");
            assert!(name.contains(&format!(".blocks.{block}.")), "{name}");
            // Blocks at which the width grows have a projection more.
            assert_eq!(
                *count,
                if larger.contains(&block) { 14 } else { 12 },
                "{name}"
            );
        }
        let (share, count, name) = &shares[blocks + 1];
        assert!(*share == 1.0 && *count == 2 && name.contains("pos_embed"));
    }
}

#[test]
fn biases_and_norms_have_no_weight_decay_and_the_constant_is_not_trained() {
    for (preset, exempt, all) in [("sam2.1-tiny", 281, 470), ("sam2.1-base_plus", 377, 614)] {
        let parameters = narrow(preset);
        let groups = ParameterGroups::new(&parameters, &OptimizerOptions::default(), &[]).unwrap();
        let trained: Vec<_> = groups.iter().filter(|(_, group)| group.trained).collect();
        assert_eq!(trained.len(), all);
        assert_eq!(
            trained.iter().filter(|(_, group)| !group.decays).count(),
            exempt
        );
        let (counted, of_them) = groups.counts();
        assert_eq!(counted, of_them);
        let constants: Vec<_> = groups.iter().filter(|(_, group)| !group.trained).collect();
        assert_eq!(constants.len(), 1);
        assert!(
            constants[0]
                .1
                .name
                .ends_with("positional_encoding_gaussian_matrix")
        );
    }
}

#[test]
fn learning_rates_are_those_of_the_parts_of_the_network() {
    let model = model();
    let optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let rate = |name: &str| {
        optimizer
            .groups()
            .trained(id(&model, name))
            .unwrap()
            .learning_rate
    };
    assert_eq!(rate(HEAD), 0.01);
    assert_eq!(rate(NECK_BIAS), 0.002);
    // The small network has 8 blocks.
    assert!((rate(TRUNK_BIAS) - 0.002 * 0.9f64.powi(9)).abs() < 1e-12);
}

#[test]
fn frozen_parameters_have_no_gradient_and_do_not_move() {
    let model = model();
    let mut config = config(10);
    config.freeze = vec!["image_encoder.neck.*".to_owned(), "no_mem_??bed".to_owned()];
    let mut optimizer = Optimizer::new(&config, &model.parameters).unwrap();
    let frozen = |name: &str| optimizer.groups().trained(id(&model, name)).is_none();
    assert!(frozen(NECK_BIAS) && frozen("no_mem_embed"));
    assert!(!frozen(HEAD) && !frozen(TRUNK_BIAS));
    let (all, trained) = optimizer.counts();
    assert!(trained < all);

    // Even a gradient that was recorded does not move what is frozen, nor counts in the norm.
    let given: [(&str, Vec<f32>); 2] = [(HEAD, vec![3.0]), (NECK_BIAS, vec![4.0])];
    let found = gradients(&model, &model.network, &given);
    let (after, update) = optimizer.step(model.network.clone(), found, 0).unwrap();
    assert!(near(update.gradient_norm, 3.0, 1e-6));
    assert_eq!(
        values(&model, &after, NECK_BIAS),
        values(&model, &model.network, NECK_BIAS)
    );

    struct Recording(Vec<ParamId>);
    impl ModuleVisitor for Recording {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.push(param.id);
            }
        }
    }
    let mut recording = Recording(Vec::new());
    optimizer.freeze(after).visit(&mut recording);
    let trained = optimizer.groups().iter().filter(|(_, group)| group.trained);
    assert_eq!(recording.0.len(), trained.count());
    assert!(!recording.0.contains(&id(&model, NECK_BIAS)));
}

#[test]
fn patterns_that_match_nothing_are_answered_with_the_nearest() {
    let model = model();
    let message = |pattern: &str| {
        let mut config = config(10);
        config.freeze = vec![pattern.to_owned()];
        Optimizer::new(&config, &model.parameters)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message("image_encodr.*"),
        "`freeze` is \"image_encodr.*\"; it matches no parameter; did you mean `image_encoder.*`?"
    );
    assert!(message("obj_ptr_proj.layers.0.wieght").ends_with(&format!("did you mean `{HEAD}`?")));
    assert!(message("qqqq").contains("masklet weights inspect"));
    assert!(message("a**b").contains("that is no pattern"));
    assert!(message("*").contains("leaves nothing to train"));
}

#[test]
fn a_moving_average_follows_the_parameters() {
    let model = model();
    let mut config = config(10);
    config.optimizer.ema = Some(0.75);
    let mut optimizer = Optimizer::new(&config, &model.parameters).unwrap();
    let mut network = with(&model, &[(HEAD, vec![1.0])]);
    assert_eq!(
        values(&model, &optimizer.averaged(network.clone()), HEAD)[0],
        1.0
    );
    let mut average = 1.0;
    for step in 0..3 {
        let found = gradients(&model, &network, &[(HEAD, vec![1.0])]);
        (network, _) = optimizer.step(network, found, step).unwrap();
        average = 0.75 * average + 0.25 * values(&model, &network, HEAD)[0];
        let found = optimizer.averaged(network.clone());
        assert!((values(&model, &found, HEAD)[0] - average).abs() < 1e-6);
        assert_eq!(
            values(&model, &found, NECK_BIAS),
            values(&model, &network, NECK_BIAS)
        );
    }
    assert!(average > values(&model, &network, HEAD)[0]);
}

#[test]
fn without_a_moving_average_the_average_is_the_network() {
    let model = model();
    let mut optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let found = gradients(&model, &model.network, &[(HEAD, vec![1.0])]);
    let (network, _) = optimizer.step(model.network.clone(), found, 0).unwrap();
    let averaged = optimizer.averaged(network.clone());
    assert_eq!(bits(&model, &averaged), bits(&model, &network));
}

#[test]
fn a_saved_optimizer_goes_on_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let model = model();
    let mut config = config(10);
    config.optimizer.ema = Some(0.9);
    let given = |step: u64| -> [(&str, Vec<f32>); 3] {
        let slope = 0.1 + step as f32;
        [
            (HEAD, vec![slope, -1.0, 1e-12, 1.0 / 3.0]),
            (NECK_BIAS, vec![-slope, 0.3]),
            (TRUNK_BIAS, vec![0.7]),
        ]
    };
    let mut optimizer = Optimizer::new(&config, &model.parameters).unwrap();
    let mut network = model.network.clone();
    for step in 0..3 {
        // The trunk's bias has its first gradient in the second step.
        let count = if step == 0 { 2 } else { 3 };
        let found = gradients(&model, &network, &given(step)[..count]);
        (network, _) = optimizer.step(network, found, step).unwrap();
    }
    optimizer.save(&first).unwrap();
    let mut loaded = Optimizer::new(&config, &model.parameters).unwrap();
    loaded.load(&first).unwrap();
    loaded.save(&second).unwrap();
    assert_eq!(
        std::fs::read(&first).unwrap(),
        std::fs::read(&second).unwrap()
    );
    assert_eq!(
        loaded.memory.moments[&id(&model, TRUNK_BIAS)].momentum.time,
        2
    );

    let next = |optimizer: &mut Optimizer| {
        let found = gradients(&model, &network, &given(3));
        let (network, update) = optimizer.step(network.clone(), found, 3).unwrap();
        let averaged = optimizer.averaged(network.clone());
        (bits(&model, &network), bits(&model, &averaged), update)
    };
    let expected = next(&mut optimizer);
    assert_ne!(expected.0, expected.1);
    assert!(next(&mut loaded) == expected);
}

#[test]
fn memories_of_other_networks_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let model = model();
    let mut optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let found = gradients(&model, &model.network, &[(HEAD, vec![1.0])]);
    optimizer.step(model.network.clone(), found, 0).unwrap();
    optimizer.save(&path).unwrap();

    let mut other = model.parameters.clone();
    other.iter_mut().find(|p| p.name == HEAD).unwrap().shape = vec![2, 512];
    let message = |parameters: &[ParameterName], freeze: &[&str], path: &Path| {
        let mut config = config(10);
        config.freeze = freeze.iter().map(|&name| name.to_owned()).collect();
        let mut optimizer = Optimizer::new(&config, parameters).unwrap();
        optimizer.load(path).unwrap_err().to_string()
    };
    assert!(message(&other, &[], &path).contains("[2, 512]"));
    assert!(message(&model.parameters, &[HEAD], &path).contains("2 tensors of parameters"));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sam2.1/model.pt");
    assert!(message(&model.parameters, &[], &fixture).contains("masklet.optimizer.steps"));
    assert!(message(&model.parameters, &[], &folder.path().join("nothing")).contains("nothing"));
}

#[test]
fn a_gradient_that_is_not_finite_is_named_and_changes_nothing() {
    let model = model();
    let mut optimizer = Optimizer::new(&config(10), &model.parameters).unwrap();
    let given: [(&str, Vec<f32>); 2] = [(HEAD, vec![f32::NAN]), (NECK_BIAS, vec![1.0])];
    let found = gradients(&model, &model.network, &given);
    let error = optimizer.step(model.network.clone(), found, 4).unwrap_err();
    assert_eq!(error, Divergence::Gradient(HEAD.to_owned()));
    assert!(optimizer.memory.moments.is_empty());
}
