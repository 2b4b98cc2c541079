//! Tracks what is under a click on the first frame of a folder of images, then corrects it.
//!
//! ```sh
//! cargo run --release --example video -- CHECKPOINT FOLDER X Y
//! ```

use std::error::Error;

use masklet::{Click, ClickHistory, Model, Propagation, VideoPredictor};
use masklet_media::ImageFolder;

const OBJECT: u32 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, folder, x, y] = &arguments[..] else {
        return Err("usage: video CHECKPOINT FOLDER X Y".into());
    };
    let click = Click::positive(x.parse()?, y.parse()?);
    let model = Model::open(checkpoint)?;
    let mut session = VideoPredictor::new(&model).session(ImageFolder::open(folder)?);

    // A prompt answers at once, on its own frame.
    session.add_clicks(0, OBJECT, &[click], ClickHistory::Replace)?;

    let mut last = 0;
    for result in session.propagate(Propagation::default())? {
        let result = result?;
        last = result.frame;
        let object = result.object(OBJECT).ok_or("the object is tracked")?;
        let state = if object.visible() {
            "visible"
        } else {
            "hidden"
        };
        println!("frame {last}: {state}, {} pixels", object.mask().area());
    }

    // Correct the last frame, and carry the correction back to the first.
    session.add_clicks(last, OBJECT, &[click], ClickHistory::Append)?;
    let mut backward = session.propagate(Propagation::backward())?;
    let corrected = backward.by_ref().collect::<Result<Vec<_>, _>>()?;
    println!("{} frames tracked again, backward", corrected.len());
    Ok(())
}
