//! Small made-up data sets, written into temporary folders.

// Not every test uses every helper.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use masklet_media::{Mask, RgbImage};
use tempfile::TempDir;

/// Size of the pictures.
pub const SIZE: (u32, u32) = (12, 8);

/// A temporary folder that data sets are made in.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in the folder, whose parent is made.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn text(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// A picture in one shade. (PNG content under any name: content decides.)
    pub fn picture(&self, name: &str, shade: u8) {
        let (width, height) = SIZE;
        let picture = RgbImage::filled(width, height, [shade; 3]).unwrap();
        picture.save_png(self.file(name)).unwrap();
    }

    pub fn pictures(&self, folder: &str, stems: &[&str]) {
        for (index, stem) in stems.iter().enumerate() {
            self.picture(&format!("{folder}/{stem}.jpg"), index as u8);
        }
    }

    /// A palette PNG of [`SIZE`] whose values are `label(x, y)`.
    pub fn labels(&self, name: &str, label: impl Fn(u32, u32) -> u8) {
        write_png(&self.file(name), png::ColorType::Indexed, &bytes(label));
    }

    /// A grey PNG of [`SIZE`] whose values are `value(x, y)`.
    pub fn grey(&self, name: &str, value: impl Fn(u32, u32) -> u8) {
        write_png(&self.file(name), png::ColorType::Grayscale, &bytes(value));
    }
}

fn bytes(value: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let (width, height) = SIZE;
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    pixels.map(|(x, y)| value(x, y)).collect()
}

pub fn write_png(path: &Path, colour: png::ColorType, data: &[u8]) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, SIZE.0, SIZE.1);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    if colour == png::ColorType::Indexed {
        let palette: Vec<u8> = (0..=255).flat_map(masklet_data::davis_colour).collect();
        encoder.set_palette(palette);
    }
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
}

/// Columns `x0..x1` of all rows.
pub fn stripe(x0: u32, x1: u32) -> Mask {
    Mask::from_fn(SIZE.0, SIZE.1, |x, _| (x0..x1).contains(&x))
}
