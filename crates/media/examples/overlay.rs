//! Draws two invented masks and a few prompts onto a picture:
//! `cargo run -p masklet-media --example overlay -- picture.jpg out.png`

use std::error::Error;

use masklet_media::{Mask, OverlayObject, PromptMark, RgbImage, draw_overlay};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: overlay PICTURE OUT.png".into());
    };
    let picture = RgbImage::open(input)?;
    let (width, height) = picture.dimensions();
    let at = |x: f32, y: f32| (x * width as f32, y * height as f32);

    let blob = Mask::from_fn(width, height, |x, y| {
        let (u, v) = (
            x as f32 / width as f32 - 0.45,
            y as f32 / height as f32 - 0.5,
        );
        let reach = 0.22 + 0.04 * (5.0 * v.atan2(u)).sin();
        let distance = u.hypot(v);
        (0.06..reach).contains(&distance)
    });
    let bar = Mask::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        (v - 0.9 + 0.2 * u).abs() < 0.02 && (0.6..0.95).contains(&u)
    });
    let ((px, py), (nx, ny)) = (at(0.36, 0.42), at(0.45, 0.5));
    let ((x0, y0), (x1, y1)) = (at(0.58, 0.68), at(0.97, 0.82));
    let blob_prompts = [
        PromptMark::Point {
            x: px,
            y: py,
            positive: true,
        },
        PromptMark::Point {
            x: nx,
            y: ny,
            positive: false,
        },
    ];
    let bar_prompts = [PromptMark::Box { x0, y0, x1, y1 }];
    let objects = [
        OverlayObject {
            id: 1,
            mask: Some(&blob),
            prompts: &blob_prompts,
        },
        OverlayObject {
            id: 2,
            mask: Some(&bar),
            prompts: &bar_prompts,
        },
    ];
    draw_overlay(&picture, &objects)?.save_png(output)?;
    Ok(())
}
