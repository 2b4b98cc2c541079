//! A stretch of decoding that began at a keyframe.

use std::io::{Read, Seek};

use super::decoder::PictureDecoder;
use super::samples::Samples;
use crate::RgbImage;

/// Decodes on from a keyframe. Places are positions in the order of presentation of all
/// samples, shown or not; at a keyframe, sample number and place are the same.
pub(super) struct Run {
    decoder: PictureDecoder,
    start: usize,
    next_sample: usize,
    next_place: usize,
    finished: bool,
    damage: Option<Damage>,
}

/// Why decoding cannot go on.
struct Damage {
    /// The sample that could not be decoded.
    sample: usize,
    reason: String,
}

/// A place that cannot be reached, and why.
pub(super) struct Stuck {
    pub(super) place: usize,
    pub(super) reason: String,
}

impl Run {
    /// Begins at sample `start`.
    pub(super) fn begin<R: Read + Seek>(
        samples: &Samples<R>,
        start: usize,
    ) -> Result<Self, String> {
        Ok(Self {
            decoder: PictureDecoder::new(samples.target)?,
            start,
            next_sample: start,
            next_place: start,
            finished: false,
            damage: None,
        })
    }

    /// Whether `place` is not behind it.
    pub(super) fn is_before(&self, place: usize) -> bool {
        self.next_place <= place
    }

    /// Where another run has to begin to get further than this one with less work.
    pub(super) fn worthwhile_start(&self) -> usize {
        match self.damage {
            // It will not get beyond the frame it is at.
            Some(_) => self.next_place + 1,
            None => self.next_sample + 1,
        }
    }

    /// The picture at `place`, decoding up to it; `order` is the order of presentation.
    pub(super) fn picture<R: Read + Seek>(
        &mut self,
        samples: &mut Samples<R>,
        order: &[u32],
        place: usize,
    ) -> Result<RgbImage, Stuck> {
        loop {
            let in_order = match &self.damage {
                None => true,
                // What needs the damaged sample, or comes after it, is out of place.
                Some(damage) => (order.get(self.next_place))
                    .is_some_and(|&sample| (sample as usize) < damage.sample),
            };
            if in_order && let Some(picture) = self.decoder.pop() {
                self.next_place += 1;
                if self.next_place > place {
                    return Ok(picture);
                }
                continue;
            }
            let reason = match &self.damage {
                Some(damage) => damage.reason.clone(),
                None if self.finished => "the decoder made no picture of its data".to_owned(),
                None => {
                    self.advance(samples);
                    continue;
                }
            };
            let place = self.next_place;
            return Err(Stuck { place, reason });
        }
    }

    /// Decodes one more sample, or what is held back after the last.
    fn advance<R: Read + Seek>(&mut self, samples: &mut Samples<R>) {
        let sample = self.next_sample;
        let decoded = if sample < samples.count() {
            self.next_sample += 1;
            let stream = samples.stream(sample, sample == self.start);
            stream.and_then(|stream| self.decoder.push(&stream))
        } else {
            self.finished = true;
            self.decoder.finish()
        };
        if let Err(reason) = decoded {
            if let Ok(decoder) = self.decode_before(samples, sample) {
                self.decoder = decoder;
            }
            self.damage = Some(Damage { sample, reason });
        }
    }

    /// Decodes the samples before a damaged one anew and passes over the pictures that were
    /// delivered. Damage may take sound pictures with it that the decoder was still holding
    /// back; without it, all come out.
    fn decode_before<R: Read + Seek>(
        &self,
        samples: &mut Samples<R>,
        damaged: usize,
    ) -> Result<PictureDecoder, String> {
        let mut decoder = PictureDecoder::new(samples.target)?;
        let mut delivered = self.next_place - self.start;
        let mut pass_over = |decoder: &mut PictureDecoder| {
            while delivered > 0 && decoder.pop().is_some() {
                delivered -= 1;
            }
        };
        for sample in self.start..damaged {
            decoder.push(&samples.stream(sample, sample == self.start)?)?;
            pass_over(&mut decoder);
        }
        decoder.finish()?;
        pass_over(&mut decoder);
        Ok(decoder)
    }
}
