//! The machine: processor, precision, threads, memory, devices.

use clap::ValueEnum as _;
use masklet::{Compute, Precision};
use masklet_kernels::cpu_features;
use serde_json::json;
use sysinfo::System;

use super::check::Check;
use crate::device::DeviceName;
use crate::progress::megabytes;

/// With less memory free than this (bytes), a picture through the smallest official model may not
/// fit: its checkpoint takes 0.16 GB, its working memory at 1024 pixels most of the rest.
const LITTLE_MEMORY: u64 = 1_500_000_000;

/// Everything that is known without computing anything.
pub(super) fn checks() -> Vec<Check> {
    vec![processor(), precision(), threads(), memory(), devices()]
}

fn processor() -> Check {
    let features = cpu_features();
    let names = match features.names.as_slice() {
        [] => "none that matter here".to_owned(),
        names => names.join(", "),
    };
    let found = format!(
        "kernels use {} for f32 and {} for bf16; it has {names}",
        features.f32_path, features.bf16_path
    );
    let limit = std::env::var("MASKLET_CPU").ok();
    let values = json!({
        "features": features.names,
        "f32": features.f32_path,
        "bf16": features.bf16_path,
        "limit": limit,
    });
    let check = match (features.f32_path, limit) {
        (_, Some(limit)) => Check::note(
            "processor",
            found,
            format!("MASKLET_CPU={limit} sets the instructions; without it all are used"),
        ),
        ("portable", None) => Check::note(
            "processor",
            found,
            "there are no kernels for this processor's vector instructions: it will be slow",
        ),
        _ => Check::ok("processor", found),
    };
    check.with_values(values)
}

fn precision() -> Check {
    let (name, why) = match Compute::fastest_cpu().precision {
        Precision::F32 => ("f32", "no bf16 products among the instructions in use"),
        Precision::Bf16 => ("bf16", "bf16 products are among the instructions in use"),
    };
    let found = format!("`--precision auto` picks {name}: {why}");
    Check::ok("precision", found).with_values(json!({ "auto": name }))
}

fn threads() -> Check {
    let used = rayon::current_num_threads();
    let Ok(cores) = std::thread::available_parallelism() else {
        return Check::ok("threads", format!("{used} in use")).with_values(json!({ "used": used }));
    };
    let found = format!("{used} in use, {cores} available to this process");
    let check = if used > cores.get() {
        let advice = "more threads than cores make it slower: pass --threads with fewer";
        Check::note("threads", found, advice)
    } else {
        Check::ok("threads", found)
    };
    check.with_values(json!({ "used": used, "available": cores }))
}

fn memory() -> Check {
    let mut system = System::new();
    system.refresh_memory();
    // A container may be allowed less than the machine has.
    let limits = system.cgroup_limits();
    let total = limits.as_ref().map_or(system.total_memory(), |l| {
        l.total_memory.min(system.total_memory())
    });
    let available = limits.map_or(system.available_memory(), |l| {
        l.free_memory.min(system.available_memory())
    });
    let values = json!({ "total_bytes": total, "available_bytes": available });
    if total == 0 {
        let advice = "large models may need more than there is, without a warning";
        return Check::note("memory", "the system does not tell", advice);
    }
    let found = format!("{} free of {}", megabytes(available), megabytes(total));
    let check = if available < LITTLE_MEMORY {
        let advice = "close other programs, and use the smallest model (sam2.1-tiny)";
        Check::note("memory", found, advice)
    } else {
        Check::ok("memory", found)
    };
    check.with_values(values)
}

/// What `--device` accepts in this program.
fn devices() -> Check {
    let names: Vec<String> = DeviceName::value_variants()
        .iter()
        .filter_map(|device| Some(device.to_possible_value()?.get_name().to_owned()))
        .collect();
    Check::ok("devices", names.join(", ")).with_values(json!(names))
}
