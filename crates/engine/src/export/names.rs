//! The names of videos as those of files.

use std::collections::BTreeSet;

use super::Format;

/// The longest name in bytes: with what the formats put before and after it, and a number, a file
/// system takes it.
const LONGEST: usize = 200;

/// The names that a data set's videos have already.
pub(super) struct Names {
    /// In lower case: not every file system tells `A` from `a`.
    taken: BTreeSet<String>,
}

impl Names {
    pub(super) fn new(format: Format) -> Self {
        let beside_the_videos = match format {
            Format::Coco => Some("annotations".to_owned()),
            _ => None,
        };
        Self {
            taken: beside_the_videos.into_iter().collect(),
        }
    }

    /// The name of a video's files: its own as far as that is possible, numbered if it is taken.
    pub(super) fn give(&mut self, video: &str) -> String {
        let name = file_name(video);
        let mut given = name.clone();
        for number in 2u64.. {
            if self.taken.insert(given.to_lowercase()) {
                break;
            }
            let number = format!("-{number}");
            given = cut(&name, LONGEST - number.len()).to_owned() + &number;
        }
        given
    }
}

/// A video's name as that of a file: nothing in it means a folder, on any system, hides it, or ends it
/// in a list of names.
fn file_name(name: &str) -> String {
    let harmless = |character: char| match character {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '#' => '_',
        character => character,
    };
    let name: String = name.trim().chars().map(harmless).collect();
    let name = match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    };
    cut(&name, LONGEST).to_owned()
}

/// As many whole characters as `most` bytes hold, without space at their end.
fn cut(name: &str, most: usize) -> &str {
    let mut end = most.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_videos_are_no_paths() {
        assert_eq!(file_name("cats and dogs"), "cats and dogs");
        assert_eq!(file_name("../../etc/passwd"), "_._.._etc_passwd");
        assert_eq!(file_name("C:\\x"), "C__x");
        assert_eq!(file_name("cat #2"), "cat _2");
        assert!(!file_name("..").starts_with('.'));
    }

    #[test]
    fn a_name_that_is_taken_is_numbered() {
        let mut names = Names::new(Format::Davis);
        let given = ["a:b", "a?b", "A_B", "a_b-2"].map(|name| names.give(name));
        assert_eq!(given, ["a_b", "a_b-2", "A_B-3", "a_b-2-2"]);
        assert_eq!(names.give("annotations"), "annotations");
        assert_eq!(
            Names::new(Format::Coco).give("Annotations"),
            "Annotations-2"
        );
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut names = Names::new(Format::Coco);
        // Two bytes each, after one of one byte.
        let long = format!("x{}", "ü".repeat(150));
        assert_eq!(names.give(&long), format!("x{}", "ü".repeat(99)));
        assert_eq!(names.give(&long), format!("x{}-2", "ü".repeat(98)));
    }
}
