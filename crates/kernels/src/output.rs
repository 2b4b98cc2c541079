//! Where kernels write: slices that need not be initialised beforehand, and proof they were written.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The destination of a kernel: a slice that the kernel writes completely.
///
/// Made from `&mut [f32]`, `&mut Vec<f32>` or `&mut [MaybeUninit<f32>]`.
pub struct Out<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut f32>,
}

/// Proof that a kernel has written all of the destination borrowed for `'a`; only kernels make it.
#[derive(Debug)]
pub struct Written<'a> {
    start: *const f32,
    len: usize,
    /// Invariant in `'a`: a proof cannot pass for one about another borrow.
    borrowed: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<'a> From<&'a mut [f32]> for Out<'a> {
    fn from(slice: &'a mut [f32]) -> Self {
        Out {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            borrowed: PhantomData,
        }
    }
}

impl<'a> From<&'a mut Vec<f32>> for Out<'a> {
    fn from(vec: &'a mut Vec<f32>) -> Self {
        Out::from(vec.as_mut_slice())
    }
}

impl<'a, const N: usize> From<&'a mut [f32; N]> for Out<'a> {
    fn from(array: &'a mut [f32; N]) -> Self {
        Out::from(array.as_mut_slice())
    }
}

impl<'a> From<&'a mut [MaybeUninit<f32>]> for Out<'a> {
    fn from(slice: &'a mut [MaybeUninit<f32>]) -> Self {
        Out {
            start: slice.as_mut_ptr().cast(),
            len: slice.len(),
            borrowed: PhantomData,
        }
    }
}

impl<'a> Out<'a> {
    /// The number of f32 to write.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The destination for worker threads, each of which writes its own part.
    pub(crate) fn shared(&self) -> Shared<f32> {
        Shared(self.start)
    }

    /// Asserts the length a kernel is about to write.
    pub(crate) fn expect_len(&self, len: usize, kernel: &str) {
        assert_eq!(
            self.len, len,
            "{kernel}: the output has {} numbers, not {len}",
            self.len
        );
    }

    /// Declares the destination written.
    ///
    /// # Safety
    /// Every number of the destination has been written.
    pub(crate) unsafe fn written(self) -> Written<'a> {
        Written {
            start: self.start,
            len: self.len,
            borrowed: PhantomData,
        }
    }
}

/// Lets a kernel fill a new vector, without zeroing it first.
///
/// ```
/// let x = [-1.0, 0.0, 2.0];
/// let y = masklet_kernels::collect(3, |out| masklet_kernels::sigmoid_scaled(&x, 2.0, -1.0, out));
/// assert_eq!(y[1], 0.0);
/// ```
///
/// # Panics
/// If the proof returned is about another destination.
pub fn collect(len: usize, kernel: impl for<'a> FnOnce(Out<'a>) -> Written<'a>) -> Vec<f32> {
    let mut vec: Vec<f32> = Vec::with_capacity(len);
    let spare = &mut vec.spare_capacity_mut()[..len];
    let start: *const f32 = spare.as_ptr().cast();
    let written = kernel(Out::from(spare));
    assert!(
        written.start == start && written.len == len,
        "collect: the kernel wrote elsewhere"
    );
    // SAFETY: a `Written` of the lifetime made up for this call and for exactly this memory proves
    // that a kernel wrote all `len` numbers, and `len` is within the capacity.
    unsafe { vec.set_len(len) };
    vec
}

/// A pointer that worker threads share, each using a part of its own.
pub(crate) struct Shared<T>(pub *mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

// SAFETY: the pointer is only dereferenced in kernels that give each thread a disjoint part.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The address of element `index`.
    ///
    /// # Safety
    /// `index` lies within the memory pointed to.
    pub unsafe fn at(self, index: usize) -> *mut T {
        // SAFETY: the caller vouches for the index.
        unsafe { self.0.add(index) }
    }
}
