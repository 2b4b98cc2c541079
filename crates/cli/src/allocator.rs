//! The allocator, and how it treats memory that is freed.

/// Freed memory is used again: fresh pages cost more than the arithmetic done in them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h: milliseconds until freed pages are given back.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Never.
const NEVER: std::ffi::c_long = -1;

/// Keeps freed pages until the process ends, unless `MIMALLOC_PURGE_DELAY` is set: every frame, and every
/// step of training, frees and needs again what the one before did. A frame is a tenth faster with it
/// (docs/performance.md), a step of training a quarter (docs/training.md). Call it before there are other
/// threads.
#[expect(unsafe_code, reason = "an option of a C library")]
pub(crate) fn keep_freed_pages() {
    // SAFETY: the option exists in both versions of mimalloc that the crate builds, a plain integer
    // is written, and only one thread runs.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, NEVER) }
}
