//! The H.264 decoder, from samples to pictures.

use std::collections::VecDeque;

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use crate::RgbImage;
use crate::yuv::{self, Colour, Plane};

/// What is made of every decoded picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Size as coded.
    pub(super) coded: (u32, u32),
    /// Size as shown: at most as coded.
    pub(super) shown: (u32, u32),
    pub(super) colour: Colour,
}

/// Decodes samples that are given in decoding order into pictures in order of presentation.
pub(super) struct PictureDecoder {
    decoder: Decoder,
    target: Target,
    /// At most as many as the format lets a decoder hold back: 16.
    ready: VecDeque<RgbImage>,
}

impl PictureDecoder {
    pub(super) fn new(target: Target) -> Result<Self, String> {
        // Pictures are put in order by the decoder, which asks that nothing is flushed before
        // the end: a picture that is flushed early is missing from its place.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            decoder,
            target,
            ready: VecDeque::new(),
        })
    }

    /// Decodes one sample.
    pub(super) fn push(&mut self, stream: &[u8]) -> Result<(), String> {
        let picture = self.decoder.decode(stream).map_err(damaged)?;
        if let Some(picture) = picture {
            self.ready.push_back(convert(&picture, self.target)?);
        }
        Ok(())
    }

    /// Decodes what was held back for the sake of order; nothing can be pushed after that.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let rest = self.decoder.flush_remaining().map_err(damaged)?;
        for picture in &rest {
            self.ready.push_back(convert(picture, self.target)?);
        }
        Ok(())
    }

    /// The next picture, if it is ready.
    pub(super) fn pop(&mut self) -> Option<RgbImage> {
        self.ready.pop_front()
    }
}

/// The decoder's own words are numbers.
fn damaged(_: openh264::Error) -> String {
    "its data are damaged".to_owned()
}

fn convert(picture: &DecodedYUV<'_>, target: Target) -> Result<RgbImage, String> {
    let (width, height) = picture.dimensions();
    if (width as u32, height as u32) != target.coded {
        let (w, h) = target.coded;
        return Err(format!(
            "it has {width}x{height} pixels, the others {w}x{h}"
        ));
    }
    let (luma, chroma, _) = picture.strides();
    let plane = |bytes, stride| Plane { bytes, stride };
    let planes = [
        plane(picture.y(), luma),
        plane(picture.u(), chroma),
        plane(picture.v(), chroma),
    ];
    yuv::to_rgb(planes, target.shown.0, target.shown.1, target.colour)
        .map_err(|error| error.to_string())
}
