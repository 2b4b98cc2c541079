//! Results that are a picture for each frame.

use anyhow::Context as _;
use masklet_data::export::davis;
use masklet_media::compose::{Background, replace_background, save_cutout};
use masklet_media::{Mask, RgbImage, atomic};

use super::movie::Movie;
use super::scene::{Scene, Sink, Whole};
use crate::failure::Failure;

/// `masks/<id>/<frame>.png`.
pub(super) struct MaskFiles;

impl Sink for MaskFiles {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        for (id, mask) in &scene.masks {
            let name = format!("masks/{id}/{:05}.png", scene.frame());
            mask.save_png(scene.folder.file(&name)?)?;
        }
        Ok(())
    }
}

/// `overlay/<frame>.png`.
pub(super) struct OverlayFiles;

impl Sink for OverlayFiles {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let path = scene
            .folder
            .file(&format!("overlay/{:05}.png", scene.frame()))?;
        Ok(scene.overlay()?.save_png(path)?)
    }
}

/// `davis/<frame>.png`.
pub(super) struct DavisFiles;

impl Sink for DavisFiles {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let objects = &scene.result.objects;
        let logit = |object: usize, pixel: usize| objects[object].logits[pixel];
        let png = davis::encode(scene.picture.dimensions(), &scene.masks, logit)
            .context("--format davis")?;
        let name = format!("davis/{:05}.png", scene.frame());
        Ok(atomic::write(&scene.folder.file(&name)?, &png)?)
    }
}

/// `cutout/<id>/<frame>.png`.
pub(super) struct Cutouts;

impl Sink for Cutouts {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        for (id, mask) in &scene.masks {
            let name = format!("cutout/{id}/{:05}.png", scene.frame());
            save_cutout(scene.picture, mask, &scene.folder.file(&name)?)?;
        }
        Ok(())
    }
}

/// The clip with masks, as a video.
pub(super) struct OverlayMovie(pub(super) Movie);

impl Sink for OverlayMovie {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        self.0.add(scene.folder, scene.overlay()?)
    }

    fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        self.0.finish(whole)
    }
}

/// All objects before another background: `background/<frame>.png` and a video.
pub(super) struct BackgroundFiles {
    pub(super) background: Background,
    pub(super) movie: Movie,
}

impl Sink for BackgroundFiles {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let shown = before(scene, &self.background)?;
        let name = format!("background/{:05}.png", scene.frame());
        shown.save_png(scene.folder.file(&name)?)?;
        self.movie.add(scene.folder, &shown)
    }

    fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        self.movie.finish(whole)
    }
}

/// The objects of a frame together before another background.
fn before(scene: &Scene<'_>, background: &Background) -> Result<RgbImage, Failure> {
    let (width, height) = scene.picture.dimensions();
    let mut union = Mask::empty(width, height);
    for (_, mask) in &scene.masks {
        for (any, &inside) in union.bits_mut().iter_mut().zip(mask.bits()) {
            *any |= inside;
        }
    }
    Ok(replace_background(scene.picture, &union, background)?)
}
