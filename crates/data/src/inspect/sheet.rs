//! A picture that shows a data set at a glance.

use masklet_media::{Mask, OverlayObject, RgbImage, draw_overlay};

use super::spread_over;
use crate::dataset::{Dataset, Sequence};
use crate::{DataError, Result, SkipReason, SkipReport};

/// How a contact sheet is laid out.
#[derive(Clone, Copy, Debug)]
pub struct SheetOptions {
    /// Rows: sequences, or rows of images.
    pub rows: usize,
    /// Columns: frames of a sequence, or images in a row.
    pub columns: usize,
    /// Largest height of a cell in pixels; it is at most half as wide again.
    pub cell: u32,
}

impl Default for SheetOptions {
    fn default() -> Self {
        Self {
            rows: 8,
            columns: 6,
            cell: 160,
        }
    }
}

/// A contact sheet.
pub struct Sheet {
    /// The picture.
    pub picture: RgbImage,
    /// What each cell shows, row by row: sequence and frame, or image.
    pub cells: Vec<Vec<String>>,
}

const GAP: u32 = 4;
const PAPER: [u8; 3] = [32; 3];
/// What stands for a picture that is not there.
const BLANK: [u8; 3] = [88; 3];

/// Draws sequences (one a row, frames evenly over it) or images spread over the data set, with
/// their objects tinted and outlined. Frames without a picture show their masks on grey. What
/// cannot be read is noted in `skipped` and its cell or row left empty.
///
/// # Errors
/// [`DataError::BadValue`] for a sheet without cells; if `skipped` is strict, the first error.
pub fn contact_sheet(
    dataset: &Dataset,
    options: &SheetOptions,
    skipped: &mut SkipReport,
) -> Result<Sheet> {
    let SheetOptions {
        rows,
        columns,
        cell,
    } = *options;
    if rows == 0 || columns == 0 || !(16..=2048).contains(&cell) || rows * columns > 4096 {
        return Err(DataError::BadValue {
            what: "the contact sheet's size",
            found: format!("{rows} rows and {columns} columns of cells {cell} pixels high"),
            accepted: "1 to 4096 cells of 16 to 2048 pixels",
        });
    }
    let mut shown: Vec<Vec<(String, RgbImage)>> = Vec::new();
    let layout = dataset.layout().name();
    match dataset {
        Dataset::Videos(videos) => {
            for index in spread_over(videos.names().len(), rows) {
                let name = &videos.names()[index];
                let row = videos
                    .open(index)
                    .and_then(|sequence| frames(&*sequence, options));
                shown.extend(skipped.usable(layout, name, row)?);
            }
        }
        Dataset::Images(images) => {
            let chosen = spread_over(images.len(), rows * columns);
            for chosen in chosen.chunks(columns) {
                let mut row = Vec::new();
                for &index in chosen {
                    let name = images.image_name(index);
                    let cell = images.open(index).and_then(|image| {
                        let first = image.segmentations.first();
                        let masks: Vec<(u32, Mask)> = (1..)
                            .zip(first.map_or(&[][..], |s| &s.segments))
                            .map(|(id, segment)| (id, segment.mask.decode()))
                            .collect();
                        small(&image.picture()?, &masks, options)
                    });
                    let cell = skipped.usable(layout, name, cell)?;
                    row.extend(cell.map(|cell| (name.to_owned(), cell)));
                }
                shown.push(row);
            }
        }
    }
    let cells = shown
        .iter()
        .map(|row| row.iter().map(|(name, _)| name.clone()).collect());
    Ok(Sheet {
        cells: cells.collect(),
        picture: arrange(&shown)?,
    })
}

fn cell_width(options: &SheetOptions) -> u32 {
    options.cell * 3 / 2
}

/// A row of frames from the first annotated one on.
fn frames(sequence: &dyn Sequence, options: &SheetOptions) -> Result<Vec<(String, RgbImage)>> {
    let annotated = sequence.annotated_frames();
    let mut source = match sequence.frames() {
        Ok(source) => Some(source),
        Err(DataError::NoPictures { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut row = Vec::new();
    for index in spread_over(annotated.len(), options.columns) {
        let frame = annotated[index];
        let name = format!("{}/{}", sequence.name(), sequence.frame_name(frame));
        let annotation = sequence
            .annotation(frame)?
            .ok_or_else(|| DataError::unusable(&name, SkipReason::NoMasks))?;
        let picture = match &mut source {
            Some(source) => source
                .frame(frame)?
                .ok_or_else(|| DataError::unusable(&name, SkipReason::NoPicture))?,
            None => {
                let (width, height) = annotation.dimensions();
                RgbImage::filled(width, height, BLANK)?
            }
        };
        // Colours are given out from 1; SA-V counts from 0.
        let ids = annotation.object_ids().into_iter();
        let masks: Vec<(u32, Mask)> = ids
            .filter_map(|id| Some((id.saturating_add(1), annotation.mask(id)?)))
            .collect();
        row.push((name, small(&picture, &masks, options)?));
    }
    Ok(row)
}

/// A picture with its objects, scaled to fit a cell.
fn small(picture: &RgbImage, masks: &[(u32, Mask)], options: &SheetOptions) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let scale = f64::from(cell_width(options)) / f64::from(width);
    let scale = scale.min(f64::from(options.cell) / f64::from(height));
    let fit = |side: u32, factor: f64| ((f64::from(side) * factor).round() as u32).max(1);
    // Drawn at twice the size, so that lines become smooth and thin.
    let large = (2.0 * scale).min(1.0);
    let size = (fit(width, large), fit(height, large));
    let objects: Vec<(u32, Mask)> = masks
        .iter()
        .map(|(id, mask)| (*id, crate::clip::resize_mask(mask, size)))
        .collect();
    let objects: Vec<OverlayObject> = objects
        .iter()
        .map(|(id, mask)| OverlayObject {
            id: *id,
            mask: Some(mask),
            prompts: &[],
        })
        .collect();
    let drawn = draw_overlay(&crate::clip::resize_picture(picture, size)?, &objects)?;
    crate::clip::resize_picture(&drawn, (fit(width, scale), fit(height, scale)))
}

/// Rows one below the other, each as high as its highest picture.
fn arrange(rows: &[Vec<(String, RgbImage)>]) -> Result<RgbImage> {
    let row_width = |row: &Vec<(String, RgbImage)>| {
        row.iter()
            .map(|(_, picture)| picture.width() + GAP)
            .sum::<u32>()
    };
    let row_height = |row: &Vec<(String, RgbImage)>| {
        let heights = row.iter().map(|(_, picture)| picture.height());
        heights.max().unwrap_or(0) + GAP
    };
    let width = GAP + rows.iter().map(row_width).max().unwrap_or(0);
    let height = GAP + rows.iter().map(row_height).sum::<u32>();
    let mut sheet = RgbImage::filled(width, height, PAPER)?;
    let mut top = GAP;
    for row in rows {
        let mut left = GAP;
        for (_, picture) in row {
            paste(&mut sheet, picture, left, top);
            left += picture.width() + GAP;
        }
        top += row_height(row);
    }
    Ok(sheet)
}

fn paste(sheet: &mut RgbImage, picture: &RgbImage, left: u32, top: u32) {
    let width = sheet.width() as usize;
    let row_length = picture.width() as usize * 3;
    for (y, row) in picture.pixels().chunks_exact(row_length).enumerate() {
        let start = ((top as usize + y) * width + left as usize) * 3;
        sheet.pixels_mut()[start..start + row_length].copy_from_slice(row);
    }
}
