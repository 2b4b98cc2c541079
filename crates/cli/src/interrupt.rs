//! Ctrl-C: the first one asks for a clean stop, the second one ends the program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How to give the terminal back, while something has taken it over.
static TERMINAL: Mutex<Option<fn()>> = Mutex::new(None);

/// Exit code of a program ended by an interrupt, as shells report it.
const INTERRUPTED_EXIT_CODE: i32 = 130;

/// Starts listening. To be called once. `unit` is what is completed before the stop: a frame, say.
pub(crate) fn listen(unit: &'static str) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        request();
        if terminal().is_none() {
            eprintln!("stopping after this {unit}; once more to stop at once");
        }
    })
}

/// What Ctrl-C does, for those who read the keys themselves.
pub(crate) fn request() {
    if INTERRUPTED.swap(true, Ordering::SeqCst) {
        if let Some(restore) = terminal() {
            restore();
        }
        process::exit(INTERRUPTED_EXIT_CODE);
    }
}

/// Whether somebody asked to stop.
pub(crate) fn requested() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Says that something has taken the terminal over, and tells about interrupts itself; `restore`
/// gives the terminal back. `None` when it has been given back.
pub(crate) fn terminal_taken(restore: Option<fn()>) {
    *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) = restore;
}

fn terminal() -> Option<fn()> {
    *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}
