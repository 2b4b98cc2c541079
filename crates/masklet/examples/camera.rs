//! Follows an object on a stream, as from a camera: frames come one by one, and objects are added
//! and removed while it runs.
//!
//! ```sh
//! ffmpeg -i clip.mp4 -f image2pipe -c:v mjpeg - \
//!     | cargo run --release -p masklet --example camera -- sam2.1_hiera_tiny.pt 210,350
//! ```

use std::error::Error;
use std::io;
use std::time::Instant;

use masklet::{Click, ClickHistory, Model, StreamTracker};
use masklet_media::{FrameSource, PictureStream};

/// The object.
const TARGET: u32 = 1;
/// After so many frames without the object it is given up.
const PATIENCE: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, point] = &arguments[..] else {
        return Err("usage: camera CHECKPOINT X,Y < pictures".into());
    };
    let (x, y) = point.split_once(',').ok_or("the point is X,Y")?;
    let click = Click::positive(x.parse()?, y.parse()?);

    let model = Model::open(weights)?;
    let mut tracker = StreamTracker::new(&model);
    // A camera's own library would hand over the pictures here.
    let mut camera = PictureStream::new(io::stdin(), "camera")?;
    let mut missing = 0;
    while let Some(picture) = camera.frame(tracker.frames_seen())? {
        let start = Instant::now();
        let mut result = tracker.push(picture)?;
        if result.frame == 0 {
            result = tracker.add_clicks(TARGET, &[click], ClickHistory::Replace)?;
        }
        let Some(object) = result.object(TARGET) else {
            continue;
        };
        println!(
            "frame {}: {} pixels, {} ms",
            result.frame,
            object.mask().area(),
            start.elapsed().as_millis()
        );
        missing = if object.visible() { 0 } else { missing + 1 };
        if missing == PATIENCE {
            println!("frame {}: lost", result.frame);
            tracker.remove_object(TARGET)?;
        }
    }
    Ok(())
}
