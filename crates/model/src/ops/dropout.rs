//! What is left out at random in training, and only there.
//!
//! The random numbers come from a generator of the thread's own, not from the device: they are the
//! same on every device, and another thread's work does not change them.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};
use masklet_kernels::Dropout;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

thread_local! {
    /// One for each item of a batch, or one for everything.
    static GENERATORS: RefCell<Vec<ChaCha8Rng>> =
        RefCell::new(vec![ChaCha8Rng::seed_from_u64(0)]);
}

/// Seeds what this thread leaves out from now on: the same seed leaves out the same. A trainer calls
/// it before each part of its work that it may have to repeat.
///
/// With a seed for each item of a batch, values and branches are left out of an item as if it were
/// alone; attention weights go by the first seed.
///
/// # Panics
/// If there is no seed.
pub fn seed_dropout(seeds: &[u64]) {
    assert!(!seeds.is_empty(), "dropout needs a seed");
    let generators = seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed));
    GENERATORS.replace(generators.collect());
}

/// Whether something is left out of `x`: at a positive rate, and while gradients are recorded.
pub(crate) fn drops<const D: usize>(x: &Tensor<D>, rate: f64) -> bool {
    rate > 0.0 && x.is_autodiff()
}

/// What leaves out attention weights, if the queries `x` are under gradients and the rate is positive.
pub(crate) fn attention_dropout<const D: usize>(x: &Tensor<D>, rate: f64) -> Option<Dropout> {
    drops(x, rate).then(|| {
        let seed = GENERATORS.with_borrow_mut(|all| all[0].next_u64());
        Dropout::new(seed, rate)
    })
}

/// Sets each value to zero with probability `rate` and scales the others up, so that the mean stays.
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    if drops(&x, rate) {
        let kept = keep(x.dims(), rate, &x.device());
        x * kept
    } else {
        x
    }
}

/// Leaves out the whole branch `x` `[batch, ..]` of some batch items (stochastic depth, arXiv
/// 1603.09382), scaled as by [`dropout`].
pub(crate) fn drop_path<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    if drops(&x, rate) {
        let mut shape = [1; D];
        shape[0] = x.dims()[0];
        let kept = keep(shape, rate, &x.device());
        x * kept
    } else {
        x
    }
}

/// 0 with probability `rate`, else `1 / (1 - rate)`.
fn keep<const D: usize>(shape: [usize; D], rate: f64, device: &Device) -> Tensor<D> {
    let threshold = (rate * 2f64.powi(32)) as u32;
    let scale = (1.0 / (1.0 - rate)) as f32;
    let count: usize = shape.iter().product();
    let values = GENERATORS.with_borrow_mut(|all| {
        let each = match shape[0] == all.len() {
            true => count / all.len(),
            false => count.max(1),
        };
        let value = |index: usize| match all[index / each].next_u32() {
            number if number < threshold => 0.0,
            _ => scale,
        };
        (0..count).map(value).collect::<Vec<f32>>()
    });
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(x: Tensor<2>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    #[test]
    fn as_much_is_left_out_as_was_asked_for_and_the_mean_stays() {
        let ones = Tensor::<2>::ones([200, 500], &Device::flex().autodiff());
        seed_dropout(&[7]);
        let kept = values(dropout(ones.clone(), 0.1));
        let zeros = kept.iter().filter(|&&x| x == 0.0).count() as f64 / kept.len() as f64;
        let mean = kept.iter().sum::<f32>() / kept.len() as f32;
        // Five standard deviations.
        assert!((zeros - 0.1).abs() < 0.005, "{zeros} left out");
        assert!((mean - 1.0).abs() < 0.006, "mean {mean}");
        seed_dropout(&[7]);
        assert_eq!(values(dropout(ones, 0.1)), kept);
    }

    #[test]
    fn a_path_is_dropped_as_a_whole_and_nothing_without_gradients() {
        let ones = Tensor::<2>::ones([64, 3], &Device::flex());
        assert_eq!(values(drop_path(ones.clone(), 0.5)), vec![1.0; 192]);
        seed_dropout(&[1]);
        let kept = values(drop_path(ones.autodiff(), 0.5));
        let rows: Vec<&[f32]> = kept.chunks(3).collect();
        assert!(rows.iter().all(|row| *row == [0.0; 3] || *row == [2.0; 3]));
        assert!(rows.contains(&&[0.0; 3][..]) && rows.contains(&&[2.0; 3][..]));
    }

    #[test]
    fn what_an_item_with_its_own_seed_loses_does_not_depend_on_the_others() {
        let ones = |rows| Tensor::<2>::ones([rows, 300], &Device::flex().autodiff());
        for leave_out in [dropout::<2>, drop_path::<2>] {
            let alone = |seed| {
                seed_dropout(&[seed]);
                values(leave_out(ones(1), 0.5))
            };
            let expected: Vec<f32> = (0..8).flat_map(alone).collect();
            seed_dropout(&Vec::from_iter(0..8));
            assert_eq!(values(leave_out(ones(8), 0.5)), expected);
            assert!(expected.contains(&0.0) && expected.contains(&2.0));
        }
    }
}
