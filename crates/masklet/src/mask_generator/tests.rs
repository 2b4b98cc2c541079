use super::*;
use crate::Error;

/// The option that is refused, if one is.
fn refused(change: impl FnOnce(&mut MaskGeneratorOptions)) -> Option<&'static str> {
    let mut options = MaskGeneratorOptions::default();
    change(&mut options);
    match options.check() {
        Ok(()) => None,
        Err(Error::InvalidOption { option, .. }) => Some(option),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_defaults_are_accepted() {
    assert_eq!(refused(|_| ()), None);
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let name = refused(|o| o.points = PointGrid::PerSide(0));
    assert_eq!(name, Some("points_per_side"));
    assert_eq!(
        refused(|o| o.points_per_batch = 0),
        Some("points_per_batch")
    );
    assert_eq!(
        refused(|o| o.pred_iou_thresh = 1.5),
        Some("pred_iou_thresh")
    );
    let name = refused(|o| o.stability_score_thresh = f32::NAN);
    assert_eq!(name, Some("stability_score_thresh"));
    let name = refused(|o| o.stability_score_offset = -1.0);
    assert_eq!(name, Some("stability_score_offset"));
    let name = refused(|o| o.mask_threshold = f32::INFINITY);
    assert_eq!(name, Some("mask_threshold"));
    assert_eq!(refused(|o| o.box_nms_thresh = -0.1), Some("box_nms_thresh"));
    assert_eq!(
        refused(|o| o.crop_nms_thresh = 2.0),
        Some("crop_nms_thresh")
    );
    assert_eq!(refused(|o| o.crop_n_layers = 9), Some("crop_n_layers"));
    let name = refused(|o| o.crop_overlap_ratio = 1.0);
    assert_eq!(name, Some("crop_overlap_ratio"));
    let name = refused(|o| o.crop_n_points_downscale_factor = 0);
    assert_eq!(name, Some("crop_n_points_downscale_factor"));
}

#[test]
fn a_grid_that_gets_too_thin_is_refused() {
    let thin = |layers, factor| {
        refused(|o| {
            o.points = PointGrid::PerSide(8);
            o.crop_n_layers = layers;
            o.crop_n_points_downscale_factor = factor;
        })
    };
    assert_eq!(thin(3, 2), None);
    assert_eq!(thin(4, 2), Some("crop_n_points_downscale_factor"));
    assert_eq!(thin(0, 100), None);
}

#[test]
fn given_points_must_be_inside_and_there_for_each_layer() {
    let given = |grids: Vec<Vec<[f64; 2]>>, layers| {
        refused(|o| {
            o.points = PointGrid::Given(grids);
            o.crop_n_layers = layers;
        })
    };
    assert_eq!(given(vec![vec![[0.0, 0.999]]], 0), None);
    assert_eq!(given(vec![vec![[0.5, 1.0]]], 0), Some("point_grids"));
    assert_eq!(given(vec![vec![[f64::NAN, 0.5]]], 0), Some("point_grids"));
    assert_eq!(given(vec![vec![[0.5, 0.5]]], 1), Some("point_grids"));
}
