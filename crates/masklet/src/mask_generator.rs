//! [`MaskGenerator`]: masks of everything on a picture, from a grid of clicks.
//!
//! The automatic mask generator of SAM (Kirillov et al., arXiv 2304.02643, appendix B) and SAM 2:
//! each point of a grid is a click of its own; masks that the model itself thinks poor, that
//! depend on where their logits are cut, or that repeat a better one are dropped. Crops of the
//! picture, looked at more closely, can add small objects.

mod candidate;
mod crops;
mod grid;
mod options;
mod record;

use masklet_media::{Mask, RgbImage, Rle, stability_score};
use rayon::prelude::*;

use crate::image_predictor::{Decoded, as_prompts};
use crate::{Click, ImageOptions, ImagePredictor, ImagePrompt, MaskChoice, Model, Result};
use candidate::{Candidate, corners_of, without_small_regions};
use crops::Crop;
pub(crate) use options::check_share;
pub use options::{MaskGeneratorOptions, PointGrid, RegionRemoval};
pub use record::MaskRecord;

/// Finds everything on a picture.
///
/// ```no_run
/// use masklet::{MaskGenerator, Model};
/// use masklet_media::RgbImage;
///
/// let model = Model::open("sam2.1_hiera_tiny.pt")?;
/// for record in MaskGenerator::new(&model).generate(&RgbImage::open("truck.jpg")?)? {
///     println!("{} pixels at {:?}", record.area, record.bbox);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MaskGenerator {
    model: Model,
    options: MaskGeneratorOptions,
    /// For each crop layer, points in 0..1 of a crop's width and height.
    grids: Vec<Vec<[f64; 2]>>,
}

impl MaskGenerator {
    /// A generator with the reference's options.
    pub fn new(model: &Model) -> Self {
        Self::with_options(model, MaskGeneratorOptions::default()).expect("the defaults are valid")
    }

    /// A generator with other options.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if an option is out of its range.
    pub fn with_options(model: &Model, options: MaskGeneratorOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            model: model.clone(),
            grids: options.grids(),
            options,
        })
    }

    /// The options.
    pub fn options(&self) -> &MaskGeneratorOptions {
        &self.options
    }

    /// How many batches of points a picture of this size takes: the steps of
    /// [`Self::generate_with`].
    pub fn batches(&self, dimensions: (u32, u32)) -> usize {
        let batch = self.options.points_per_batch;
        self.crops(dimensions)
            .iter()
            .map(|crop| self.grids[crop.layer].len().div_ceil(batch))
            .sum()
    }

    /// The masks of everything on a picture, in the reference's order: the best predicted IoU
    /// first, or with crops, those of the smallest crops first.
    ///
    /// Memory is bounded by [`points_per_batch`](MaskGeneratorOptions::points_per_batch), whatever
    /// the number of points: finished masks are kept run-length encoded.
    ///
    /// # Errors
    /// None that a picture can cause; those of [`ImagePredictor::predict`] are passed on.
    pub fn generate(&self, image: &RgbImage) -> Result<Vec<MaskRecord>> {
        self.generate_with(image, || ())
    }

    /// [`Self::generate`], calling `after_batch` after each batch of points.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_with(
        &self,
        image: &RgbImage,
        mut after_batch: impl FnMut(),
    ) -> Result<Vec<MaskRecord>> {
        let crops = self.crops(image.dimensions());
        let mut found = Vec::new();
        for crop in &crops {
            found.extend(self.masks_of_crop(image, crop, &mut after_batch)?);
        }
        if crops.len() > 1 {
            // Smaller crops see more.
            found = Candidate::thinned_out(found, self.options.crop_nms_thresh, |candidate| {
                1.0 / candidate.crop.area() as f32
            });
        }
        if self.options.region_removal == RegionRemoval::FullResolution {
            let threshold = self
                .options
                .box_nms_thresh
                .max(self.options.crop_nms_thresh);
            found = without_small_regions(found, self.options.min_mask_region_area, threshold);
        }
        Ok(found.into_iter().map(MaskRecord::from).collect())
    }

    fn crops(&self, dimensions: (u32, u32)) -> Vec<Crop> {
        crops::crops(
            dimensions,
            self.options.crop_n_layers,
            self.options.crop_overlap_ratio,
        )
    }

    fn masks_of_crop(
        &self,
        image: &RgbImage,
        crop: &Crop,
        after_batch: &mut impl FnMut(),
    ) -> Result<Vec<Candidate>> {
        let area = match self.options.region_removal {
            RegionRemoval::LowResolution => self.options.min_mask_region_area,
            RegionRemoval::FullResolution => 0,
        };
        let options = ImageOptions {
            max_hole_area: area,
            max_speck_area: area,
            ..ImageOptions::default()
        };
        let mut predictor = ImagePredictor::with_options(&self.model, options);
        predictor.set_image(&image.crop(crop.bounds)?);
        let view = View {
            predictor,
            crop,
            picture: image.dimensions(),
        };
        let clicks = grid::clicks(&self.grids[crop.layer], crop.bounds);
        let mut found = Vec::new();
        for clicks in clicks.chunks(self.options.points_per_batch) {
            found.extend(self.masks_of_clicks(&view, clicks)?);
            after_batch();
        }
        Ok(Candidate::thinned_out(
            found,
            self.options.box_nms_thresh,
            |candidate| candidate.predicted_iou,
        ))
    }

    /// The masks worth keeping of a batch of clicks.
    fn masks_of_clicks(&self, view: &View<'_>, clicks: &[Click]) -> Result<Vec<Candidate>> {
        let prompts: Vec<_> = clicks.iter().map(|&click| prompt(click)).collect();
        let decoded = view
            .predictor
            .decode(0, &prompts, self.options.mask_choice)?;
        let masks = decoded.masks();
        let clicks: Vec<Click> = clicks
            .iter()
            .flat_map(|&click| std::iter::repeat_n(click, masks))
            .collect();
        if self.options.use_m2m {
            self.refined(view, decoded, &clicks)
        } else {
            self.worth_keeping(view, &decoded, &clicks)
        }
    }

    /// The masks worth keeping when each, good or bad, has been refined with itself and its click
    /// as prompts.
    fn refined(
        &self,
        view: &View<'_>,
        decoded: Decoded,
        clicks: &[Click],
    ) -> Result<Vec<Candidate>> {
        let objects = clicks.len() / decoded.masks();
        let prompts: Vec<ImagePrompt> = (0..objects)
            .flat_map(|object| as_prompts(decoded.logits_of(object)))
            .zip(clicks)
            .map(|(logits, &click)| prompt(click).with_mask_logits(logits))
            .collect();
        drop(decoded);
        let batch = self.options.points_per_batch;
        let mut found = Vec::new();
        for (prompts, clicks) in prompts.chunks(batch).zip(clicks.chunks(batch)) {
            let refined = view.predictor.decode(0, prompts, MaskChoice::Single)?;
            found.extend(self.worth_keeping(view, &refined, clicks)?);
        }
        Ok(found)
    }

    /// Of decoded masks, with the click that each came from, those that pass all thresholds.
    fn worth_keeping(
        &self,
        view: &View<'_>,
        decoded: &Decoded,
        clicks: &[Click],
    ) -> Result<Vec<Candidate>> {
        let threshold = self.options.pred_iou_thresh;
        let good: Vec<usize> = (0..clicks.len())
            .filter(|&mask| threshold <= 0.0 || decoded.iou[mask] > threshold)
            .collect();
        // Only a few masks at a time are brought to the size of the picture.
        let kept: Result<Vec<Option<Candidate>>> = good
            .into_par_iter()
            .map(|mask| self.finished(view, decoded, mask, clicks[mask]))
            .collect();
        Ok(kept?.into_iter().flatten().collect())
    }

    /// One of all the masks that were decoded, unless it is unstable or cut off by its crop.
    fn finished(
        &self,
        view: &View<'_>,
        decoded: &Decoded,
        mask_index: usize,
        click: Click,
    ) -> Result<Option<Candidate>> {
        let (object, which) = (mask_index / decoded.masks(), mask_index % decoded.masks());
        let logits = decoded.logits_of(object).narrow(0, which, 1);
        let logits = view.predictor.full_size(0, logits)?.remove(0);
        let MaskGeneratorOptions {
            mask_threshold,
            stability_score_offset,
            stability_score_thresh,
            ..
        } = self.options;
        let stability = stability_score(&logits, mask_threshold, stability_score_offset);
        if stability_score_thresh > 0.0 && stability < stability_score_thresh {
            return Ok(None);
        }
        let (bounds, picture) = (view.crop.bounds, view.picture);
        let mask = Mask::from_logits(bounds.width(), bounds.height(), &logits, mask_threshold)?;
        let corners = corners_of(&mask, [bounds.x0, bounds.y0]);
        if view.crop.cuts_off(corners, picture) {
            return Ok(None);
        }
        Ok(Some(Candidate {
            rle: Rle::encode(&mask.placed(bounds, picture)?),
            corners,
            predicted_iou: decoded.iou[mask_index],
            point: [click.x + bounds.x0 as f32, click.y + bounds.y0 as f32],
            stability_score: stability,
            crop: bounds,
        }))
    }
}

/// A crop of a picture, encoded.
struct View<'a> {
    predictor: ImagePredictor,
    crop: &'a Crop,
    /// Width and height of the whole picture.
    picture: (u32, u32),
}

fn prompt(click: Click) -> ImagePrompt {
    ImagePrompt::clicks([click])
}

#[cfg(test)]
mod tests;
