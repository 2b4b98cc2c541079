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

    /// Does `work` with each clip, on the threads of one pool, and hands the results to `done` in the
    /// clips' order, before others begin: only those at once need memory.
    ///
    /// # Errors
    /// The first that `done` returns; later clips are not begun.
    pub(super) fn each<C: Sync, R: Send, E>(
        &self,
        clips: &[C],
        work: impl Fn(&C) -> R + Sync,
        mut done: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let work = &work;
        for at_once in clips.chunks(self.0.len()) {
            let results: Vec<R> = thread::scope(|scope| {
                let pools = self.0.iter().zip(at_once);
                let started: Vec<_> = pools
                    .map(|(pool, clip)| scope.spawn(move || pool.install(|| work(clip))))
                    .collect();
                let finished = started.into_iter().map(|started| started.join());
                finished
                    .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect()
            });
            results.into_iter().try_for_each(&mut done)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Barrier;
    use std::thread::ThreadId;

    use super::*;

    fn all<R: Send>(pools: &ClipPools, clips: &[u32], work: impl Fn(&u32) -> R + Sync) -> Vec<R> {
        let mut results = Vec::new();
        let done = pools.each(clips, work, |result| {
            results.push(result);
            Ok::<_, Infallible>(())
        });
        done.map(|()| results).expect("nothing fails")
    }

    #[test]
    fn results_come_in_order_and_clips_at_once_share_no_thread() {
        let pools = ClipPools::new(2);
        // Neither goes on before the other has begun.
        let both = Barrier::new(2);
        let threads: Vec<(u32, ThreadId)> = all(&pools, &[1, 2, 3, 4], |clip| {
            both.wait();
            assert!(
                rayon::current_thread_index().is_some(),
                "on a pool's thread"
            );
            (*clip, thread::current().id())
        });
        assert_eq!(
            threads.iter().map(|(clip, _)| *clip).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_ne!(threads[0].1, threads[1].1);
    }

    #[test]
    fn after_an_error_nothing_is_begun() {
        let pools = ClipPools::new(1);
        let begun = std::sync::Mutex::new(Vec::new());
        let work = |clip: &u32| begun.lock().unwrap().push(*clip);
        assert_eq!(pools.each(&[1, 2], work, |()| Err("wrong")), Err("wrong"));
        assert_eq!(*begun.lock().unwrap(), [1]);
    }

    #[test]
    #[should_panic(expected = "clip 3")]
    fn a_panic_is_not_lost() {
        all(&ClipPools::new(2), &[1, 3], |clip| {
            assert_ne!(*clip, 3, "clip 3")
        });
    }
}
