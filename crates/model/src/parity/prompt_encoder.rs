//! Tokens of points and boxes, and embeddings of masks.

use burn::tensor::Tensor;

use super::reference::Reference;
use crate::prompt_encoder::PromptEmbedding;
use crate::{Point, PointLabel};

const CASES: [&str; 4] = ["points", "box", "box_and_points", "nothing"];

/// The points of a case, without the padding at the end.
pub(super) fn points(r: &Reference, case: &str) -> Vec<Point> {
    let values = |what: &str| -> Vec<f32> {
        let tensor = r.tensor::<2>(&format!("prompt/{case}/{what}"));
        tensor.into_data().try_into_vec().unwrap()
    };
    let labels = values("labels").into_iter().map(|label| match label {
        -1.0 => PointLabel::Padding,
        0.0 => PointLabel::Negative,
        1.0 => PointLabel::Positive,
        2.0 => PointLabel::BoxTopLeft,
        3.0 => PointLabel::BoxBottomRight,
        other => panic!("label {other}"),
    });
    let coordinates = values("coordinates");
    let coordinates = coordinates.chunks_exact(2);
    let pairs = coordinates.zip(labels);
    pairs
        .map(|(xy, label)| Point {
            x: xy[0],
            y: xy[1],
            label,
        })
        .collect()
}

/// The embedding of a case, with the padding at the end and perhaps a mask.
pub(super) fn embed(r: &Reference, case: &str, mask: Option<Tensor<4>>) -> PromptEmbedding {
    let mut points = points(r, case);
    points.push(Point::PADDING);
    r.network.prompt_encoder.forward(&[points], mask)
}

pub(super) fn mask(r: &Reference) -> Tensor<4> {
    let logits: Tensor<4> = r.tensor("prompt/mask/logits");
    logits.permute([0, 2, 3, 1])
}

pub(super) fn compare(r: &Reference) {
    for case in CASES {
        let embedded = embed(r, case, None);
        let name = format!("prompt/{case}/sparse");
        r.check(&name, embedded.sparse.expect("points have tokens"));
        r.check("prompt/no_mask", embedded.dense);
    }
    let embedded = r.network.prompt_encoder.forward(&[], Some(mask(r)));
    assert!(embedded.sparse.is_none());
    r.check_map("prompt/mask/dense", embedded.dense);
}
