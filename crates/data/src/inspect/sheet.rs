//! A picture that shows a data set at a glance.

use masklet_media::sheet::{arrange, thumbnail};
use masklet_media::{Mask, RgbImage};

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
                        Ok(thumbnail(&image.picture()?, &masks, cell_size(options))?)
                    });
                    let cell = skipped.usable(layout, name, cell)?;
                    row.extend(cell.map(|cell| (name.to_owned(), cell)));
                }
                shown.push(row);
            }
        }
    }
    let (cells, pictures): (_, Vec<Vec<RgbImage>>) =
        shown.into_iter().map(|row| row.into_iter().unzip()).unzip();
    Ok(Sheet {
        cells,
        picture: arrange(&pictures, GAP, PAPER)?,
    })
}

/// The largest width and height of a cell.
fn cell_size(options: &SheetOptions) -> (u32, u32) {
    (options.cell * 3 / 2, options.cell)
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
        row.push((name, thumbnail(&picture, &masks, cell_size(options))?));
    }
    Ok(row)
}
