//! From features to a mask and an object pointer, with the object there and not; and a mask that
//! was given.

use burn::tensor::{Device, Tensor, TensorData};
use masklet_media::Mask;

use super::prompt_encoder::points;
use super::reference::{Reference, fixtures};
use crate::{MaskChoice, Prompts, Sam2};

pub(super) fn compare(r: &Reference) {
    let absent = without_objects(&r.network);
    for (case, clicks, choice) in [
        ("click", 1, MaskChoice::Multi),
        ("two_clicks", 2, MaskChoice::Single),
    ] {
        let prompts = || Prompts {
            points: vec![points(r, "points")[..clicks].to_vec()],
            masks: None,
        };
        compare_case(
            r,
            &r.network,
            &format!("heads/{case}/present"),
            &prompts,
            choice,
        );
        compare_case(
            r,
            &absent,
            &format!("heads/{case}/absent"),
            &prompts,
            choice,
        );
    }
    compare_given_mask(r);
}

/// The network with an occlusion head that sees no object anywhere.
fn without_objects(network: &Sam2) -> Sam2 {
    let mut network = network.clone();
    let head = &mut network.mask_decoder.object_score_head;
    let last = head.layers.last_mut().expect("the head has layers");
    last.bias = last.bias.clone().map(|bias| bias.sub_scalar(40.0));
    network
}

fn compare_case(
    r: &Reference,
    network: &Sam2,
    case: &str,
    prompts: &dyn Fn() -> Prompts,
    choice: MaskChoice,
) {
    let name = |what: &str| format!("{case}/{what}");
    let features = r.features();
    let embedding = network.condition(&features, None);
    let decoded = network.segment(embedding.clone(), &features, prompts(), choice);
    r.check(&name("ious"), decoded.iou);
    let object = network.segment_object(embedding, &features, prompts());
    r.check(&name("object_score"), object.object_score);
    r.check(&name("object_pointer"), object.pointer);
    if r.has(&name("low_res_logits")) {
        r.check(&name("low_res_logits"), object.low_res_logits);
    } else {
        let highest: f32 = object.low_res_logits.max().into_scalar();
        assert_eq!(highest, crate::NO_OBJECT_LOGIT, "{case}");
    }
}

fn compare_given_mask(r: &Reference) {
    let given = Mask::open(fixtures().join("pictures/input_mask.png")).unwrap();
    let empty = Mask::empty(given.width(), given.height());
    let as_tensor = |mask: &Mask| -> Tensor<4> {
        let bits = mask.bits().iter().map(|&bit| f32::from(u8::from(bit)));
        let shape = [1, mask.height() as usize, mask.width() as usize, 1];
        Tensor::from_data(TensorData::new(bits.collect(), shape), &Device::flex())
    };
    for (case, mask) in [("object", &given), ("empty", &empty)] {
        let name = |what: &str| format!("mask_as_output/{case}/{what}");
        let object = r.network.adopt_mask(&r.features(), as_tensor(mask));
        r.check(&name("low_res_logits"), object.low_res_logits);
        r.check(&name("object_pointer"), object.pointer);
        r.check(&name("object_score"), object.object_score);
    }
    let prompt = r.network.mask_downsample.forward(as_tensor(&given));
    r.check_map("mask_as_output/downsampled_prompt", prompt);
}
