//! Measuring and printing.

use masklet_kernels::{Precision, cpu_features, peak_gflops};
use std::time::{Duration, Instant};

/// The machine's limits and the filter.
pub struct Bench {
    filter: Vec<String>,
    peak_f32: f64,
    peak_bf16: f64,
}

impl Bench {
    pub fn new() -> Bench {
        let filter = std::env::args()
            .skip(1)
            .filter(|a| !a.starts_with("--"))
            .collect();
        let bench = Bench {
            filter,
            peak_f32: peak_gflops(Precision::F32),
            peak_bf16: peak_gflops(Precision::Bf16),
        };
        println!(
            "{:?}, {} threads",
            cpu_features(),
            rayon::current_num_threads()
        );
        println!(
            "peak: f32 {:.0} GFLOP/s, bf16 {:.0} GFLOP/s",
            bench.peak_f32, bench.peak_bf16
        );
        bench
    }

    pub fn wanted(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|f| name.contains(f.as_str()))
    }

    fn peak(&self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.peak_f32,
            Precision::Bf16 => self.peak_bf16,
        }
    }

    /// Prints the rate of `work`, which does `operations` operations.
    pub fn arithmetic(
        &self,
        name: &str,
        precision: Precision,
        operations: f64,
        work: impl FnMut(),
    ) {
        if self.wanted(name) {
            let seconds = fastest(work);
            let rate = operations / seconds / 1e9;
            println!(
                "{name:56} {:9.3} ms {rate:8.1} GFLOP/s {:5.1} %",
                seconds * 1e3,
                100.0 * rate / self.peak(precision)
            );
        }
    }
}

impl Bench {
    /// Prints the rate of `work`, which reads and writes `bytes`.
    pub fn memory(&self, name: &str, bytes: f64, work: impl FnMut()) {
        if self.wanted(name) {
            let seconds = fastest(work);
            println!(
                "{name:56} {:9.3} ms {:8.1} GB/s",
                seconds * 1e3,
                bytes / seconds / 1e9
            );
        }
    }
}

/// The shortest of several runs, in seconds.
fn fastest(mut work: impl FnMut()) -> f64 {
    work();
    let end = Instant::now() + Duration::from_millis(300);
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || Instant::now() < end {
        let (start, processor) = (Instant::now(), processor_time());
        work();
        let elapsed = match (rayon::current_num_threads(), processor, processor_time()) {
            (1, Some(before), Some(after)) => after - before,
            _ => start.elapsed().as_secs_f64(),
        };
        best = best.min(elapsed);
        runs += 1;
    }
    best
}

/// Seconds this thread has been running on a processor.
#[cfg(target_os = "linux")]
fn processor_time() -> Option<f64> {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    const THREAD_PROCESSOR_TIME: i32 = 3;
    let mut time = Time {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: the C library's function fills in the struct, whose layout is that of 64-bit Linux.
    let status = unsafe { clock_gettime(THREAD_PROCESSOR_TIME, &mut time) };
    (status == 0).then_some(time.seconds as f64 + time.nanoseconds as f64 / 1e9)
}

#[cfg(not(target_os = "linux"))]
fn processor_time() -> Option<f64> {
    None
}

/// Numbers in -1..1, the same every time.
pub fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
