//! Readers of image data sets, on small made-up ones.

mod common;

use common::{Folder, stripe};
use masklet_data::{
    DataError, Dataset, ImageDataset, Layout, ReadOptions, Segment, SkipReason, coco, detect, open,
};
use masklet_media::Rle;
use serde::Deserialize;

fn images(path: impl AsRef<std::path::Path>, options: &ReadOptions) -> Box<dyn ImageDataset> {
    match open(path, options).unwrap() {
        Dataset::Images(images) => images,
        Dataset::Videos(_) => panic!("videos were recognised"),
    }
}

fn ids(segments: &[Segment]) -> Vec<u64> {
    segments.iter().map(|segment| segment.id).collect()
}

#[test]
fn label_maps_of_several_annotators_belong_to_one_picture() {
    let folder = Folder::new();
    folder.picture("images/train/12_a.jpg", 9);
    folder.picture("images/train/34.jpg", 9);
    folder.picture("images/val/56.jpg", 9);
    folder.grey(
        "segments/train/12_a_0.png",
        |x, _| if x < 4 { 1 } else { 2 },
    );
    folder.grey("segments/train/12_a_1.png", |x, _| u8::from(x < 6));
    folder.grey("segments/val/56.png", |x, _| 7 * u8::from(x < 6));
    assert_eq!(detect(folder.path()).unwrap(), Layout::LabelMaps);
    let all = images(folder.path(), &ReadOptions::default());
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all.image_name(0), all.image_name(1)),
        ("train/12_a", "val/56")
    );
    assert_eq!(all.left_out()[0].name, "train/34");
    assert_eq!(all.left_out()[0].reason, SkipReason::NoMasks);

    let image = all.open(0).unwrap();
    let annotators: Vec<_> = image
        .segmentations
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(annotators, ["0", "1"]);
    let first = &image.segmentations[0].segments;
    assert_eq!(ids(first), [1, 2]);
    assert_eq!(first[0].mask, Rle::encode(&stripe(0, 4)));
    assert_eq!(first[1].mask, Rle::encode(&stripe(4, 12)));
    assert_eq!(image.picture().unwrap().pixel(0, 0), Some([9; 3]));

    let val = ReadOptions {
        split: Some("val".into()),
        ..ReadOptions::default()
    };
    assert_eq!(images(folder.path(), &val).len(), 1);
}

#[test]
fn a_folder_of_images_and_masks_is_label_maps_and_255_is_void() {
    let folder = Folder::new();
    folder.picture("images/a.jpg", 0);
    folder.labels("masks/a.png", |x, _| match x {
        0..2 => 3,
        2..4 => 255,
        _ => 0,
    });
    assert_eq!(detect(folder.path()).unwrap(), Layout::LabelMaps);
    let image = images(folder.path(), &ReadOptions::default())
        .open(0)
        .unwrap();
    assert_eq!(ids(&image.segmentations[0].segments), [3]);
}

#[test]
fn a_label_map_without_a_picture_is_named() {
    let folder = Folder::new();
    folder.picture("images/a.jpg", 0);
    folder.grey("segments/b_0.png", |_, _| 1);
    let message = open(folder.path(), &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("b_0.png: found a label map without a picture"),
        "{message}"
    );
}

#[test]
fn sa_1b_is_read_image_by_image() {
    let folder = Folder::new();
    folder.picture("sa_000001/sa_17.jpg", 4);
    let mask = Rle::encode(&stripe(2, 5));
    let json = serde_json::json!({
        "image": {"image_id": 17, "width": 12, "height": 8, "file_name": "sa_17.jpg"},
        "annotations": [{
            "id": 1234567890123u64, "segmentation": mask, "bbox": [2.0, 0.0, 3.0, 8.0],
            "area": 24, "predicted_iou": 0.98, "stability_score": 0.99,
            "crop_box": [0, 0, 12, 8], "point_coords": [[3.0, 4.0]],
        }],
    });
    folder.text("sa_000001/sa_17.json", &json.to_string());
    folder.text("sa_000001/sa_18.json", &json.to_string());
    assert_eq!(detect(folder.path()).unwrap(), Layout::Sa1b);
    let sa1b = images(folder.path(), &ReadOptions::default());
    assert_eq!((sa1b.len(), sa1b.image_name(0)), (1, "sa_000001/sa_17"));
    assert_eq!(sa1b.left_out()[0].reason, SkipReason::NoPicture);
    let image = sa1b.open(0).unwrap();
    assert_eq!(image.segmentations[0].segments[0].mask, mask);
    assert_eq!(ids(&image.segmentations[0].segments), [1234567890123]);
    image.picture().unwrap();

    folder.text("sa_000001/sa_17.json", "{\"image\": {\"width\": 12}}");
    let message = sa1b.open(0).unwrap_err().to_string();
    assert!(
        message.contains("sa_17.json is not an SA-1B annotation"),
        "{message}"
    );
}

/// Two images with annotations and one without; the first has a crowd.
fn coco_json() -> String {
    serde_json::json!({
        "info": {"description": "made [up], {\"for\"} a test"},
        "licenses": [],
        "images": [
            {"id": 5, "file_name": "000005.jpg", "width": 12, "height": 8, "license": 1},
            {"id": 9, "file_name": "000009.jpg", "width": 12, "height": 8},
            {"id": 7, "file_name": "000007.jpg", "width": 12, "height": 8},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "iscrowd": 0, "area": 24, "bbox": [2, 0, 3, 8],
             "segmentation": [[2, 0, 5, 0, 5, 8, 2, 8]]},
            {"id": 2, "image_id": 9, "category_id": 4, "iscrowd": 0, "segmentation": [[0, 0, 1, 0, 1, 8, 0, 8]]},
            {"id": 3, "image_id": 5, "category_id": 4, "iscrowd": 1,
             "segmentation": {"size": [8, 12], "counts": [8, 16, 72]}},
        ],
        "categories": [{"id": 3, "name": "car"}, {"id": 4, "name": "person", "supercategory": "x"}],
    })
    .to_string()
}

#[test]
fn coco_polygons_and_crowds_are_found_by_image() {
    let folder = Folder::new();
    folder.text("annotations/instances_tiny.json", &coco_json());
    folder.pictures("tiny", &["000005", "000007", "000009"]);
    assert_eq!(detect(folder.path()).unwrap(), Layout::Coco);
    for path in [
        folder.path(),
        &folder.file("annotations/instances_tiny.json"),
    ] {
        let coco = images(path, &ReadOptions::default());
        assert_eq!(coco.len(), 2);
        assert_eq!(coco.left_out()[0].name, "000007.jpg");
        let image = coco.open(0).unwrap();
        let [car, crowd] = image.segmentations[0].segments.as_slice() else {
            panic!("two segments were expected");
        };
        assert_eq!(
            (car.id, car.category.as_deref(), car.crowd),
            (1, Some("car"), false)
        );
        assert_eq!(car.mask, Rle::encode(&stripe(2, 5)));
        assert_eq!((crowd.id, crowd.crowd), (3, true));
        assert_eq!(crowd.mask, Rle::encode(&stripe(1, 3)));
        image.picture().unwrap();
        assert_eq!(coco.open(1).unwrap().name, "000009.jpg");
    }
}

#[test]
fn coco_says_where_the_file_is_wrong_and_what_is_missing() {
    let folder = Folder::new();
    let open = || open(folder.path(), &ReadOptions::default()).unwrap_err();
    folder.text("annotations/instances_tiny.json", &coco_json());
    let message = open().to_string();
    assert!(message.contains("tiny/000005.jpg is missing"), "{message}");

    folder.pictures("tiny", &["000005"]);
    let text = coco_json().replace("\"image_id\":9", "\"image_id\":\"nine\"");
    folder.text("annotations/instances_tiny.json", &text);
    let message = open().to_string();
    assert!(
        message.contains("found at byte") && message.contains("an annotation of COCO"),
        "{message}"
    );
    folder.text(
        "annotations/instances_tiny.json",
        &coco_json().replace("\"image_id\":9", "\"image_id\":99"),
    );
    assert!(open().to_string().contains("image 99, which is not listed"));
    folder.text("annotations/instances_tiny.json", &coco_json()[..300]);
    assert!(matches!(open(), DataError::Read { .. }));

    folder.text("annotations/instances_other.json", &coco_json());
    let message = open().to_string();
    assert!(
        message.contains("instances_other, instances_tiny"),
        "{message}"
    );
}

#[derive(Deserialize)]
struct PolygonCase {
    polygons: Vec<Vec<f64>>,
    rle: Rle,
    area: u64,
}

#[test]
fn polygons_become_the_masks_that_pycocotools_makes() {
    let cases: Vec<PolygonCase> =
        serde_json::from_str(include_str!("fixtures/polygons.json")).unwrap();
    assert!(cases.len() > 50);
    for (index, case) in cases.iter().enumerate() {
        let (width, height) = (case.rle.width(), case.rle.height());
        let ours = coco::rasterise(&case.polygons, width, height).unwrap();
        assert_eq!(ours.area(), case.area, "area of case {index}");
        assert_eq!(ours.decode(), case.rle.decode(), "case {index}");
        assert_eq!(
            ours.counts(),
            Rle::encode(&ours.decode()).counts(),
            "canonical, case {index}"
        );
    }
}

#[test]
fn polygons_far_outside_or_without_numbers_are_harmless() {
    let far = vec![vec![
        -1e300,
        0.0,
        1e300,
        0.0,
        f64::INFINITY,
        8.0,
        f64::NAN,
        8.0,
    ]];
    assert_eq!(coco::rasterise(&far, 4, 4).unwrap().width(), 4);
    assert_eq!(
        coco::rasterise(&[vec![], vec![1.0, 2.0]], 4, 4)
            .unwrap()
            .area(),
        0
    );
    assert!(coco::rasterise(&[], u32::MAX, u32::MAX).is_err());
}
