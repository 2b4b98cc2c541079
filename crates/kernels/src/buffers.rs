//! Memory that is used again: fresh pages cost several times the arithmetic done on them.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One cache line; workspaces are made of these so that they are aligned for every load.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([f32; 16]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// `count` lines of zeros. (`vec!` would write them, where pages that are fresh have them already.)
fn zeros(count: usize) -> Vec<Line> {
    let layout = Layout::array::<Line>(count).expect("fewer bytes than there are addresses");
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: the layout, which is not empty, is that of a vector of `count` lines, and a line of zero bits
    // is valid.
    unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Vec::from_raw_parts(start.cast(), count, count)
    }
}

/// Most buffers a thread keeps for reuse.
const KEPT_PER_THREAD: usize = 32;

/// Lines of the largest workspaces that a thread keeps for itself; their sizes are powers of two. Larger ones
/// are shared: whichever thread packs the keys of a memory bank uses the same 60 MB.
const LARGEST_OWN: usize = (2 << 20) / size_of::<Line>();

/// Larger workspaces are multiples of so many lines: a bank that grows by a memory needs a little more each
/// time.
const LARGE_STEP: usize = LARGEST_OWN / 2;

/// Large workspaces that nobody uses.
static LARGE_FREE: Mutex<LargeFree> = Mutex::new(LargeFree(Vec::new()));

/// A workspace with arbitrary contents, aligned to 64 bytes; its memory is used again when it is dropped.
pub(crate) struct Scratch(Vec<Line>);

impl Scratch {
    /// At least `bytes` bytes.
    pub fn bytes(bytes: usize) -> Scratch {
        let lines = bytes.div_ceil(64).max(1);
        if lines > LARGEST_OWN {
            let reused = large_free().take(lines);
            return Scratch(reused.unwrap_or_else(|| zeros(lines.next_multiple_of(LARGE_STEP))));
        }
        let reused = FREE.with_borrow_mut(|free| {
            let fitting = (0..free.len()).filter(|&i| free[i].len() >= lines);
            let smallest = fitting.min_by_key(|&i| free[i].len());
            smallest.map(|i| free.swap_remove(i))
        });
        Scratch(reused.unwrap_or_else(|| zeros(lines.next_power_of_two())))
    }

    /// At least `count` numbers of type `T`, at most 64 bytes wide and valid for any bits.
    pub fn of<T: Number>(count: usize) -> Scratch {
        Scratch::bytes(count * size_of::<T>())
    }

    /// The start of the workspace.
    pub fn start<T: Number>(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }

    /// The start of the workspace, for reading.
    pub fn view(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

/// Large workspaces, the one used last at the end.
struct LargeFree(Vec<Vec<Line>>);

impl LargeFree {
    /// Most that are kept.
    const MOST: usize = 4;

    /// The smallest of at least `lines` and at most twice as many. If there is none, those that would do for
    /// half as many are given up: the one that will be made instead does for them too.
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        let fitting = (0..self.0.len()).filter(|&i| (lines..=2 * lines).contains(&self.0[i].len()));
        let smallest = fitting.min_by_key(|&i| self.0[i].len());
        if smallest.is_none() {
            self.0
                .retain(|free| !(lines.div_ceil(2)..lines).contains(&free.len()));
        }
        smallest.map(|i| self.0.remove(i))
    }

    /// Keeps a workspace, and lets go of the one that was not used for longest if there are too many.
    fn keep(&mut self, lines: Vec<Line>) {
        self.0.push(lines);
        if self.0.len() > Self::MOST {
            self.0.remove(0);
        }
    }
}

fn large_free() -> MutexGuard<'static, LargeFree> {
    LARGE_FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.0);
        if lines.len() > LARGEST_OWN {
            return large_free().keep(lines);
        }
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
        Aligned(zeros((count * size_of::<T>()).div_ceil(64)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_aligned_and_reused() {
        let mut first = Scratch::of::<f32>(100);
        let start = first.start::<f32>() as usize;
        assert_eq!(start % 64, 0);
        drop(first);
        assert_eq!(Scratch::of::<f32>(90).start::<f32>() as usize, start);
    }

    #[test]
    fn large_workspaces_serve_their_like() {
        let mut free = LargeFree(Vec::new());
        for len in [9, 100, 30] {
            free.keep(zeros(len));
        }
        assert_eq!(free.take(20).unwrap().len(), 30);
        assert!(free.take(20).is_none(), "100 are five times as many");
        assert_eq!(free.take(100).unwrap().len(), 100);
        for len in 11..=14 {
            free.keep(zeros(len));
        }
        assert_eq!(free.take(9).unwrap().len(), 11, "9 were kept for longest");
        assert!(free.take(26).is_none());
        assert_eq!(free.take(7).unwrap().len(), 12);
        assert!(free.take(7).is_none(), "13 and 14 are less than 26");
    }
}
