//! Every component of the network against what the official package computes for the same input.
//!
//! `fixtures/README.md` says what each tensor of `components.safetensors` is. A component's file
//! here computes its tensors from the fixture's inputs and hands them to [`Reference::check`].

mod efficientnet;
mod heads;
mod image_encoder;
mod mask_decoder;
mod memory_attention;
mod memory_encoder;
mod positions;
mod prompt_encoder;
mod reference;

use reference::Reference;

/// Largest difference, relative to the largest absolute value of the tensor.
const TOLERANCE: f32 = 5e-5;

const COMPONENTS: [fn(&Reference); 7] = [
    image_encoder::compare,
    positions::compare,
    prompt_encoder::compare,
    mask_decoder::compare,
    heads::compare,
    memory_encoder::compare,
    memory_attention::compare,
];

fn every_component_equals_the_official_one(family: &str) {
    let reference = Reference::open(family);
    for compare in COMPONENTS {
        compare(&reference);
    }
    println!("{family}\n{}", reference.report());
    assert_eq!(reference.beyond(TOLERANCE), Vec::<String>::new(), "differ");
    assert_eq!(reference.unused(), Vec::<String>::new());
}

#[test]
fn every_component_of_sam2_equals_the_official_one() {
    every_component_equals_the_official_one("sam2");
}

#[test]
fn every_component_of_sam2_1_equals_the_official_one() {
    every_component_equals_the_official_one("sam2.1");
}
