//! Several prompts at once give what each gives alone.

mod common;

use common::{model, picture};
use masklet::{BoxPrompt, Click, Error, ImagePredictor, ImagePrompt, MaskChoice};

fn predictor() -> ImagePredictor {
    let mut predictor = ImagePredictor::new(&model("sam2.1"));
    predictor.set_image(&picture("pictures/0.png"));
    predictor
}

fn click(x: f32, y: f32) -> ImagePrompt {
    ImagePrompt::clicks([Click::positive(x, y)])
}

#[test]
fn a_batch_of_clicks_refining_masks_gives_what_each_gives_alone() {
    let predictor = predictor();
    let first = predictor.predict(&click(120.0, 95.0), MaskChoice::Multi);
    let first = first.unwrap();
    let prompts = [
        click(120.0, 95.0).with_mask_logits(first.low_res_logits[0].clone()),
        click(230.0, 60.0).with_mask_logits(first.low_res_logits[1].clone()),
    ];
    let together = predictor
        .predict_batch(&prompts, MaskChoice::Single)
        .unwrap();
    assert_eq!(together.len(), 2);
    for (prompt, batched) in prompts.iter().zip(together) {
        let alone = predictor.predict(prompt, MaskChoice::Single).unwrap();
        assert!((alone.iou[0] - batched.iou[0]).abs() < 1e-5);
        let (alone, batched) = (alone.mask(0), batched.mask(0));
        assert!(alone.iou(&batched).unwrap() > 0.999);
    }
}

#[test]
fn prompts_of_different_kinds_are_refused_together() {
    let predictor = predictor();
    let bounds = ImagePrompt::bounds(BoxPrompt::new(10.0, 10.0, 90.0, 90.0));
    let uneven = [click(5.0, 5.0), bounds];
    let refused = predictor.predict_batch(&uneven, MaskChoice::Multi);
    assert!(matches!(
        refused,
        Err(Error::UnevenPrompts { masks: 0, .. })
    ));

    let side = predictor.predict(&uneven[0], MaskChoice::Multi).unwrap();
    let refined = click(5.0, 5.0).with_mask_logits(side.low_res_logits[0].clone());
    let refused = predictor.predict_batch(&[click(5.0, 5.0), refined], MaskChoice::Multi);
    assert!(matches!(
        refused,
        Err(Error::UnevenPrompts { masks: 1, .. })
    ));

    let refused = predictor.predict_batch(&[], MaskChoice::Multi);
    assert!(matches!(refused, Err(Error::EmptyPrompt)));
}
