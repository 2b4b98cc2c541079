//! The Python names that a checkpoint may mention.

use super::super::Dtype;
use super::super::error::Fault;

/// What an accepted Python name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Global {
    OrderedDict,
    /// `(storage, offset, shape, strides, …)`
    RebuildTensor,
    /// `(tensor, …)`
    RebuildParameter,
    /// The type of a storage, which is the type of its elements.
    Storage(Dtype),
}

/// Looks a name up; any name that is not needed for tensors is refused.
pub(super) fn resolve(module: &str, name: &str) -> Result<Global, Fault> {
    match (module, name) {
        ("collections", "OrderedDict") => Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Ok(Global::RebuildParameter)
        }
        ("torch" | "torch.storage", name) if name.ends_with("Storage") => storage(name),
        _ => Err(Fault::Forbidden(printable(&format!("{module}.{name}")))),
    }
}

fn storage(name: &str) -> Result<Global, Fault> {
    let dtype = match name {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::Bf16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        other => {
            return Err(Fault::Unsupported(format!(
                "it holds tensors of type `torch.{}`; accepted are float32, float16, bfloat16, \
                 float64, the signed integers, uint8 and bool; convert the tensors (`t.float()`) \
                 and save again",
                printable(other)
            )));
        }
    };
    Ok(Global::Storage(dtype))
}

/// A text from a file, fit for a message: short and without control characters.
pub(in super::super) fn printable(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = text.escape_debug().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
