//! JPEG: the pixels are Pillow's, and a file that is not whole is refused.

use masklet_media::{Mask, MediaError, RgbImage};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn assert_reads_as_pillow(names: &[&str]) {
    for name in names {
        let image = RgbImage::decode(&fixture(&format!("jpeg_{name}.jpg"))).unwrap();
        let expected = RgbImage::decode(&fixture(&format!("jpeg_{name}.png"))).unwrap();
        assert_eq!(image.dimensions(), expected.dimensions(), "{name}");
        assert!(image.pixels() == expected.pixels(), "{name} differs");
    }
}

/// The position of a marker's second byte plus one: where its length is.
fn after_marker(jpeg: &[u8], marker: u8) -> usize {
    let found = jpeg.windows(2).position(|pair| pair == [0xff, marker]);
    found.unwrap() + 2
}

fn refusal(jpeg: &[u8]) -> String {
    let error = RgbImage::decode(jpeg).unwrap_err();
    assert!(matches!(error, MediaError::Decode { .. }), "{error}");
    error.to_string()
}

#[test]
fn every_chroma_sampling_reads_as_in_pillow() {
    assert_reads_as_pillow(&["444", "422", "420", "440", "411", "one_pixel"]);
}

#[test]
fn progressive_files_and_restart_markers_read_as_in_pillow() {
    assert_reads_as_pillow(&["progressive", "grey_progressive", "restarts"]);
}

#[test]
fn grey_rgb_and_ink_colours_read_as_in_pillow() {
    assert_reads_as_pillow(&[
        "grey",
        "stored_as_rgb",
        "cmyk",
        "ycck",
        "cmyk_without_adobe",
    ]);
}

#[test]
fn harmless_oddities_of_real_files_are_accepted() {
    assert_reads_as_pillow(&["odd_scan_header", "padded"]);
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    for name in ["420", "progressive", "restarts", "grey", "cmyk"] {
        let whole = fixture(&format!("jpeg_{name}.jpg"));
        for length in 3..whole.len() {
            let message = refusal(&whole[..length]);
            assert!(
                message.contains("ends before the picture does"),
                "{name}, {length} bytes: {message}"
            );
        }
    }
}

#[test]
fn missing_pixel_data_is_refused_even_if_the_file_ends_properly() {
    for name in ["420", "progressive", "cmyk"] {
        let whole = fixture(&format!("jpeg_{name}.jpg"));
        let data = after_marker(&whole, 0xda) + 12;
        for kept in [0, 10, (whole.len() - data) / 3] {
            let mut cut = whole[..data + kept].to_vec();
            // Not in the middle of an escaped byte.
            if cut.last() == Some(&0xff) {
                cut.pop();
            }
            cut.extend([0xff, 0xd9]);
            let message = refusal(&cut);
            assert!(message.contains("damaged"), "{name}, {kept}: {message}");
        }
    }
}

#[test]
fn a_missing_restart_marker_is_refused() {
    let mut jpeg = fixture("jpeg_restarts.jpg");
    let at = after_marker(&jpeg, 0xd1);
    jpeg.drain(at - 2..at);
    assert!(refusal(&jpeg).contains("data is damaged"));
}

#[test]
fn garbage_is_refused_without_a_panic() {
    let whole = fixture("jpeg_420.jpg");
    let mut state = 1u32;
    for round in 0..300 {
        let mut jpeg = whole.clone();
        for _ in 0..=round % 7 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = 3 + (state >> 8) as usize % (jpeg.len() - 3);
            jpeg[at] = state as u8;
        }
        // Some changes cannot be noticed; what matters is that none brings the process down.
        if let Ok(image) = RgbImage::decode(&jpeg) {
            let (width, height) = image.dimensions();
            assert_eq!(image.pixels().len() as u32, width * height * 3);
        }
    }
    refusal(b"\xff\xd8\xff");
    refusal(b"\xff\xd8\xff\xd9");
    refusal(b"\xff\xd8\xff\xe0 this only begins like a JPEG; then it goes on as text.");
}

#[test]
fn the_decoder_says_what_it_does_not_support() {
    let mut deep = fixture("jpeg_420.jpg");
    let frame = after_marker(&deep, 0xc0);
    deep[frame + 2] = 12;
    assert!(
        refusal(&deep).contains("precision 12"),
        "{}",
        refusal(&deep)
    );

    let mut arithmetic = fixture("jpeg_420.jpg");
    arithmetic[frame - 1] = 0xc9;
    let message = refusal(&arithmetic);
    assert!(message.contains("arithmetic"), "{message}");
}

#[test]
fn huge_dimensions_are_refused_from_the_header() {
    for name in ["420", "progressive"] {
        let mut jpeg = fixture(&format!("jpeg_{name}.jpg"));
        let frame = after_marker(&jpeg, if name == "420" { 0xc0 } else { 0xc2 });
        // 60,000 x 60,000, and no data for it: only the header is looked at.
        jpeg[frame + 3..frame + 7].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
        let error = RgbImage::decode(&jpeg).unwrap_err();
        assert!(
            matches!(
                error,
                MediaError::TooLarge {
                    width: 60_000,
                    height: 60_000,
                    ..
                }
            ),
            "{error}"
        );
        jpeg[frame + 3..frame + 7].copy_from_slice(&[0, 0, 0, 9]);
        refusal(&jpeg);
    }
}

#[test]
fn many_threads_decode_at_once() {
    let whole = fixture("jpeg_progressive.jpg");
    let expected = RgbImage::decode(&whole).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(RgbImage::decode(&whole).unwrap() == expected);
                    refusal(&whole[..whole.len() - 9]);
                }
            });
        }
    });
}

#[test]
fn a_mask_may_be_a_jpeg() {
    let jpeg = fixture("jpeg_grey.jpg");
    let image = RgbImage::decode(&jpeg).unwrap();
    let mask = Mask::decode(&jpeg).unwrap();
    let bright = image.pixels().chunks_exact(3).map(|pixel| pixel[0] != 0);
    assert!(mask.bits().iter().copied().eq(bright));
}
