//! Taking the terminal over and giving it back, whatever happens.

use std::io::{self, BufWriter, IsTerminal as _, Stderr, stderr, stdin};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::screen::Screen;
use crate::interrupt;

/// Whether the terminal is taken over.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over: keys come unfiltered, and a second screen is shown. Dropping it gives
/// the terminal back.
pub(super) struct Terminal(ratatui::Terminal<CrosstermBackend<BufWriter<Stderr>>>);

/// Whether there is a terminal that can be taken over: standard input and standard error are one,
/// it can do more than print, and this process is in its foreground.
pub(in crate::commands::train) fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    stdin().is_terminal() && stderr().is_terminal() && (cfg!(windows) || !dumb) && in_foreground()
}

/// Whether this process has the terminal's foreground, where Linux tells: one in the background is
/// stopped when it takes the terminal over.
fn in_foreground() -> bool {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return true;
    };
    foreground_in(&stat).unwrap_or(true)
}

/// From the text of `/proc/self/stat`: after the name in brackets come the state, the parent, the
/// process group, the session, the terminal and the terminal's foreground group.
fn foreground_in(stat: &str) -> Option<bool> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(fields.get(2)? == fields.get(5)?)
}

/// Whether colours are wanted: not if `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Terminal {
    /// Takes the terminal over. It is given back when this is dropped, when a thread panics, and
    /// when an interrupt ends the program.
    pub(super) fn take_over() -> io::Result<Self> {
        give_back_before_panics();
        TAKEN.store(true, Ordering::SeqCst);
        let taken = enable_raw_mode()
            .and_then(|()| execute!(stderr(), EnterAlternateScreen))
            .and_then(|()| ratatui::Terminal::new(CrosstermBackend::new(BufWriter::new(stderr()))));
        match taken {
            Ok(terminal) => {
                interrupt::terminal_taken(Some(give_back));
                Ok(Self(terminal))
            }
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Shows the screen.
    pub(super) fn draw(&mut self, screen: &Screen) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was given back"));
        }
        self.0.draw(|frame| screen.render(frame)).map(|_| ())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
        interrupt::terminal_taken(None);
    }
}

/// Gives the terminal back if it is taken over. If that fails there is nobody left to tell.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    }
}

/// A panic's message is printed on the terminal that people look at.
fn give_back_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            print(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_the_background_is_told_from_one_in_the_foreground() {
        let stat = |group: i32| format!("70 (a (b) c) S 1 {group} 50 34816 70 4194304 0");
        assert_eq!(foreground_in(&stat(70)), Some(true));
        assert_eq!(foreground_in(&stat(71)), Some(false));
        assert_eq!(foreground_in("nonsense"), None);
    }
}
