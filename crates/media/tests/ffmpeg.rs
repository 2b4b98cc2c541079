//! The pipe to ffmpeg, with scripts in its place that do what it might do.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use masklet_media::frames::FfmpegTools;
use masklet_media::{FfmpegVideo, FrameSource, MediaError, RgbImage};

/// A folder with a video (of no particular content) and stand-ins for the two programs.
struct Stage {
    folder: tempfile::TempDir,
    video: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("-clip of mine.webm");
        std::fs::write(&video, "content").unwrap();
        Self { folder, video }
    }

    fn program(&self, name: &str, body: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let source = path.with_extension("sh");
        std::fs::write(&source, format!("#!/bin/sh\n{body}\n")).unwrap();
        // Another process writes it: a file that a test beside this one inherits open for
        // writing could not be run.
        let copied = Command::new("cp").arg(&source).arg(&path).status();
        assert!(copied.unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// `ffmpeg` that notes its arguments and its number, then runs `body`. In it, `frame N`
    /// writes a picture of 2x1 pixels of level N, and `$start` is the first frame asked for.
    fn tools(&self, body: &str) -> FfmpegTools {
        let folder = self.folder.path().display();
        let ffmpeg = self.program(
            "ffmpeg",
            &format!(
                r#"echo $$ >> "{folder}/pids"
for argument; do echo "$argument" >> "{folder}/arguments"; done
start=$(tail -n 14 "{folder}/arguments" | sed -n "s/.*gte(n,\([0-9]*\)).*/\1/p")
frame() {{ printf 'P6\n2 1\n255\n'; for i in 1 2 3 4 5 6; do printf "\\$(printf %03o $1)"; done; }}
{body}"#
            ),
        );
        FfmpegTools {
            ffmpeg,
            ffprobe: self.folder.path().join("no-ffprobe"),
            patience: Duration::from_secs(60),
        }
    }

    fn open(&self, body: &str) -> masklet_media::Result<FfmpegVideo> {
        FfmpegVideo::open_with(self.tools(body), &self.video)
    }

    fn noted(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Six frames with levels 10, 11, …
const SIX_FRAMES: &str = "n=$start; while [ $n -lt 6 ]; do frame $((10 + n)); n=$((n + 1)); done";

fn level(frame: Option<RgbImage>) -> Option<u8> {
    frame.map(|frame| frame.pixels()[0])
}

fn is_running(pid: &str) -> bool {
    let asked = Command::new("kill")
        .args(["-0", pid])
        .stderr(Stdio::null())
        .status();
    asked.unwrap().success()
}

#[test]
fn frames_come_through_the_pipe_in_order() {
    let stage = Stage::new();
    let mut video = stage.open(SIX_FRAMES).unwrap();
    assert_eq!(video.dimensions(), (2, 1));
    assert_eq!((video.frame_count(), video.frame_rate()), (None, None));
    for index in 0..6 {
        assert_eq!(level(video.frame(index).unwrap()), Some(10 + index as u8));
    }
    assert!(video.frame(6).unwrap().is_none());
    assert_eq!(stage.noted("pids").len(), 1, "started once");
}

#[test]
fn going_back_starts_again_at_the_frame_asked_for() {
    let stage = Stage::new();
    let mut video = stage.open(SIX_FRAMES).unwrap();
    for index in [3, 3, 1, 2, 5, 0] {
        assert_eq!(
            level(video.frame(index).unwrap()),
            Some(10 + index as u8),
            "{index}"
        );
    }
    assert_eq!(stage.noted("pids").len(), 3);
    let filters: Vec<String> = stage
        .noted("arguments")
        .into_iter()
        .filter(|argument| argument.starts_with("select="))
        .collect();
    for (filter, start) in filters.iter().zip([0, 1, 0]) {
        assert!(filter.contains(&format!("gte(n,{start})")), "{filter}");
    }
}

#[test]
fn a_program_that_hangs_is_ended() {
    let stage = Stage::new();
    // Its first frame, and no more; ffprobe says nothing at all.
    let tools = FfmpegTools {
        ffprobe: stage.program("ffprobe", "exec sleep 1000"),
        patience: Duration::from_secs(3),
        ..stage.tools("frame 10; frame 11; exec sleep 1000")
    };
    let mut video = FfmpegVideo::open_with(tools, &stage.video).unwrap();
    assert_eq!(level(video.frame(0).unwrap()), Some(10));
    assert_eq!(level(video.frame(1).unwrap()), Some(11));
    let error = video.frame(2).unwrap_err().to_string();
    assert!(
        error.contains("frame 2") && error.contains("nothing for 3 s"),
        "{error}"
    );
    for pid in stage.noted("pids") {
        assert!(!is_running(&pid), "{pid} was left running");
    }
}

#[test]
fn the_file_is_one_argument_and_never_an_option() {
    let stage = Stage::new();
    drop(stage.open(SIX_FRAMES).unwrap());
    let arguments = stage.noted("arguments");
    let input = arguments
        .iter()
        .position(|argument| argument == "-i")
        .unwrap();
    assert_eq!(
        arguments[input + 1],
        format!("file:{}", stage.video.display())
    );
    // Nor a list of other files.
    let before = &arguments[..input];
    for (option, value) in [
        ("-protocol_whitelist", "file"),
        ("-format_whitelist", "mov,"),
    ] {
        let at = before
            .iter()
            .position(|argument| argument == option)
            .unwrap();
        assert!(before[at + 1].contains(value), "{before:?}");
        for list in ["hls", "concat", "dash", "sdp"] {
            assert!(
                !before[at + 1].split(',').any(|name| name == list),
                "{before:?}"
            );
        }
    }
}

#[test]
fn a_failure_after_some_frames_names_the_next() {
    let stage = Stage::new();
    let mut video = stage
        .open("frame 10; frame 11; frame 12; echo 'Invalid data found' >&2; exit 3")
        .unwrap();
    for index in 0..3 {
        assert_eq!(level(video.frame(index).unwrap()), Some(10 + index as u8));
    }
    for _ in 0..2 {
        let error = video.frame(3).unwrap_err();
        assert!(
            matches!(error, MediaError::Frame { frame: 3, .. }),
            "{error}"
        );
        let message = error.to_string();
        for part in [
            "frame 3",
            "clip of mine.webm",
            "exit status: 3",
            "Invalid data found",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_frame_cut_off_names_itself_whatever_the_exit_code() {
    for ending in ["exit 0", "exit 1", "kill -9 $$"] {
        let stage = Stage::new();
        let body = format!("frame 10; frame 11 | head -c 13; {ending}");
        let mut video = stage.open(&body).unwrap();
        assert_eq!(level(video.frame(0).unwrap()), Some(10));
        let error = video.frame(1).unwrap_err();
        assert!(
            matches!(error, MediaError::Frame { frame: 1, .. }),
            "{ending}: {error}"
        );
    }
}

#[test]
fn an_early_end_that_ffmpeg_only_mentions_is_an_error_too() {
    let stage = Stage::new();
    let probe = "echo avg_frame_rate=25/1; echo r_frame_rate=25/1; echo duration=";
    let open = |messages: &str, seconds: &str| {
        let mut tools = stage.tools(&format!("{SIX_FRAMES}; {messages}"));
        tools.ffprobe = stage.program("ffprobe", &format!("{probe}{seconds}"));
        FfmpegVideo::open_with(tools, &stage.video).unwrap()
    };
    let mut early = open("echo 'File ended prematurely' >&2", "10.0");
    assert!(early.frame(5).unwrap().is_some());
    let error = early.frame(6).unwrap_err();
    assert!(
        matches!(error, MediaError::Frame { frame: 6, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("File ended prematurely"),
        "{error}"
    );
    assert!(early.frame(0).unwrap().is_some());
    // Neither a message nor a short video is one by itself.
    let mut complete = open("echo 'something of no importance' >&2", "0.24");
    assert!(complete.frame(6).unwrap().is_none());
    assert!(open(":", "10.0").frame(6).unwrap().is_none());
}

#[test]
fn a_file_that_ffmpeg_cannot_read_says_what_ffmpeg_said() {
    let stage = Stage::new();
    let refused = stage
        .open("echo 'moov atom not found' >&2; exit 1")
        .err()
        .unwrap();
    assert!(matches!(refused, MediaError::NotAVideo { .. }), "{refused}");
    assert!(
        refused.to_string().contains("moov atom not found"),
        "{refused}"
    );
    let empty = stage.open("exit 0").err().unwrap();
    assert!(
        empty.to_string().contains("before its first frame"),
        "{empty}"
    );
}

#[test]
fn without_ffmpeg_the_message_says_what_to_install() {
    let stage = Stage::new();
    let tools = FfmpegTools {
        ffmpeg: stage.folder.path().join("nowhere"),
        ffprobe: stage.folder.path().join("nowhere"),
        ..FfmpegTools::default()
    };
    let error = FfmpegVideo::open_with(tools.clone(), &stage.video)
        .err()
        .unwrap();
    assert!(matches!(error, MediaError::NoFfmpeg { .. }), "{error}");
    let message = error.to_string();
    for part in ["clip of mine.webm", "install", "apt install ffmpeg"] {
        assert!(message.contains(part), "{message}");
    }
    let missing = stage.folder.path().join("nothing.webm");
    let error = FfmpegVideo::open_with(tools, missing).err().unwrap();
    assert!(matches!(error, MediaError::Read { .. }), "{error}");
}

#[test]
fn no_process_is_left_behind() {
    let stage = Stage::new();
    // It would go on for ever, and fills the pipe for messages too.
    let endless = "while :; do frame 10; echo 'a message that nobody waits for' >&2; done";
    let mut video = stage.open(endless).unwrap();
    assert_eq!(level(video.frame(2000).unwrap()), Some(10));
    assert!(video.frame(0).unwrap().is_some());
    drop(video);
    let pids = stage.noted("pids");
    assert_eq!(pids.len(), 2);
    assert!(!pids.iter().any(|pid| is_running(pid)), "reaped: {pids:?}");
}

#[test]
fn rates_and_times_come_from_ffprobe() {
    let stage = Stage::new();
    let with_probe = |body: &str| {
        let mut tools = stage.tools(SIX_FRAMES);
        tools.ffprobe = stage.program("ffprobe", body);
        FfmpegVideo::open_with(tools, &stage.video).unwrap()
    };
    let constant = with_probe(
        "echo r_frame_rate=30000/1001; echo avg_frame_rate=30000/1001; echo nb_frames=6",
    );
    assert_eq!(constant.frame_rate().unwrap().to_string(), "29.97");
    assert_eq!(constant.frame_count(), Some(6));
    assert_eq!(
        constant.presentation_time(3),
        Some(Duration::from_nanos(100_100_000))
    );

    let variable = with_probe(
        "case $* in *packet=*) printf '0.5\\n0.9,\\n0.54\\nN/A\\n';; \
         *) echo r_frame_rate=25/1; echo avg_frame_rate=5/1; echo nb_frames=N/A;; esac",
    );
    assert_eq!(variable.frame_count(), None);
    let times: Vec<_> = (0..4)
        .map(|index| variable.presentation_time(index))
        .collect();
    let milliseconds = [Some(0), Some(40), Some(400), None];
    assert_eq!(
        times,
        milliseconds.map(|time| time.map(Duration::from_millis))
    );

    let silent = with_probe("exit 1");
    assert_eq!(
        (silent.frame_rate(), silent.presentation_time(0)),
        (None, None)
    );
}
