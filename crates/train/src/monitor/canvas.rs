//! A picture that `embedded-graphics` draws on.

use std::convert::Infallible;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use masklet_media::RgbImage;

/// A picture to draw on; what is outside it is cut off.
pub(super) struct Canvas(pub(super) RgbImage);

impl Canvas {
    /// Writes one line; `place` is at its middle height, and at its left end, middle or right end.
    /// Characters that the font lacks become question marks.
    pub(super) fn text(
        &mut self,
        text: &str,
        place: (i32, i32),
        alignment: Alignment,
        font: &MonoFont<'_>,
        colour: Rgb888,
    ) {
        let style = TextStyleBuilder::new()
            .alignment(alignment)
            .baseline(Baseline::Middle)
            .build();
        let written = MonoTextStyle::new(font, colour);
        let Ok(_) = Text::with_text_style(text, place.into(), written, style).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        let (width, height) = self.0.dimensions();
        let target = self.0.pixels_mut().as_chunks_mut::<3>().0;
        for Pixel(place, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(place.x), u32::try_from(place.y)) else {
                continue;
            };
            if x < width && y < height {
                let at = y as usize * width as usize + x as usize;
                target[at] = [colour.r(), colour.g(), colour.b()];
            }
        }
        Ok(())
    }
}
