//! Finds everything in a video and follows it, adding what turns up on the way.
//!
//! ```sh
//! cargo run --release --example everything -- CHECKPOINT VIDEO
//! ```

use std::error::Error;

use masklet::{
    DiscoveryOptions, EverythingTracker, MaskGenerator, MaskGeneratorOptions, Model, PointGrid,
};
use masklet_media::open_video;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, video] = &arguments[..] else {
        return Err("usage: everything CHECKPOINT VIDEO".into());
    };
    let model = Model::open(checkpoint)?;
    // Fewer clicks than by default, each looked at a second time.
    let options = MaskGeneratorOptions {
        points: PointGrid::PerSide(16),
        use_m2m: true,
        ..MaskGeneratorOptions::default()
    };
    let generator = MaskGenerator::with_options(&model, options)?;
    let mut tracker = EverythingTracker::new(&model, generator, DiscoveryOptions::default())?;

    let mut frames = open_video(video)?;
    let mut index = 0;
    while let Some(picture) = frames.frame(index)? {
        let frame = tracker.push(picture)?;
        for (id, record) in &frame.found {
            println!("frame {index}: object {id} is new at {:?}", record.bbox);
        }
        let visible = frame.result.objects.iter().filter(|o| o.visible()).count();
        println!("frame {index}: {visible} objects in sight");
        index += 1;
    }
    Ok(())
}
