//! Ctrl-C: the first one asks for a clean stop, the second one ends the program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit code of a program ended by an interrupt, as shells report it.
const INTERRUPTED_EXIT_CODE: i32 = 130;

/// Starts listening. To be called once.
pub(crate) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            process::exit(INTERRUPTED_EXIT_CODE);
        }
        eprintln!("stopping after this frame; once more to stop at once");
    })
}

/// Whether somebody asked to stop.
pub(crate) fn requested() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
