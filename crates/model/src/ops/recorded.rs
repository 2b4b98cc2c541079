//! The door to `masklet-kernels` for tensors on the CPU whose gradients are recorded.
//!
//! An operation computes its result with a kernel and puts a node into Burn's graph: what it needs
//! to remember of the forward pass, and a [`Gradient`] that calls kernels in the backward pass.
//! Weights are packed at each use and never kept, because an optimizer changes them.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};
use masklet_kernels::{Out, Written, collect};

use super::cpu::CpuView;
#[cfg(test)]
use super::cpu::composed;

/// A tensor on the CPU, of type f32, of a device that records gradients.
pub(super) struct Recorded(FloatTensor<Autodiff<Flex>>);

impl Recorded {
    /// The tensor; `None` on other devices, for other types than f32, where gradients are not
    /// recorded, and where activations are computed again to save memory (Burn's balanced
    /// checkpointing does that for the operations it knows).
    pub(super) fn of<const D: usize>(x: &Tensor<D>) -> Option<Self> {
        #[cfg(test)]
        if composed::wanted() {
            return None;
        }
        let tensor = x.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
        (tensor.primitive().dtype() == DType::F32).then_some(Self(tensor))
    }

    /// The values; kept alive by whoever holds the view.
    pub(super) fn view(&self) -> CpuView {
        CpuView::of_primitive(self.0.primitive().clone())
    }

    fn shape(&self) -> Shape {
        self.0.primitive().layout().shape().clone()
    }
}

/// The backward pass of an operation with `N` inputs, with what it remembers of the forward pass.
pub(super) trait Gradient<const N: usize>: Clone + Debug + Send + 'static {
    /// The gradients of the inputs that are `wanted`, in row-major order, from that of the result.
    fn of_inputs(self, result: CpuView, wanted: [bool; N]) -> [Option<CpuView>; N];
}

/// A result that a kernel writes, as a node of the graph.
pub(super) fn record<const N: usize, const D: usize>(
    inputs: [Recorded; N],
    gradient: impl Gradient<N>,
    values: CpuView,
    shape: [usize; D],
) -> Tensor<D> {
    let shapes = inputs.each_ref().map(Recorded::shape);
    let guards = inputs.each_ref().map(|input| input.0.node());
    let values = values.into_primitive(Shape::from(shape));
    let node = Node(PhantomData).prepare::<NoCheckpointing>(guards);
    let output = match node.compute_bound().stateful() {
        OpsKind::Tracked(node) => node.finish(Saved { gradient, shapes }, values),
        OpsKind::UnTracked(node) => node.finish(values),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// Values that a kernel writes.
pub(super) fn computed(len: usize, kernel: impl FnOnce(Out<'_>) -> Written) -> CpuView {
    CpuView::owned(collect(len, kernel))
}

/// Burn's side of a [`Gradient`].
#[derive(Debug)]
struct Node<G>(PhantomData<G>);

#[derive(Clone, Debug)]
struct Saved<G, const N: usize> {
    gradient: G,
    shapes: [Shape; N],
}

impl<G: Gradient<N>, const N: usize> Backward<Flex, N> for Node<G> {
    type State = Saved<G, N>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let result: FlexTensor = grads.consume::<Flex>(&ops.node);
        let Saved { gradient, shapes } = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = gradient.of_inputs(CpuView::of_primitive(result), wanted);
        for ((parent, values), shape) in ops.parents.into_iter().zip(found).zip(shapes) {
            if let (Some(parent), Some(values)) = (parent, values) {
                grads.register::<Flex>(parent.id, values.into_primitive(shape));
            }
        }
    }
}
