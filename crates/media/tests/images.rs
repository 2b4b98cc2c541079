//! Reading and writing pictures.

use masklet_media::{BoundingBox, MediaError, RgbImage, atomic};

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

#[test]
fn every_lossless_mode_reads_as_pillows_convert_rgb() {
    let files = [
        "mode_rgb.png",
        "mode_grey.png",
        "mode_grey_alpha.png",
        "mode_rgba.png",
        "mode_palette.png",
        "mode_bilevel.png",
        "mode_grey16.png",
        "mode_bmp.bmp",
        "mode_tiff.tif",
        "mode_webp.webp",
        "mode_gif.gif",
    ];
    for file in files {
        let image = RgbImage::open(fixture(file)).unwrap();
        assert_eq!(image.dimensions(), (8, 6), "{file}");
        let stem = file.split('.').next().unwrap();
        assert_eq!(image.pixels(), golden(&format!("{stem}.rgb")), "{file}");
    }
}

#[test]
fn a_jpegs_orientation_is_not_applied() {
    let image = RgbImage::open(fixture("mode_jpeg.jpg")).unwrap();
    assert_eq!(image.dimensions(), (24, 16));
    assert_eq!(image.pixels(), golden("mode_jpeg.rgb"));
}

#[test]
fn the_extension_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really_a_png.jpg");
    std::fs::copy(fixture("mode_rgb.png"), &path).unwrap();
    assert_eq!(
        RgbImage::open(&path).unwrap().pixels(),
        golden("mode_rgb.rgb")
    );
}

#[test]
fn a_saved_png_reads_back_the_same_and_leaves_no_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.png");
    let image = RgbImage::open(fixture("resize_down.png")).unwrap();
    image.save_png(&path).unwrap();
    assert_eq!(RgbImage::open(&path).unwrap(), image);
    assert_eq!(RgbImage::decode(&image.to_png().unwrap()).unwrap(), image);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    atomic::write(&path, b"old").unwrap();
    let failed = atomic::write_with(&path, |file| {
        file.write_all(b"half of the n")?;
        Err(std::io::Error::other("the disk is full"))
    });
    let message = failed.unwrap_err().to_string();
    assert!(
        message.contains("state.json") && message.contains("disk is full"),
        "{message}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn writing_into_a_missing_folder_names_the_file() {
    let message = atomic::write("no/such/folder/file".as_ref(), b"x")
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/such/folder/file"), "{message}");
    assert!(atomic::write("".as_ref(), b"x").is_err());
    assert!(atomic::write("/".as_ref(), b"x").is_err());
}

#[cfg(unix)]
#[test]
fn written_files_are_as_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        folder
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
    };
    atomic::write(&folder.path().join("ours"), b"x").unwrap();
    std::fs::write(folder.path().join("plain"), b"x").unwrap();
    assert_eq!(mode("ours"), mode("plain"));
}

#[test]
fn missing_foreign_and_damaged_files_are_told_apart() {
    let missing = RgbImage::open("no_such_picture.png").unwrap_err();
    assert!(matches!(missing, MediaError::Read { .. }), "{missing}");
    assert!(missing.to_string().contains("no_such_picture.png"));

    let foreign = RgbImage::decode(b"{\"json\": true}").unwrap_err();
    assert!(
        matches!(foreign, MediaError::NotAnImage { .. }),
        "{foreign}"
    );
    assert!(matches!(
        RgbImage::decode(b"").unwrap_err(),
        MediaError::NotAnImage { .. }
    ));

    let whole = golden("mode_rgb.png");
    for length in [8, 20, 40, whole.len() / 2] {
        let cut = RgbImage::decode(&whole[..length]).unwrap_err();
        assert!(matches!(cut, MediaError::Decode { .. }), "{length}: {cut}");
    }
}

#[test]
fn a_decompression_bomb_is_refused_before_it_is_decoded() {
    // A PNG header that claims 60,000 x 60,000 pixels; its checksum is right.
    let mut png = golden("mode_rgb.png");
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let refused = RgbImage::decode(&png).unwrap_err();
    assert!(
        matches!(refused, MediaError::TooLarge { width: 60_000, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("60000x60000"));
    assert!(RgbImage::filled(60_000, 60_000, [0; 3]).is_err());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn a_buffer_of_the_wrong_length_is_refused() {
    assert!(matches!(
        RgbImage::from_raw(2, 2, vec![0; 11]),
        Err(MediaError::BufferLength {
            expected: 12,
            found: 11,
            ..
        })
    ));
    assert!(matches!(
        RgbImage::from_raw(0, 2, vec![]),
        Err(MediaError::EmptyImage { .. })
    ));
    assert!(RgbImage::from_raw(u32::MAX, u32::MAX, vec![0; 3]).is_err());
}

#[test]
fn a_pixel_outside_is_none() {
    let image = RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(image.pixel(1, 0), Some([4, 5, 6]));
    assert_eq!(image.pixel(2, 0), None);
    assert_eq!(image.pixel(0, 1), None);
}

#[test]
fn a_crop_has_the_pixels_of_its_part() {
    let pixels = (0..5 * 4 * 3).collect();
    let image = RgbImage::from_raw(5, 4, pixels).unwrap();
    let bounds = |x0, y0, x1, y1| BoundingBox { x0, y0, x1, y1 };
    let part = image.crop(bounds(1, 2, 4, 4)).unwrap();
    assert_eq!(part.dimensions(), (3, 2));
    for (x, y) in [(0, 0), (2, 0), (0, 1), (2, 1)] {
        assert_eq!(part.pixel(x, y), image.pixel(x + 1, y + 2));
    }
    assert_eq!(image.crop(bounds(0, 0, 5, 4)).unwrap(), image);
    for outside in [bounds(0, 0, 6, 4), bounds(2, 2, 2, 4), bounds(3, 0, 1, 4)] {
        let refused = image.crop(outside);
        assert!(matches!(refused, Err(MediaError::OutsidePicture { .. })));
    }
}

#[test]
fn pictures_are_recognised_by_their_beginning() {
    for file in [
        "mode_rgb.png",
        "mode_jpeg.jpg",
        "mode_webp.webp",
        "mode_bmp.bmp",
    ] {
        assert!(RgbImage::recognises(fixture(file)).unwrap(), "{file}");
    }
    assert!(!RgbImage::recognises(fixture("rle.json")).unwrap());
    let missing = RgbImage::recognises(fixture("missing.png"));
    assert!(matches!(missing, Err(MediaError::Read { .. })));
}

#[test]
fn a_jpeg_that_was_written_looks_like_the_picture() {
    let picture = RgbImage::filled(40, 30, [200, 90, 30]).unwrap();
    for bytes in [
        picture.to_jpeg(90).unwrap(),
        picture.to_jpeg_fast(90).unwrap(),
    ] {
        let read = RgbImage::decode(&bytes).unwrap();
        assert_eq!(read.dimensions(), (40, 30));
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 4;
        assert!(read.pixels().iter().zip(picture.pixels()).all(near));
    }
}
