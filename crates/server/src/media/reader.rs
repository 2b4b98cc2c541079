//! A decoder that several requests share. Going back costs a decoder much, so those that wait are
//! served in the order of their frames, from the last one on.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use masklet_media::{FrameSource, Result, RgbImage};

/// Who waits, and where the decoder is.
#[derive(Debug, Default)]
struct Line {
    /// How many wait for each frame.
    waiting: BTreeMap<u32, usize>,
    /// The frame after the last one that was read.
    next: u32,
    busy: bool,
}

impl Line {
    /// The frame to be read next: the first one that needs no way back, or else the first.
    fn turn(&self) -> Option<u32> {
        let ahead = self.waiting.range(self.next..).next();
        ahead
            .or_else(|| self.waiting.first_key_value())
            .map(|(frame, _)| *frame)
    }

    fn leave(&mut self, frame: u32) {
        if let Some(count) = self.waiting.get_mut(&frame) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&frame);
            }
        }
    }
}

/// A decoder with a line before it.
pub(super) struct Reader {
    line: Mutex<Line>,
    moved: Condvar,
    source: Mutex<Box<dyn FrameSource>>,
}

impl Reader {
    pub(super) fn new(source: Box<dyn FrameSource>) -> Self {
        Self {
            line: Mutex::default(),
            moved: Condvar::new(),
            source: Mutex::new(source),
        }
    }

    /// A frame, when it is its turn; `None` past the last one.
    pub(super) fn read(&self, frame: u32) -> Result<Option<RgbImage>> {
        let mut line = lock(&self.line);
        *line.waiting.entry(frame).or_default() += 1;
        while line.busy || line.turn() != Some(frame) {
            line = self
                .moved
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        line.leave(frame);
        line.busy = true;
        drop(line);
        let _turn = Turn(self, frame);
        lock(&self.source).frame(frame as usize)
    }
}

/// Somebody reads; the next one is let in also if that panics.
struct Turn<'a>(&'a Reader, u32);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Self(reader, frame) = self;
        let mut line = lock(&reader.line);
        line.busy = false;
        line.next = frame.saturating_add(1);
        drop(line);
        reader.moved.notify_all();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Frames that are handed out one by one, and a list of those that were read.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<usize>>>);

    impl FrameSource for Slow {
        fn dimensions(&self) -> (u32, u32) {
            (2, 2)
        }

        fn frame_count(&self) -> Option<usize> {
            None
        }

        fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
            lock(&self.1).push(index);
            let _ = self.0.recv();
            Ok(None)
        }
    }

    #[test]
    fn those_who_wait_are_served_in_the_order_of_frames() {
        let (go, held) = channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let reader = Reader::new(Box::new(Slow(held, Arc::clone(&read))));
        std::thread::scope(|scope| {
            let ask = |frame| {
                let reader = &reader;
                scope.spawn(move || reader.read(frame).unwrap());
            };
            ask(5);
            while lock(&read).is_empty() {
                std::thread::yield_now();
            }
            for frame in [9, 2, 7, 3, 7] {
                ask(frame);
            }
            let waiting = || lock(&reader.line).waiting.values().sum::<usize>();
            while waiting() < 5 {
                std::thread::yield_now();
            }
            for _ in 0..6 {
                go.send(()).unwrap();
            }
        });
        // The second 7 needs a way back.
        assert_eq!(*lock(&read), [5, 7, 9, 2, 3, 7]);
    }
}
