//! The clips of a step, several at once.
//!
//! A small network's kernels are too short to be worth sharing between threads, so clips are. Each of
//! those at once has threads of its own, which has three more reasons. A kernel that is called on a
//! thread of the pool begins at once, where one called from outside would wake the pool and wait. What
//! a thread leaves out at random follows from a generator of its own, and no thread is given a part of
//! another clip while it waits for its kernels. And a backward pass holds a lock on its graph while it
//! computes.

use std::panic::resume_unwind;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A run's threads, in as many pools as there are clips at once.
#[derive(Debug)]
pub(super) struct ClipPools(Vec<ThreadPool>);

impl ClipPools {
    /// Pools for so many clips at once, which share as many threads as Rayon uses here; each has at
    /// least one.
    ///
    /// # Panics
    /// If the system gives no threads.
    pub(super) fn new(clips_at_once: usize) -> Self {
        let threads = (rayon::current_num_threads() / clips_at_once).max(1);
        let pool = |_| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|thread| format!("step {thread}"))
                .build()
                .expect("the system gives threads")
        };
        Self((0..clips_at_once).map(pool).collect())
    }

    /// Does `work` with each clip, on the threads of one pool, and gives the results in the clips'
    /// order.
    pub(super) fn map<C: Sync, R: Send>(
        &self,
        clips: &[C],
        work: impl Fn(&C) -> R + Sync,
    ) -> Vec<R> {
        let work = &work;
        let at_once = |clips: &[C]| -> Vec<R> {
            thread::scope(|scope| {
                let started: Vec<_> = self
                    .0
                    .iter()
                    .zip(clips)
                    .map(|(pool, clip)| scope.spawn(move || pool.install(|| work(clip))))
                    .collect();
                let finished = started.into_iter().map(|started| started.join());
                finished
                    .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect()
            })
        };
        clips.chunks(self.0.len()).flat_map(at_once).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_each_clip_has_one_pool() {
        let pools = ClipPools::new(2);
        let result = pools.map(&[1, 2, 3, 4, 5], |clip| {
            let pool = rayon::current_thread_index().expect("on a thread of a pool");
            assert!(pool < rayon::current_num_threads());
            clip * 10
        });
        assert_eq!(result, [10, 20, 30, 40, 50]);
    }

    #[test]
    #[should_panic(expected = "clip 3")]
    fn a_panic_is_not_lost() {
        ClipPools::new(2).map(&[1, 3], |clip| assert_ne!(*clip, 3, "clip 3"));
    }
}
