//! Memory that is used again: fresh pages cost several times the arithmetic done on them.

use std::cell::RefCell;
use std::sync::Mutex;

/// One cache line; workspaces are made of these so that they are aligned for every load.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([f32; 16]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Most buffers a thread keeps for reuse.
const KEPT_PER_THREAD: usize = 32;

/// A workspace with arbitrary contents, aligned to 64 bytes; its memory goes back to the thread
/// that drops it.
pub(crate) struct Scratch(Vec<Line>);

impl Scratch {
    /// At least `bytes` bytes.
    pub fn bytes(bytes: usize) -> Scratch {
        let lines = bytes.div_ceil(64).max(1);
        let reused = FREE.with_borrow_mut(|free| {
            let fitting = (0..free.len()).filter(|&i| free[i].len() >= lines);
            let smallest = fitting.min_by_key(|&i| free[i].len());
            smallest.map(|i| free.swap_remove(i))
        });
        Scratch(reused.unwrap_or_else(|| vec![Line([0.0; 16]); lines.next_power_of_two()]))
    }

    /// At least `count` numbers of type `T`, at most 64 bytes wide and valid for any bits.
    pub fn of<T: Number>(count: usize) -> Scratch {
        Scratch::bytes(count * size_of::<T>())
    }

    /// The start of the workspace.
    pub fn start<T: Number>(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

impl Scratch {
    /// The start of the workspace, for reading.
    pub fn view(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.0);
        // A thread that is shutting down has no list any more; its memory is then simply freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(lines);
            if free.len() > KEPT_PER_THREAD {
                let smallest = (0..free.len()).min_by_key(|&i| free[i].len());
                if let Some(i) = smallest {
                    free.swap_remove(i);
                }
            }
        });
    }
}

/// Memory for packed weights, aligned to 64 bytes so that no load straddles two cache lines.
#[derive(Clone, Debug)]
pub(crate) struct Aligned(Vec<Line>);

impl Aligned {
    /// `count` zeros.
    pub fn zeros<T: Number>(count: usize) -> Aligned {
        Aligned(vec![Line([0.0; 16]); (count * size_of::<T>()).div_ceil(64)])
    }

    /// The memory as numbers, `count` or a few more.
    pub fn numbers<T: Number>(&mut self) -> &mut [T] {
        let len = size_of_val(self.0.as_slice()) / size_of::<T>();
        // SAFETY: lines are plain bytes without padding, valid as `u16` and `f32` alike, and
        // aligned to more than either needs.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
    }

    /// The start of the memory, for reading.
    pub fn view(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

/// Numbers a workspace can hold.
pub(crate) trait Number: Copy + Default + Send + Sync {}
impl Number for f32 {}
impl Number for u16 {}

/// Vectors that are handed out and taken back, so that their pages are touched only once.
///
/// ```
/// use masklet_kernels::BufferPool;
/// let pool = BufferPool::default();
/// let buffer = pool.take(1000);
/// pool.give(buffer);
/// assert_eq!(pool.take(500).len(), 500); // the same memory
/// ```
#[derive(Debug, Default)]
pub struct BufferPool {
    free: Mutex<Vec<Vec<f32>>>,
}

/// Most vectors a pool keeps.
const KEPT_PER_POOL: usize = 32;

impl BufferPool {
    /// An empty pool.
    pub const fn new() -> Self {
        BufferPool {
            free: Mutex::new(Vec::new()),
        }
    }

    /// A vector of `len` numbers with arbitrary (but initialised) contents.
    pub fn take(&self, len: usize) -> Vec<f32> {
        let mut buffer = self.take_fitting(len).unwrap_or_default();
        if buffer.len() >= len {
            buffer.truncate(len);
            buffer
        } else {
            vec![0.0; len]
        }
    }

    /// Returns a vector for later use.
    pub fn give(&self, buffer: Vec<f32>) {
        let mut free = self.lock();
        free.push(buffer);
        if free.len() > KEPT_PER_POOL {
            free.remove(0);
        }
    }

    /// Frees everything kept.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The shortest vector of at least `len` numbers that is at most twice as long.
    fn take_fitting(&self, len: usize) -> Option<Vec<f32>> {
        let mut free = self.lock();
        let fitting = (0..free.len()).filter(|&i| (len..=2 * len).contains(&free[i].len()));
        let shortest = fitting.min_by_key(|&i| free[i].len());
        shortest.map(|i| free.swap_remove(i))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<f32>>> {
        self.free
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

static POOL: BufferPool = BufferPool::new();

/// A vector of `len` numbers with arbitrary contents from the process-wide pool.
pub fn pooled_vec(len: usize) -> Vec<f32> {
    POOL.take(len)
}

/// Gives a vector to the process-wide pool that [`pooled_vec`] takes from.
pub fn recycle(buffer: Vec<f32>) {
    POOL.give(buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_vector_is_handed_out_again() {
        let pool = BufferPool::new();
        let buffer = pool.take(1000);
        let address = buffer.as_ptr();
        pool.give(buffer);
        let again = pool.take(900);
        assert_eq!((again.as_ptr(), again.len()), (address, 900));
        let other = pool.take(900);
        assert_ne!(other.as_ptr(), address);
    }

    #[test]
    fn a_small_request_does_not_take_a_huge_vector() {
        let pool = BufferPool::new();
        pool.give(vec![1.0; 1000]);
        assert_eq!(pool.take(10), vec![0.0; 10]);
    }

    #[test]
    fn workspaces_are_aligned_and_reused() {
        let mut first = Scratch::of::<f32>(100);
        let start = first.start::<f32>() as usize;
        assert_eq!(start % 64, 0);
        drop(first);
        assert_eq!(Scratch::of::<f32>(90).start::<f32>() as usize, start);
    }
}
