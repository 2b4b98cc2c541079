//! What the processor can do, and which instructions the kernels will use.
//!
//! A path is chosen once per call, in the calling thread, and handed down to the worker threads as
//! a plain value; tests force a path with [`with_path`] to exercise every one the machine has.

use std::cell::Cell;
use std::sync::OnceLock;

/// The vector instructions used for f32 arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// AVX-512 (F, BW, DQ, VL): 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512 with AVX512_BF16, which converts between the formats.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    /// AVX2 with FMA: 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON: 4 lanes.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Plain Rust, vectorised as the compiler sees fit.
    Portable,
}

/// The instructions used for products of f32 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum F32Unit {
    /// Those of [`Isa`].
    Vector,
    /// AMX tiles, which multiply the parts of the numbers ([`crate::product::parts`]).
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// Those of [`Isa`], on numbers cut into parts and put together again: slow, to test on any
    /// machine what AMX is given.
    Rejoined,
}

/// The instructions used for products of bf16 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bf16Unit {
    /// AMX tiles: 16x16x32 multiply-accumulate per instruction.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// AVX512_BF16 `vdpbf16ps`: 16 dot products of two.
    #[cfg(target_arch = "x86_64")]
    Dot,
    /// No native product: weights are stored as bf16 and widened to f32 when used.
    Widen,
    /// No native product either, but both operands are rounded as one rounds them.
    Emulated,
}

/// The instruction choice of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub isa: Isa,
    pub f32: F32Unit,
    pub bf16: Bf16Unit,
}

impl Path {
    /// Vectors for f32.
    pub const fn new(isa: Isa, bf16: Bf16Unit) -> Path {
        Path {
            isa,
            f32: F32Unit::Vector,
            bf16,
        }
    }

    /// Whether bf16 products are native (as opposed to widened to f32).
    pub fn bf16_native(self) -> bool {
        !matches!(self.bf16, Bf16Unit::Widen | Bf16Unit::Emulated)
    }

    /// Whether both operands of bf16 products are rounded to bf16.
    #[cfg(test)]
    pub fn rounds_operands(self) -> bool {
        self.bf16 != Bf16Unit::Widen
    }
}

thread_local! {
    static FORCED: Cell<Option<Path>> = const { Cell::new(None) };
}

/// The path calls from this thread take.
pub(crate) fn path() -> Path {
    FORCED.get().unwrap_or_else(best_path)
}

/// Runs `work` with every kernel called from this thread taking `path`.
#[cfg(test)]
pub(crate) fn with_path<T>(path: Path, work: impl FnOnce() -> T) -> T {
    let before = FORCED.replace(Some(path));
    let result = work();
    FORCED.set(before);
    result
}

/// Every path this machine can run, best first; those that emulate another machine come last.
pub(crate) fn available_paths() -> Vec<Path> {
    let mut paths = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if x86::avx512() {
            let converts = std::is_x86_feature_detected!("avx512bf16");
            if x86::amx_bf16() {
                let isa = if converts {
                    Isa::Avx512Bf16
                } else {
                    Isa::Avx512
                };
                paths.push(Path {
                    f32: F32Unit::Amx,
                    ..Path::new(isa, Bf16Unit::Amx)
                });
            }
            if converts {
                paths.push(Path::new(Isa::Avx512Bf16, Bf16Unit::Dot));
            }
            paths.push(Path::new(Isa::Avx512, Bf16Unit::Widen));
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            paths.push(Path::new(Isa::Avx2, Bf16Unit::Widen));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        paths.push(Path::new(Isa::Neon, Bf16Unit::Widen));
    }
    paths.push(Path::new(Isa::Portable, Bf16Unit::Widen));
    let best = paths[0].isa;
    paths.push(Path::new(best, Bf16Unit::Emulated));
    paths.push(Path {
        f32: F32Unit::Rejoined,
        ..Path::new(best, Bf16Unit::Widen)
    });
    paths
}

/// `MASKLET_CPU` names an upper limit (`avx512`, `avx2`, `portable`) for comparisons and bug hunts, or
/// asks for bf16 products as a native unit would give them (`bf16-emulated`).
fn best_path() -> Path {
    static BEST: OnceLock<Path> = OnceLock::new();
    *BEST.get_or_init(|| {
        let limit = std::env::var("MASKLET_CPU").unwrap_or_default();
        let allowed = |path: &Path| match limit.as_str() {
            "portable" => path.isa == Isa::Portable,
            "bf16-emulated" => path.bf16 == Bf16Unit::Emulated,
            #[cfg(target_arch = "x86_64")]
            "avx2" => !matches!(path.isa, Isa::Avx512 | Isa::Avx512Bf16),
            #[cfg(target_arch = "x86_64")]
            "avx512" => path.bf16 == Bf16Unit::Widen,
            #[cfg(target_arch = "x86_64")]
            "avx512bf16" => path.bf16 != Bf16Unit::Amx,
            _ => true,
        };
        let chosen = available_paths().into_iter().find(allowed);
        chosen.unwrap_or(Path::new(Isa::Portable, Bf16Unit::Widen))
    })
}

/// What the kernels found on this processor and which instructions they use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuFeatures {
    /// Detected instruction set extensions that matter to the kernels, by their usual names.
    pub names: Vec<&'static str>,
    /// Instructions used for f32: `avx512`, `avx2`, `neon` or `portable`; `avx512+amx` where AMX multiplies
    /// f32 numbers, in three parts each.
    pub f32_path: &'static str,
    /// Instructions used for bf16: `amx`, `avx512_bf16`, `widen` (bf16 weights, f32 arithmetic) or
    /// `emulated` (bf16 operands, f32 arithmetic).
    pub bf16_path: &'static str,
}

impl CpuFeatures {
    /// Whether the processor multiplies bf16 natively, so that bf16 is worth choosing for speed.
    pub fn bf16_native(&self) -> bool {
        !matches!(self.bf16_path, "widen" | "emulated")
    }
}

/// Describes the processor and the instructions chosen for it.
///
/// ```
/// let cpu = masklet_kernels::cpu_features();
/// println!("f32 by {}, bf16 by {}", cpu.f32_path, cpu.bf16_path);
/// ```
pub fn cpu_features() -> CpuFeatures {
    let path = path();
    CpuFeatures {
        names: feature_names(),
        f32_path: match path.isa {
            #[cfg(target_arch = "x86_64")]
            _ if path.f32 == F32Unit::Amx => "avx512+amx",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        },
        bf16_path: match path.bf16 {
            #[cfg(target_arch = "x86_64")]
            Bf16Unit::Amx => "amx",
            #[cfg(target_arch = "x86_64")]
            Bf16Unit::Dot => "avx512_bf16",
            Bf16Unit::Widen => "widen",
            Bf16Unit::Emulated => "emulated",
        },
    }
}

/// Whether the processor multiplies bf16 natively (AMX_BF16 or AVX512_BF16).
pub fn bf16_native() -> bool {
    path().bf16_native()
}

#[cfg(target_arch = "x86_64")]
fn feature_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    let detected = [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::is_x86_feature_detected!("avx512bw")),
        ("avx512_bf16", std::is_x86_feature_detected!("avx512bf16")),
        ("amx_bf16", x86::amx_bf16()),
    ];
    names.extend(
        detected
            .iter()
            .filter(|(_, found)| *found)
            .map(|(name, _)| *name),
    );
    names
}

#[cfg(target_arch = "aarch64")]
fn feature_names() -> Vec<&'static str> {
    if std::arch::is_aarch64_feature_detected!("neon") {
        vec!["neon"]
    } else {
        Vec::new()
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn feature_names() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    pub(super) fn avx512() -> bool {
        std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("fma")
    }

    /// AMX needs the processor, the operating system's consent in XCR0 and, on Linux, a permission
    /// requested once per process.
    pub(super) fn amx_bf16() -> bool {
        static PERMITTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *PERMITTED.get_or_init(|| processor_has_amx_bf16() && request_tile_permission())
    }

    fn processor_has_amx_bf16() -> bool {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
        const TILE_STATE: u64 = 0b11 << 17;
        const OSXSAVE: u32 = 1 << 27;
        if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
            return false;
        }
        let extended = __cpuid_count(7, 0);
        extended.edx & TILE_AND_BF16 == TILE_AND_BF16 && enabled_state() & TILE_STATE == TILE_STATE
    }

    fn enabled_state() -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: `xgetbv` with ecx = 0 only reads XCR0; the caller has checked OSXSAVE.
        unsafe {
            std::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high,
                options(nomem, nostack, preserves_flags));
        }
        u64::from(high) << 32 | u64::from(low)
    }

    #[cfg(target_os = "linux")]
    fn request_tile_permission() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XFEATURE_XTILEDATA: u64 = 18;
        let mut status = ARCH_PRCTL;
        // SAFETY: this system call takes two integers and changes nothing in this process's memory;
        // the registers the kernel overwrites are declared.
        unsafe {
            std::arch::asm!("syscall", inout("rax") status, in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XFEATURE_XTILEDATA, out("rcx") _, out("r11") _, options(nostack));
        }
        status == 0
    }

    #[cfg(not(target_os = "linux"))]
    fn request_tile_permission() -> bool {
        false
    }
}
