//! `--device`: where networks compute.

use masklet::{Compute, Precision};

/// Devices that are built in.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceName {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda,
    /// The first GPU that Vulkan offers.
    #[cfg(feature = "vulkan")]
    Vulkan,
    /// The first GPU that Vulkan, Metal or DirectX 12 offers.
    #[cfg(feature = "wgpu")]
    Wgpu,
}

impl DeviceName {
    /// The device; `precision` is that of the CPU's kernels, GPUs compute in f32.
    pub(crate) fn compute(self, precision: Precision) -> Compute {
        match self {
            Self::Cpu => Compute::cpu(precision),
            #[cfg(feature = "cuda")]
            Self::Cuda => Compute::cuda(0),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Compute::vulkan(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Compute::wgpu(),
        }
    }
}
