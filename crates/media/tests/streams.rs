//! Frames from a pipe.

use std::io::{self, Read};
use std::time::Duration;

use masklet_media::{
    FrameRate, FrameSource, Frames, MediaError, PictureStream, RawStream, RgbImage,
};

fn frame(level: u8) -> RgbImage {
    RgbImage::filled(5, 3, [level, 0, 255 - level]).unwrap()
}

fn png(level: u8) -> Vec<u8> {
    frame(level).to_png().unwrap()
}

fn ppm(level: u8) -> Vec<u8> {
    let mut bytes = b"P6\n# made up\n5 3\n255\n".to_vec();
    bytes.extend(frame(level).pixels());
    bytes
}

fn jpeg(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// Hands out one byte at a time, as a slow pipe may.
struct Dripping(io::Cursor<Vec<u8>>);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

fn open(bytes: Vec<u8>) -> masklet_media::Result<PictureStream<Dripping>> {
    PictureStream::new(Dripping(io::Cursor::new(bytes)), "standard input")
}

fn levels(bytes: Vec<u8>) -> Vec<u8> {
    let mut stream = open(bytes).unwrap();
    Frames::from(&mut stream, 0)
        .map(|frame| frame.unwrap().pixels()[0])
        .collect()
}

#[test]
fn pictures_back_to_back_are_frames() {
    assert_eq!(levels([png(1), png(2), png(3)].concat()), [1, 2, 3]);
    assert_eq!(levels([ppm(1), ppm(2), ppm(3)].concat()), [1, 2, 3]);
    assert_eq!(levels([ppm(7), png(8)].concat()), [7, 8]);
}

#[test]
fn jpegs_of_every_kind_are_told_apart_by_their_markers() {
    let kinds = [
        "420",
        "422",
        "444",
        "grey",
        "grey_progressive",
        "odd_scan_header",
        "progressive",
        "restarts",
    ];
    let files = kinds.map(|kind| jpeg(&format!("jpeg_{kind}.jpg")));
    // The first one gives the size, so each kind gets a stream: between two of itself.
    for (kind, file) in kinds.iter().zip(&files) {
        let alone = RgbImage::decode(file).unwrap();
        let mut stream = open([&file[..]; 3].concat()).unwrap();
        for index in 0..3 {
            assert!(stream.frame(index).unwrap().unwrap() == alone, "{kind}");
        }
        assert!(stream.frame(3).unwrap().is_none(), "{kind}");
    }
}

#[test]
fn a_thumbnail_inside_a_picture_is_not_a_frame() {
    let picture = jpeg("jpeg_420.jpg");
    // An application segment that holds a whole picture, right after the start marker.
    let mut with_thumbnail = picture[..2].to_vec();
    with_thumbnail.extend([0xff, 0xe1]);
    with_thumbnail.extend((picture.len() as u16 + 2).to_be_bytes());
    with_thumbnail.extend(&picture);
    with_thumbnail.extend(&picture[2..]);
    let mut stream = open([with_thumbnail.clone(), with_thumbnail].concat()).unwrap();
    assert_eq!(Frames::from(&mut stream, 0).count(), 2);
}

#[test]
fn bytes_between_pictures_are_passed_over() {
    let boundary = b"\r\n--frame\r\nContent-Type: image/png\r\nContent-Length: 75\r\n\r\n".to_vec();
    let stream = [
        boundary.clone(),
        png(1),
        boundary.clone(),
        png(2),
        vec![0; 9],
        png(3),
        b"\r\n--frame--\r\n".to_vec(),
    ];
    assert_eq!(levels(stream.concat()), [1, 2, 3]);
}

#[test]
fn an_incomplete_last_frame_is_an_error_that_names_it() {
    for last in [png(3), ppm(3), jpeg("jpeg_420.jpg")] {
        for missing in [1, 10, last.len() - 4] {
            let stream = [png(1), png(2), last[..last.len() - missing].to_vec()].concat();
            let mut stream = open(stream).unwrap();
            let frames: Vec<_> = Frames::from(&mut stream, 0).collect();
            assert_eq!(frames.len(), 3);
            assert!(frames[0].is_ok() && frames[1].is_ok());
            let error = frames[2].as_ref().unwrap_err();
            assert!(
                matches!(error, MediaError::Frame { frame: 2, .. }),
                "{error}"
            );
            let message = error.to_string();
            assert!(
                message.contains("frame 2 of standard input")
                    && message.contains("the stream ends"),
                "{message}"
            );
            // And stays one.
            assert!(stream.frame(2).is_err() && stream.frame(7).is_err());
        }
    }
}

#[test]
fn what_is_no_picture_is_an_error() {
    for nothing in [
        vec![],
        b"hello, this is not a video".to_vec(),
        vec![0xff; 300],
    ] {
        let error = open(nothing).err().unwrap();
        assert!(matches!(error, MediaError::NotAVideo { .. }), "{error}");
    }
    let mut stream = open([png(1), b"something else".to_vec()].concat()).unwrap();
    assert!(matches!(
        stream.frame(1),
        Err(MediaError::Frame { frame: 1, .. })
    ));
    let mut damaged = png(2);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let mut stream = open([png(1), damaged, png(3)].concat()).unwrap();
    assert!(matches!(
        stream.frame(2),
        Err(MediaError::Frame { frame: 1, .. })
    ));
}

#[test]
fn a_stream_cannot_go_back_and_does_not_know_its_length() {
    let mut stream = open([png(1), png(2), png(3)].concat()).unwrap();
    assert_eq!(stream.frame_count(), None);
    assert_eq!(stream.dimensions(), (5, 3));
    assert!(!stream.can_go_back());
    assert_eq!(stream.frame_rate(), None);
    assert_eq!(stream.frame(1).unwrap().unwrap().pixels()[0], 2);
    assert_eq!(
        stream.frame(1).unwrap().unwrap().pixels()[0],
        2,
        "the frame at hand stays"
    );
    let error = stream.frame(0).unwrap_err();
    assert!(
        matches!(
            error,
            MediaError::CannotGoBack {
                frame: 0,
                next: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(stream.frame(2).unwrap().unwrap().pixels()[0], 3);
    assert!(stream.frame(3).unwrap().is_none());

    let timed = open(png(1))
        .unwrap()
        .with_frame_rate(FrameRate::new(20, 1).unwrap());
    assert_eq!(timed.presentation_time(3), Some(Duration::from_millis(150)));
}

#[test]
fn a_frame_of_another_size_is_named() {
    let other = RgbImage::filled(4, 4, [0; 3]).unwrap().to_png().unwrap();
    let mut stream = open([png(1), other].concat()).unwrap();
    let message = stream.frame(1).unwrap_err().to_string();
    assert!(
        message.contains("frame 1") && message.contains("4x4"),
        "{message}"
    );
}

#[test]
fn raw_frames_are_cut_by_their_size() {
    let pixels: Vec<u8> = [1, 2, 3]
        .iter()
        .flat_map(|&l| frame(l).into_pixels())
        .collect();
    let open = |bytes: &[u8]| {
        RawStream::new(
            Dripping(io::Cursor::new(bytes.to_vec())),
            5,
            3,
            "standard input",
        )
    };
    let mut stream = open(&pixels).unwrap();
    assert_eq!(stream.dimensions(), (5, 3));
    assert!(!stream.can_go_back());
    for level in [1, 2, 3] {
        assert!(stream.frame(usize::from(level) - 1).unwrap().unwrap() == frame(level));
    }
    assert!(stream.frame(3).unwrap().is_none());

    let mut cut = open(&pixels[..pixels.len() - 1]).unwrap();
    assert!(cut.frame(1).unwrap().is_some());
    let error = cut.frame(2).unwrap_err().to_string();
    assert!(
        error.contains("frame 2") && error.contains("44 of 45 bytes"),
        "{error}"
    );

    assert!(matches!(open(&[]), Err(MediaError::NotAVideo { .. })));
    let sized = |width, height| {
        RawStream::new(io::empty(), width, height, "x")
            .err()
            .unwrap()
    };
    assert!(matches!(sized(0, 3), MediaError::EmptyImage { .. }));
    assert!(matches!(
        sized(1 << 20, 1 << 20),
        MediaError::TooLarge { .. }
    ));
}
