//! Opening the page in a browser.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::owner_token;

/// Opens an address with a token in the browser; where there is none, says so. What is returned must
/// be kept while the browser may need it.
///
/// All users of a machine see the arguments of all programs: the browser gets the name of a file that
/// only its owner can read, and that leads to the address.
pub(super) fn open(url: &str) -> Option<TempDir> {
    let opened = lead_to(url).and_then(|(folder, page)| {
        let program = if cfg!(target_os = "macos") {
            "open"
        } else if cfg!(windows) {
            "explorer"
        } else {
            "xdg-open"
        };
        Command::new(program)
            .arg(page)
            .env_remove(owner_token::VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(folder)
    });
    match opened {
        Ok(folder) => Some(folder),
        Err(_) => {
            eprintln!("note: there is no browser to open: copy the address into one");
            None
        }
    }
}

/// Writes a page that leads to an address, into a folder of its own.
fn lead_to(url: &str) -> io::Result<(TempDir, PathBuf)> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("masklet-");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::fs::Permissions;
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        folder.permissions(Permissions::from_mode(0o700));
        options.mode(0o600);
    }
    let folder = folder.tempdir()?;
    let page = folder.path().join("open.html");
    // Neither addresses nor tokens have characters that mean something in HTML.
    let text = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>masklet</title>\n\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n<a href=\"{url}\">masklet</a>\n"
    );
    options.open(&page)?.write_all(text.as_bytes())?;
    Ok((folder, page))
}
