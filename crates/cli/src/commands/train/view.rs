//! The live view of a run, on a terminal.
//!
//! A thread of its own draws it and reads the keys, so that it answers while a step takes its time.
//! It writes to standard error, as all progress does: standard output may be anything.

mod screen;
mod terminal;

use std::io::{self, stderr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use masklet_train::monitor::{
    History, Observer, PlainLog, Result, RunInfo, StepRecord, Summary, ValidationRecord,
};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use crate::interrupt;
use screen::Screen;
use terminal::Terminal;

pub(super) use terminal::is_possible;

/// How long a key may wait for its answer.
const ANSWER: Duration = Duration::from_millis(100);
/// Without news, times are brought up to date this often.
const TICK: Duration = Duration::from_secs(1);

/// Shows a run until it is finished or this is dropped, then gives the terminal back.
pub(super) struct View {
    run: RunInfo,
    /// `None` when the view is closed.
    drawing: Option<Drawing>,
}

/// The thread that draws. It ends when there is nobody left to tell it anything.
struct Drawing {
    news: Sender<News>,
    thread: JoinHandle<()>,
}

/// What the thread is told.
enum News {
    Started(RunInfo),
    Step(StepRecord),
    Validated(ValidationRecord),
    Saved(PathBuf),
}

impl View {
    /// Takes the terminal over. `history` is what an earlier process of the run left.
    ///
    /// # Errors
    /// If the terminal does not let itself be taken over; it is as before then.
    pub(super) fn open(history: History) -> io::Result<Self> {
        let terminal = Terminal::take_over()?;
        let (news, told) = channel();
        let screen = Screen::new(history, terminal::colours_wanted());
        let thread = thread::Builder::new()
            .name("view".into())
            .spawn(move || draw(terminal, screen, &told))?;
        Ok(Self {
            run: RunInfo::default(),
            drawing: Some(Drawing { news, thread }),
        })
    }

    /// Passes news on. A view that is no more does not stop the run.
    fn tell(&self, news: News) {
        if let Some(drawing) = &self.drawing {
            let _ = drawing.news.send(news);
        }
    }

    fn close(&mut self) {
        if let Some(Drawing { news, thread }) = self.drawing.take() {
            drop(news);
            let _ = thread.join();
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.close();
    }
}

impl Observer for View {
    fn started(&mut self, run: &RunInfo) -> Result {
        self.run = run.clone();
        self.tell(News::Started(run.clone()));
        Ok(())
    }

    fn step(&mut self, record: &StepRecord) -> Result {
        self.tell(News::Step(*record));
        Ok(())
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        self.tell(News::Validated(*record));
        Ok(())
    }

    fn saved(&mut self, path: &Path) -> Result {
        self.tell(News::Saved(path.to_owned()));
        Ok(())
    }

    /// What the run came to stays on the terminal.
    fn finished(&mut self, summary: &Summary) -> Result {
        self.close();
        let mut log = PlainLog::new(stderr(), 1);
        log.started(&self.run)?;
        log.finished(summary)
    }
}

/// Draws until there is nobody to tell anything, or the terminal fails: then the run goes on
/// without a view.
fn draw(mut terminal: Terminal, mut screen: Screen, told: &Receiver<News>) {
    let mut drawn: Option<Instant> = None;
    loop {
        let mut changed = false;
        loop {
            match told.try_recv() {
                Ok(News::Started(run)) => screen.started(run),
                Ok(News::Step(record)) => screen.step(&record),
                Ok(News::Validated(record)) => screen.validated(&record),
                Ok(News::Saved(path)) => screen.saved(path),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
            changed = true;
        }
        changed |= screen.stopping(interrupt::requested());
        if changed || drawn.is_none_or(|drawn| drawn.elapsed() >= TICK) {
            if terminal.draw(&screen).is_err() {
                return;
            }
            drawn = Some(Instant::now());
        }
        match event::poll(ANSWER).and_then(|ready| ready.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) if key.is_press() => answer(key),
            Ok(Some(Event::Resize(..))) => drawn = None,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Ctrl-C does what it does without a view, though it comes as a key.
fn answer(key: KeyEvent) {
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => interrupt::request(),
        KeyCode::Char('q') if !interrupt::requested() => interrupt::request(),
        _ => {}
    }
}
