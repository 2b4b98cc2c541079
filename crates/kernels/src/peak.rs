//! What the machine could do at most, measured.

use crate::cpu;
use crate::product::{Engine, Precision};
use std::time::{Duration, Instant};

/// Multiplies and adds on registers alone with all threads of the current pool for about 0.2 s and
/// returns the best rate seen, in 10^9 operations a second (an addition and a multiplication are
/// two). Benchmarks print shares of it.
pub fn peak_gflops(precision: Precision) -> f64 {
    const ROUNDS: usize = 1 << 16;
    let engine = Engine::for_weights(cpu::path(), precision);
    let end = Instant::now() + Duration::from_millis(200);
    let mut best = 0.0_f64;
    while Instant::now() < end {
        let rates = rayon::broadcast(|_| {
            let start = Instant::now();
            let operations = engine.arithmetic_only(ROUNDS);
            operations as f64 / start.elapsed().as_secs_f64()
        });
        best = best.max(rates.iter().sum());
    }
    best / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_does_at_least_a_gigaflop() {
        assert!(peak_gflops(Precision::F32) > 1.0);
        assert!(peak_gflops(Precision::Bf16) > 1.0);
    }
}
