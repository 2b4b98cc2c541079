//! The prompt encoder: points, boxes and masks as embeddings (paper, section 4; SAM's design).

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::config::Sam2Config;
use crate::ops::{Activation, Conv2d, LayerNorm, Linear};
use crate::params::{Init, Params};
use crate::position_encoding::RandomFourier;

const EPSILON: f64 = 1e-6;

/// What a prompted point means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PointLabel {
    /// On the background.
    Negative,
    /// On the object.
    Positive,
    /// The upper left corner of the object's box.
    BoxTopLeft,
    /// The lower right corner of the object's box.
    BoxBottomRight,
    /// Nothing: fills a sequence of points that needs one more.
    Padding,
}

impl PointLabel {
    /// Row of this label in the table of learned embeddings, padding last.
    const fn row(self) -> i32 {
        match self {
            Self::Negative => 0,
            Self::Positive => 1,
            Self::BoxTopLeft => 2,
            Self::BoxBottomRight => 3,
            Self::Padding => 4,
        }
    }
}

/// A prompted point, in pixels of the square network input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Across, from the left.
    pub x: f32,
    /// Down, from the top.
    pub y: f32,
    /// What it means.
    pub label: PointLabel,
}

impl Point {
    /// The point that stands for "no prompt".
    pub const PADDING: Self = Self {
        x: 0.0,
        y: 0.0,
        label: PointLabel::Padding,
    };
}

/// Embeddings of prompts, as the mask decoder takes them.
#[derive(Debug, Clone)]
pub struct PromptEmbedding {
    /// One token a point, `[batch, points, hidden_dim]`; `None` without points.
    pub sparse: Option<Tensor<3>>,
    /// Added to the image embedding, `[batch or 1, grid or 1, grid or 1, hidden_dim]`.
    pub dense: Tensor<4>,
}

/// Embeds points by position and meaning, and masks by convolutions.
#[derive(Module, Debug)]
pub(crate) struct PromptEncoder {
    positions: RandomFourier,
    /// Negative, positive, upper left, lower right; each `[1, hidden_dim]`.
    point_embeddings: Vec<Param<Tensor<2>>>,
    not_a_point: Param<Tensor<2>>,
    no_mask: Param<Tensor<2>>,
    mask_conv1: Conv2d,
    mask_norm1: LayerNorm,
    mask_conv2: Conv2d,
    mask_norm2: LayerNorm,
    mask_projection: Linear,
    #[module(skip)]
    image_size: usize,
}

impl PromptEncoder {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dim = config.hidden_dim;
        let channels = config.prompt_encoder.mask_channels;
        let embedding = |p: Params<'_>| p.tensor("weight", [1, dim], Init::Normal(1.0));
        let mask = p.at("mask_downscaling");
        Self {
            positions: RandomFourier::new(&p.at("pe_layer"), dim),
            point_embeddings: (0..4)
                .map(|i| embedding(p.at("point_embeddings").at(i)))
                .collect(),
            not_a_point: embedding(p.at("not_a_point_embed")),
            no_mask: embedding(p.at("no_mask_embed")),
            mask_conv1: Conv2d::new(&mask.at(0), [1, channels / 4], 2, 2, [0; 2]),
            mask_norm1: LayerNorm::new(&mask.at(1), channels / 4, EPSILON),
            mask_conv2: Conv2d::new(&mask.at(3), [channels / 4, channels], 2, 2, [0; 2]),
            mask_norm2: LayerNorm::new(&mask.at(4), channels, EPSILON),
            mask_projection: Linear::conv1x1(&mask.at(6), channels, dim),
            image_size: config.image_size,
        }
    }

    /// Embeds prompts for a batch of objects.
    ///
    /// `points` holds the same number of points for each object (see [`Point::PADDING`]); `masks`
    /// are logits `[batch, 4·grid, 4·grid, 1]`.
    pub(crate) fn forward(
        &self,
        points: &[Vec<Point>],
        masks: Option<Tensor<4>>,
    ) -> PromptEmbedding {
        let dense = match masks {
            Some(masks) => self.embed_masks(masks),
            None => self.no_mask.val().unsqueeze::<4>(),
        };
        let any = points.first().is_some_and(|points| !points.is_empty());
        PromptEmbedding {
            sparse: any.then(|| self.embed_points(points)),
            dense,
        }
    }

    /// The positions of the image embedding's tokens, `[1, grid·grid, hidden_dim]`.
    pub(crate) fn dense_positions(&self) -> Tensor<3> {
        self.positions.encode_grid(self.image_size / 16)
    }

    /// `[batch, points, hidden_dim]`.
    fn embed_points(&self, points: &[Vec<Point>]) -> Tensor<3> {
        let (batch, count) = (points.len(), points[0].len());
        let all = || points.iter().flatten();
        let size = self.image_size as f32;
        let device = self.not_a_point.val().device();
        // A point lies at the centre of its pixel.
        let unit: Vec<f32> = all()
            .flat_map(|p| [(p.x + 0.5) / size, (p.y + 0.5) / size])
            .collect();
        let position = self.positions.encode(Tensor::from_data(
            TensorData::new(unit, [batch, count, 2]),
            &device,
        ));
        // Padding has a learned embedding and no position.
        let real: Vec<f32> = all()
            .map(|p| f32::from(u8::from(p.label != PointLabel::Padding)))
            .collect();
        let real = Tensor::<3>::from_data(TensorData::new(real, [batch, count, 1]), &device);
        let rows: Vec<i32> = all().map(|p| p.label.row()).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch * count]), &device);
        let table = self.point_embeddings.iter().chain([&self.not_a_point]);
        let table = Tensor::cat(table.map(Param::val).collect(), 0);
        let meaning = table
            .select(0, rows)
            .reshape([batch as i32, count as i32, -1]);
        position * real + meaning
    }

    /// `[batch, 4·grid, 4·grid, 1]` → `[batch, grid, grid, hidden_dim]`.
    fn embed_masks(&self, masks: Tensor<4>) -> Tensor<4> {
        let x = self.mask_conv1.forward(masks);
        let x = self.mask_norm1.forward_then(x, Activation::Gelu);
        let x = self.mask_conv2.forward(x);
        let x = self.mask_norm2.forward_then(x, Activation::Gelu);
        self.mask_projection.forward(x)
    }
}
