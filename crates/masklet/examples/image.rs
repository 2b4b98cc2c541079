//! Segments what is under a click and writes its mask.
//!
//! ```sh
//! cargo run --release --example image -- CHECKPOINT PICTURE X Y MASK.png
//! ```

use std::error::Error;

use masklet::{Click, ImagePredictor, ImagePrompt, MaskChoice, Model};
use masklet_media::RgbImage;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, picture, x, y, output] = &arguments[..] else {
        return Err("usage: image CHECKPOINT PICTURE X Y MASK.png".into());
    };
    let model = Model::open(checkpoint)?;
    let mut predictor = ImagePredictor::new(&model);
    predictor.set_image(&RgbImage::open(picture)?);

    // One click is ambiguous: ask for the candidates and take the best.
    let click = Click::positive(x.parse()?, y.parse()?);
    let first = predictor.predict(&ImagePrompt::clicks([click]), MaskChoice::Multi)?;
    let best = first.best();

    // Feed the best one back, for one refined mask.
    let refined = ImagePrompt::clicks([click]).with_mask_logits(first.low_res_logits[best].clone());
    let prediction = predictor.predict(&refined, MaskChoice::Single)?;

    let mask = prediction.mask(0);
    mask.save_png(output)?;
    println!(
        "predicted IoU {:.3}, {} pixels",
        prediction.iou[0],
        mask.area()
    );
    Ok(())
}
