//! [`Params`]: where a module takes its parameters from, by their checkpoint names.
//!
//! Each module's `new` asks for its tensors by the official name and shape; whether they come
//! from a checkpoint or from a seeded random initialisation is decided once, by whoever makes
//! the [`ParamSource`]. Problems are collected, so that one error lists all of them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use masklet_kernels::Precision;
use rand::distr::{Distribution, Uniform};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Normal;

use crate::build::Compute;
use crate::weights::{Checkpoint, WeightsError, WrongShape};

/// How a parameter starts when there is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// The same value everywhere.
    Constant(f32),
    /// Uniform in `±1/√fan_in`, PyTorch's default for linear layers and convolutions.
    FanIn(usize),
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
    /// Normal with mean 0 and this standard deviation, redrawn outside `±2`.
    TruncatedNormal(f32),
}

/// The official name and shape of a parameter, and its id in the module tree.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterName {
    /// Name in official checkpoints.
    pub name: String,
    /// Shape in official checkpoints; the module may hold it with unit dimensions dropped.
    pub shape: Vec<usize>,
    /// Id of the [`Param`] that holds it.
    pub id: ParamId,
}

enum Origin<'a> {
    Checkpoint(&'a Checkpoint),
    Random(Generator),
    /// What the checkpoint lacks is drawn.
    Partial(&'a Checkpoint, Generator),
}

/// The source of random parameters.
type Generator = Box<RefCell<ChaCha8Rng>>;

fn seeded(seed: u64) -> Generator {
    Box::new(RefCell::new(ChaCha8Rng::seed_from_u64(seed)))
}

#[derive(Default)]
struct Ledger {
    names: Vec<ParameterName>,
    missing: Vec<String>,
    wrong_shape: Vec<WrongShape>,
    failure: Option<WeightsError>,
}

/// A checkpoint, a random generator or both, and the record of what was taken from it.
pub(crate) struct ParamSource<'a> {
    origin: Origin<'a>,
    compute: Compute,
    ledger: RefCell<Ledger>,
}

impl<'a> ParamSource<'a> {
    /// Parameters from a checkpoint.
    pub(crate) fn checkpoint(checkpoint: &'a Checkpoint, compute: &Compute) -> Self {
        Self::new(Origin::Checkpoint(checkpoint), compute)
    }

    /// Parameters from PyTorch's default initialisations, drawn from one seeded generator.
    pub(crate) fn random(seed: u64, compute: &Compute) -> Self {
        Self::new(Origin::Random(seeded(seed)), compute)
    }

    /// Parameters from a checkpoint of a part of the network; those it lacks as by
    /// [`Self::random`].
    pub(crate) fn partial(checkpoint: &'a Checkpoint, seed: u64, compute: &Compute) -> Self {
        Self::new(Origin::Partial(checkpoint, seeded(seed)), compute)
    }

    fn new(origin: Origin<'a>, compute: &Compute) -> Self {
        Self {
            origin,
            compute: compute.clone(),
            ledger: RefCell::default(),
        }
    }

    /// The root of the name space.
    pub(crate) fn root(&self) -> Params<'_> {
        Params {
            source: self,
            prefix: String::new(),
            precision: self.compute.precision,
        }
    }

    /// Ends the construction: the names of all parameters, or everything that did not fit.
    pub(crate) fn finish(self) -> Result<Vec<ParameterName>, WeightsError> {
        let ledger = self.ledger.into_inner();
        if let Some(failure) = ledger.failure {
            return Err(failure);
        }
        let (Origin::Checkpoint(checkpoint) | Origin::Partial(checkpoint, _)) = self.origin else {
            return Ok(ledger.names);
        };
        let known: BTreeSet<&str> = ledger.names.iter().map(|p| p.name.as_str()).collect();
        let unexpected: Vec<String> = checkpoint
            .names()
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect();
        if ledger.missing.is_empty() && ledger.wrong_shape.is_empty() && unexpected.is_empty() {
            return Ok(ledger.names);
        }
        Err(WeightsError::Mismatch {
            path: checkpoint.path().to_owned(),
            missing: ledger.missing,
            unexpected,
            wrong_shape: ledger.wrong_shape,
        })
    }
}

/// A place in the tree of parameter names.
#[derive(Clone)]
pub(crate) struct Params<'a> {
    source: &'a ParamSource<'a>,
    prefix: String,
    precision: Precision,
}

impl Params<'_> {
    /// The place below this one.
    pub(crate) fn at(&self, name: impl std::fmt::Display) -> Self {
        Self {
            source: self.source,
            prefix: format!("{}{name}.", self.prefix),
            precision: self.precision,
        }
    }

    /// The same place, for a module that needs f32 whatever the rest computes in.
    pub(crate) fn in_f32(&self) -> Self {
        Self {
            precision: Precision::F32,
            ..self.clone()
        }
    }

    /// How the kernels multiply in the modules built here.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The device that parameters are put on.
    pub(crate) fn device(&self) -> &Device {
        &self.source.compute.device
    }

    /// A parameter held in its official shape.
    pub(crate) fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Param<Tensor<D>> {
        self.reshaped(name, &shape, shape, init)
    }

    /// A parameter whose official shape differs from ours only by unit dimensions.
    pub(crate) fn reshaped<const D: usize>(
        &self,
        name: &str,
        official: &[usize],
        shape: [usize; D],
        init: Init,
    ) -> Param<Tensor<D>> {
        let name = format!("{}{name}", self.prefix);
        let values = self.values(&name, official, init);
        let param: Param<Tensor<D>> =
            Param::from_data(TensorData::new(values, shape), self.device());
        self.source.ledger.borrow_mut().names.push(ParameterName {
            name,
            shape: official.to_vec(),
            id: param.id,
        });
        param
    }

    fn values(&self, name: &str, shape: &[usize], init: Init) -> Vec<f32> {
        let len = shape.iter().product();
        let mut ledger = self.source.ledger.borrow_mut();
        match &self.source.origin {
            Origin::Random(rng) => draw(&mut *rng.borrow_mut(), len, init),
            Origin::Partial(checkpoint, rng) if checkpoint.get(name).is_none() => {
                draw(&mut *rng.borrow_mut(), len, init)
            }
            Origin::Checkpoint(checkpoint) | Origin::Partial(checkpoint, _) => {
                match checkpoint.get(name) {
                    None => ledger.missing.push(name.to_owned()),
                    Some(found) if found.shape != shape => ledger.wrong_shape.push(WrongShape {
                        name: name.to_owned(),
                        found: found.shape.to_vec(),
                        expected: shape.to_vec(),
                    }),
                    Some(_) => match checkpoint.read_f32(name) {
                        Ok(values) => return values,
                        Err(error) => {
                            ledger.failure.get_or_insert(error);
                        }
                    },
                }
                vec![0.0; len]
            }
        }
    }
}

fn draw(rng: &mut impl Rng, len: usize, init: Init) -> Vec<f32> {
    let normal = |std: f32| Normal::new(0.0, std).expect("a finite standard deviation");
    match init {
        Init::Constant(value) => vec![value; len],
        Init::FanIn(fan_in) => {
            let bound = 1.0 / (fan_in as f32).sqrt();
            let uniform = Uniform::new_inclusive(-bound, bound).expect("a positive bound");
            uniform.sample_iter(rng).take(len).collect()
        }
        Init::Normal(std) => normal(std).sample_iter(rng).take(len).collect(),
        Init::TruncatedNormal(std) => normal(std)
            .sample_iter(rng)
            .filter(|x| x.abs() <= 2.0)
            .take(len)
            .collect(),
    }
}
