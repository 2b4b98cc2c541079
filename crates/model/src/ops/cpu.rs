//! The door to `masklet-kernels`: tensors on the CPU as slices, without copies.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use masklet_kernels::{Out, Written, collect};

/// The values of a tensor that lives on the CPU.
#[derive(Clone, Debug)]
pub(crate) struct CpuView(FlexTensor);

impl CpuView {
    /// Borrows the values; `None` on other devices, for other types than f32, and where gradients
    /// are recorded. A tensor that is not contiguous is copied.
    pub(crate) fn of<const D: usize>(x: &Tensor<D>) -> Option<Self> {
        borrow(x).map(Self::of_primitive)
    }

    /// The values of Burn's CPU tensor, of type f32; copied if it is not contiguous.
    pub(super) fn of_primitive(primitive: FlexTensor) -> Self {
        Self(primitive.to_contiguous())
    }

    /// These values, without a copy.
    pub(super) fn owned(values: Vec<f32>) -> Self {
        let shape = [values.len()];
        Self(FlexTensor::from_data(TensorData::new(values, shape)))
    }

    /// As Burn's CPU tensor of another shape with as many values.
    pub(super) fn into_primitive(self, shape: Shape) -> FlexTensor {
        self.0.reshape(shape)
    }

    /// Whether the values could be borrowed, without holding on to them: what is to be changed in
    /// place must not be shared.
    pub(crate) fn reaches<const D: usize>(x: &Tensor<D>) -> bool {
        borrow(x).is_some()
    }

    /// The values in row-major order.
    pub(crate) fn values(&self) -> &[f32] {
        self.0.as_slice().expect("contiguous values of type f32")
    }
}

fn borrow<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    #[cfg(test)]
    if composed::wanted() {
        return None;
    }
    let primitive = x.clone().try_into_primitive::<Flex>().ok()?;
    (primitive.dtype() == DType::F32).then_some(primitive)
}

/// The values of a tensor, to be changed in place; a copy if the tensor is shared.
pub(crate) fn take<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data()
        .try_into_vec()
        .expect("values of type f32, as CpuView found them")
}

/// A tensor made of values.
pub(crate) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A tensor that a kernel writes.
pub(crate) fn written<const D: usize>(
    shape: [usize; D],
    device: &Device,
    kernel: impl FnOnce(Out<'_>) -> Written,
) -> Tensor<D> {
    tensor(collect(shape.iter().product(), kernel), shape, device)
}

/// Something computed from parameters when first needed, such as packed weights.
///
/// It is forgotten whenever parameters may change, as in a module whose parameters were mapped (by an
/// optimizer, or to another device). A clone shares what was made before.
pub(crate) struct Derived<T>(OnceLock<Arc<T>>);

impl<T> Derived<T> {
    /// The value, made now if it was not made before.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(|| Arc::new(make()))
    }

    /// The value, if it was made.
    pub(crate) fn made(&self) -> Option<&T> {
        self.0.get().map(Arc::as_ref)
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() {
            "made"
        } else {
            "not made"
        })
    }
}

impl<T: Send + Sync> Module for Derived<T> {
    fn visit<V: ModuleVisitor>(&self, _: &mut V) {}

    fn map<M: ModuleMapper>(self, _: &mut M) -> Self {
        Self::default()
    }

    fn to_device(self, _: &Device) -> Self {
        Self::default()
    }

    fn fork(self, _: &Device) -> Self {
        Self::default()
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn materialize(self) -> Self {
        Self::default()
    }

    fn valid(&self) -> Self {
        Self::default()
    }

    fn train(self) -> Self {
        Self::default()
    }
}

impl<T: Send + Sync> ModuleDisplayDefault for Derived<T> {
    fn content(&self, content: Content) -> Option<Content> {
        Some(content)
    }
}

impl<T: Send + Sync> ModuleDisplay for Derived<T> {}

/// Lets tests run the composed form on the CPU.
#[cfg(test)]
pub(crate) mod composed {
    use std::cell::Cell;

    thread_local! {
        static WANTED: Cell<bool> = const { Cell::new(false) };
    }

    pub(in crate::ops) fn wanted() -> bool {
        WANTED.get()
    }

    /// Runs `work` without any kernel.
    pub(crate) fn run<T>(work: impl FnOnce() -> T) -> T {
        WANTED.set(true);
        let result = work();
        WANTED.set(false);
        result
    }
}
