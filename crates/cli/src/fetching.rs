//! Official models by name: what is shown while one is fetched, and what is said when it cannot be.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use masklet::Official;
use masklet::hub::{FetchEvent, Hub};

use crate::failure::Failure;
use crate::progress::{Progress, megabytes};

/// Whether nothing is shown. Models are loaded in many places, and `-q` is the same for all.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Says, once at the start, that nothing is to be shown of downloads.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// The hub that the environment describes.
pub(crate) fn hub(offline: bool) -> Result<Hub, Failure> {
    let hub = Hub::from_env().map_err(Failure::usage)?;
    let offline = offline || hub.is_offline();
    Ok(hub.offline(offline))
}

/// The checkpoint of an official model, from the cache or from its repository.
pub(crate) fn fetch(preset: Official, offline: bool) -> Result<PathBuf, Failure> {
    let hub = hub(offline)?;
    let mut display = Display::new(&hub, preset, QUIET.load(Ordering::Relaxed));
    let fetched = hub.fetch(preset, |event| display.show(event));
    display.end_bar();
    fetched.map_err(|error| {
        Failure::failed(anyhow!(
            "cannot get {preset} by its name: {error}. To do without: download {} by hand, on any \
             machine, and pass it with --weights FILE",
            // Whatever mirror was tried, this is where it is published.
            Hub::new(hub.cache()).url(preset)
        ))
    })
}

/// What is seen of a download.
struct Display {
    preset: Official,
    from: String,
    into: PathBuf,
    quiet: bool,
    announced: bool,
    bar: Option<Progress>,
}

impl Display {
    fn new(hub: &Hub, preset: Official, quiet: bool) -> Self {
        Self {
            preset,
            from: hub.url(preset),
            into: hub.cache().to_owned(),
            quiet,
            announced: false,
            bar: None,
        }
    }

    fn show(&mut self, event: FetchEvent) {
        let preset = self.preset;
        match event {
            FetchEvent::Received { bytes, total } => self.received(bytes, total),
            FetchEvent::Waiting => self.say(&format!("waiting: another process fetches {preset}")),
            FetchEvent::Retrying => self.say("the connection broke; asking for the rest"),
            FetchEvent::Verifying => self.say("verifying its checksum"),
            _ => {}
        }
    }

    fn received(&mut self, bytes: u64, total: u64) {
        if !self.announced {
            self.announced = true;
            let (size, from, into) = (megabytes(total), &self.from, self.into.display());
            let text = format!("fetching {} ({size}) from {from} into {into}", self.preset);
            self.say(&text);
        }
        let what = self.preset.name();
        let quiet = self.quiet;
        self.bar
            .get_or_insert_with(|| Progress::bytes(what, total, bytes, quiet))
            .reach(bytes);
    }

    /// Prints a line where no bar is in its way.
    fn say(&mut self, text: &str) {
        self.end_bar();
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}
