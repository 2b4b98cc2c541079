//! The convolutional trunk against the package that its weights come from.

use burn::tensor::{Device, Tensor, TensorData};
use masklet_media::{RgbImage, preprocess};

use super::TOLERANCE;
use super::reference::fixtures;
use crate::Compute;
use crate::config::TrunkConfig;
use crate::image_encoder::Trunk;
use crate::params::ParamSource;
use crate::weights::Checkpoint;

const SIDE: usize = 64;

#[test]
fn the_convolutional_trunk_equals_its_package() {
    let folder = fixtures().join("efficientnet_lite");
    let config = std::fs::read(folder.join("config.json")).unwrap();
    let config: TrunkConfig = serde_json::from_slice(&config).unwrap();
    let weights = Checkpoint::open(folder.join("trunk.safetensors")).unwrap();
    let source = ParamSource::checkpoint(&weights, &Compute::default());
    let place = source.root().at("image_encoder").at("trunk");
    let trunk = Trunk::new(&place, &config);
    // Every tensor of the file has a place, and every parameter a tensor.
    drop(place);
    source.finish().unwrap();

    let picture = RgbImage::open(fixtures().join("pictures/input.png")).unwrap();
    let (width, _) = picture.dimensions();
    let rows = picture.pixels().chunks_exact(3 * width as usize);
    let corner = rows.take(SIDE).flat_map(|row| &row[..3 * SIDE]).copied();
    let corner = RgbImage::from_raw(SIDE as u32, SIDE as u32, corner.collect()).unwrap();
    let pixels = preprocess::for_video_predictor(&corner, SIDE);
    let pixels = TensorData::new(pixels, [1, SIDE, SIDE, 3]);
    let maps = trunk.forward(Tensor::from_data(pixels, &Device::flex()));

    let expected = Checkpoint::open(folder.join("features.safetensors")).unwrap();
    assert_eq!(maps.len(), expected.len());
    for (map, stride) in maps.into_iter().zip([4, 8, 16, 32]) {
        let name = format!("stride_{stride}");
        let info = expected.get(&name).unwrap();
        assert_eq!(map.dims()[1..], *info.shape, "{name}");
        let expected = expected.read_f32(&name).unwrap();
        let found: Vec<f32> = map.into_data().try_into_vec().unwrap();
        let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            let close = (found - expected).abs() <= TOLERANCE * largest;
            assert!(close, "{name}: {found}, the package has {expected}");
        }
    }
}
