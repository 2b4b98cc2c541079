//! The clips of a step, several at once, and the parts of a clip that are encoded at once.
//!
//! Where kernels are too short to be worth sharing between threads, clips and parts of them are. Each
//! of those at once has threads of its own, which has three more reasons. A kernel that is called on a
//! thread of the pool begins at once, where one called from outside would wake the pool and wait. What
//! a thread leaves out at random follows from a generator of its own, and no thread is given a part of
//! another clip while it waits for its kernels. And a backward pass holds a lock on its graph while it
//! computes.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads in as many pools as there are items at once.
#[derive(Debug)]
pub(super) struct Pools {
    pools: Vec<ThreadPool>,
    /// In each.
    threads: usize,
}

impl Pools {
    /// Pools for so many items at once, which share so many threads; each has at least one.
    ///
    /// # Panics
    /// If the system gives no threads.
    pub(super) fn new(at_once: usize, threads: usize) -> Self {
        let threads = (threads / at_once).max(1);
        let pool = |_| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|thread| format!("step {thread}"))
                .build()
                .expect("the system gives threads")
        };
        Self {
            pools: (0..at_once).map(pool).collect(),
            threads,
        }
    }

    /// For each of these pools, pools for the parts of its item, at most `parts` at once.
    pub(super) fn of_parts(&self, parts: usize) -> Vec<Self> {
        let of_parts = |_| Self::new(parts.min(self.threads), self.threads);
        self.pools.iter().map(of_parts).collect()
    }

    /// Does `work` with each item, given the number of the pool on whose threads it is, and hands the
    /// results to `done` in the items' order, before others begin: only those at once need memory.
    pub(super) fn each<C: Send, R: Send>(
        &self,
        items: impl IntoIterator<Item = C>,
        work: impl Fn(usize, C) -> R + Sync,
        mut done: impl FnMut(R),
    ) {
        let each = self.try_each(items, work, |result| {
            done(result);
            Ok::<_, Infallible>(())
        });
        each.unwrap_or_else(|never| match never {});
    }

    /// [`each`](Self::each) until `done` fails.
    ///
    /// # Errors
    /// The first that `done` returns; later items are not begun.
    pub(super) fn try_each<C: Send, R: Send, E>(
        &self,
        items: impl IntoIterator<Item = C>,
        work: impl Fn(usize, C) -> R + Sync,
        mut done: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let work = &work;
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let at_once = items.by_ref().take(self.pools.len());
            let results: Vec<R> = thread::scope(|scope| {
                let pools = self.pools.iter().enumerate().zip(at_once);
                let started: Vec<_> = pools
                    .map(|((number, pool), item)| {
                        scope.spawn(move || pool.install(|| work(number, item)))
                    })
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
    use std::sync::Barrier;
    use std::thread::ThreadId;

    use super::*;

    fn all<R: Send>(pools: &Pools, items: &[u32], work: impl Fn(&u32) -> R + Sync) -> Vec<R> {
        let mut results = Vec::new();
        pools.each(items, |_, item| work(item), |result| results.push(result));
        results
    }

    #[test]
    fn results_come_in_order_and_items_at_once_share_no_thread() {
        let pools = Pools::new(2, 2);
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
        let pools = Pools::new(1, 2);
        let begun = std::sync::Mutex::new(Vec::new());
        let work = |_, clip: u32| begun.lock().unwrap().push(clip);
        assert_eq!(
            pools.try_each([1, 2], work, |()| Err("wrong")),
            Err("wrong")
        );
        assert_eq!(*begun.lock().unwrap(), [1]);
    }

    #[test]
    #[should_panic(expected = "clip 3")]
    fn a_panic_is_not_lost() {
        all(&Pools::new(2, 2), &[1, 3], |clip| {
            assert_ne!(*clip, 3, "clip 3")
        });
    }
}
