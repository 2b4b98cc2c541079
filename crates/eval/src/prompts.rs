//! How an object is shown to a model.

use std::fmt;
use std::str::FromStr;

use masklet::{BoxPrompt, Click};
use masklet_media::Mask;

use crate::clicks::{first_click, next_click};

/// What is given of an object on the frame where it first appears, or on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// Its true mask.
    Mask,
    /// So many clicks, the first at its centre, each further one at the centre of the largest error.
    Clicks(u8),
    /// The box around it.
    Box,
}

impl Prompt {
    /// The prompt in words.
    pub fn words(self) -> String {
        match self {
            Self::Mask => "true mask".to_owned(),
            Self::Clicks(1) => "1 click".to_owned(),
            Self::Clicks(count) => format!("{count} clicks"),
            Self::Box => "box".to_owned(),
        }
    }
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask => f.write_str("mask"),
            Self::Clicks(count) => write!(f, "click{count}"),
            Self::Box => f.write_str("box"),
        }
    }
}

impl FromStr for Prompt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mask" => Ok(Self::Mask),
            "box" => Ok(Self::Box),
            _ => text
                .strip_prefix("click")
                .and_then(|count| count.parse().ok())
                .filter(|count| (1..=20).contains(count))
                .map(Self::Clicks)
                .ok_or_else(|| {
                    format!("{text:?} is no prompt: mask, box, click1, click3, click5 (up to click20) are known")
                }),
        }
    }
}

/// The box around a mask, through its outermost pixels as in the reference's training; at least a
/// pixel wide and high. `None` if the mask is empty.
pub fn box_around(mask: &Mask) -> Option<BoxPrompt> {
    let bounds = mask.bounding_box()?;
    let span = |from: u32, to: u32| (from as f32, (to - 1).max(from + 1) as f32);
    let ((x0, x1), (y0, y1)) = (span(bounds.x0, bounds.x1), span(bounds.y0, bounds.y1));
    Some(BoxPrompt::new(x0, y0, x1, y1))
}

/// Clicks on an object one after the other: `segment` is given each and answers with the mask that
/// the model then predicts. Ends after `count` clicks, or when the prediction is perfect. Returns
/// the last mask and the clicks, or `None` if the object is empty.
///
/// # Errors
/// What `segment` returns.
pub fn click_until<E>(
    truth: &Mask,
    predicted: Option<&Mask>,
    count: usize,
    mut segment: impl FnMut(Click) -> Result<Mask, E>,
) -> Result<Option<(Mask, Vec<Click>)>, E> {
    let mut clicks = Vec::new();
    let mut latest = predicted.cloned();
    while clicks.len() < count {
        let click = match &latest {
            None => first_click(truth),
            Some(predicted) => next_click(truth, predicted),
        };
        let Some(click) = click else { break };
        latest = Some(segment(click)?);
        clicks.push(click);
    }
    Ok(latest
        .filter(|_| !clicks.is_empty())
        .map(|mask| (mask, clicks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read_as_they_are_written() {
        for text in ["mask", "box", "click1", "click5"] {
            assert_eq!(text.parse::<Prompt>().unwrap().to_string(), text);
        }
        for text in ["click", "click0", "click21", "point"] {
            assert!(
                text.parse::<Prompt>().unwrap_err().contains("click3"),
                "{text}"
            );
        }
    }

    #[test]
    fn boxes_go_through_the_outermost_pixels() {
        let mask = Mask::from_fn(20, 20, |x, y| (3..8).contains(&x) && y == 4);
        assert_eq!(box_around(&mask), Some(BoxPrompt::new(3.0, 4.0, 7.0, 5.0)));
        assert_eq!(box_around(&Mask::empty(4, 4)), None);
    }

    #[test]
    fn clicking_ends_when_nothing_is_wrong() {
        let truth = Mask::from_fn(20, 20, |x, y| x < 9 && y < 9);
        let answer = |_| Ok::<_, ()>(truth.clone());
        let (mask, clicks) = click_until(&truth, None, 5, answer).unwrap().unwrap();
        assert_eq!((mask, clicks.len()), (truth.clone(), 1));
        let none = click_until(&truth, Some(&truth), 5, |_| Ok::<_, ()>(truth.clone())).unwrap();
        assert!(none.is_none());
    }
}
