//! A running ffmpeg.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::watchdog::Watched;
use super::{FfmpegTools, ONE_FILE};
use crate::RgbImage;
use crate::frames::sequential::Pictures;
use crate::frames::stream::pictures::PictureReader;

/// Time for decoding a frame that is not handed over: so slow is only a very large one on a busy machine.
const PASSED_FRAME: Duration = Duration::from_secs(1);

/// An ffmpeg that writes frames as PPM pictures. It is ended and reaped when dropped.
pub(super) struct Process {
    program: Watched,
    /// How long the next picture may take.
    patience: Duration,
    /// How long those after it may take.
    usual_patience: Duration,
    pictures: PictureReader<ChildStdout>,
    /// Collects the last messages.
    messages: Option<JoinHandle<String>>,
    /// The messages of a run that ended well all the same.
    complaint: Option<String>,
}

impl Process {
    /// Starts the program for the frames of `video` from number `start` on.
    ///
    /// # Errors
    /// If the program cannot be started; [`io::ErrorKind::NotFound`] if there is none.
    pub(super) fn start(tools: &FfmpegTools, video: &Path, start: usize) -> io::Result<Self> {
        let mut child = Command::new(&tools.ffmpeg)
            .args(arguments(video, start))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let Some((stdout, stderr)) = pipes else {
            return Err(io::Error::other("its output cannot be read"));
        };
        // What comes before the first picture is decoded in silence.
        let passed = u32::try_from(start).unwrap_or(u32::MAX);
        Ok(Self {
            program: Watched::new(child),
            patience: tools
                .patience
                .saturating_add(PASSED_FRAME.saturating_mul(passed)),
            usual_patience: tools.patience,
            pictures: PictureReader::new(stdout),
            // Read all the time: a full pipe would stop the program.
            messages: Some(std::thread::spawn(move || last_messages(stderr))),
            complaint: None,
        })
    }

    /// What the program complained of although it ended well.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Waits for the end of the program and says how it went.
    fn outcome(&mut self) -> Result<(), String> {
        let ended = |program: &Watched| program.wait().map_err(|error| error.to_string());
        let status = self.program.within(self.usual_patience, ended)?;
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        let messages = messages.map(|messages| messages.trim().to_owned());
        let messages = messages.filter(|messages| !messages.is_empty());
        match (status.success(), messages) {
            (true, messages) => {
                self.complaint = messages;
                Ok(())
            }
            (false, Some(messages)) => Err(format!("ffmpeg ended with {status}: {messages}")),
            (false, None) => Err(format!("ffmpeg ended with {status}")),
        }
    }
}

impl Pictures for Process {
    fn next_picture(&mut self) -> Result<Option<RgbImage>, String> {
        let pictures = &mut self.pictures;
        let next = self
            .program
            .within(self.patience, |_| pictures.next_picture());
        self.patience = self.usual_patience;
        match next {
            Ok(None) => self.outcome().map(|()| None),
            Ok(picture) => Ok(picture),
            Err(reason) => {
                // Whatever it was about to write is of no use any more.
                self.program.end();
                Err(reason)
            }
        }
    }
}

/// `path` as ffmpeg's name for a file: never an option, nor an address with a protocol.
pub(super) fn file_argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

fn arguments(video: &Path, start: usize) -> Vec<OsString> {
    // Every frame is stamped anew, at an even rate, so that none is doubled or dropped to
    // keep time. Frames before the first are not converted or written.
    let filter = format!("select='gte(n,{start})',settb=AVTB,setpts=N/25/TB");
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    // An error ends ffmpeg, which otherwise hands out frames with damage in them.
    add(&["-nostdin", "-hide_banner", "-loglevel", "error", "-xerror"]);
    add(&ONE_FILE);
    add(&["-i"]);
    arguments.push(file_argument(video));
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    // The first video stream; with a capital V, not a cover picture.
    add(&["-map", "0:V:0", "-vf", &filter, "-r", "25"]);
    add(&[
        "-f",
        "image2pipe",
        "-c:v",
        "ppm",
        "-pix_fmt",
        "rgb24",
        "pipe:1",
    ]);
    arguments
}

/// The last part of what a program says, read to its end.
fn last_messages(mut stderr: impl Read) -> String {
    const KEPT: usize = 2000;
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..read]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Name and version as the program states them.
///
/// # Errors
/// Why it cannot be run.
pub(super) fn version(program: &Path) -> Result<String, String> {
    let name = program
        .file_name()
        .unwrap_or(OsStr::new("ffmpeg"))
        .to_string_lossy();
    let output = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} was not found on the PATH ({error})"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split_whitespace().nth(2).unwrap_or_default();
    Ok(format!("{name} {number}").trim_end().to_owned())
}
