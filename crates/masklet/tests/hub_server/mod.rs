//! A hub on this machine: answers like the public one for a single file, or badly, as told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// The commit that the repository is at.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Longer than any test; the threads end with it.
const FOREVER: Duration = Duration::from_secs(3600);

/// How the server answers.
#[derive(Clone, Default)]
pub struct Answers {
    /// The file.
    pub content: Vec<u8>,
    /// SHA-256 to state in place of the file's own.
    pub stated_sha256: Option<String>,
    /// Every request for the file's address is answered with this status.
    pub status: Option<u16>,
    /// The first transfers, one after the other, break off after so many bytes.
    pub breaks: Vec<usize>,
    /// Whether those stay silent where they would break off.
    pub stalls: bool,
    /// After those, transfers are answered with this status.
    pub transfer_status: Option<u16>,
    /// Whether the whole file is sent whatever part is asked for.
    pub ignores_ranges: bool,
    /// Nothing is ever answered.
    pub silent: bool,
    /// Every address is answered with a web page.
    pub login_page: bool,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// A server that runs until the test ends.
pub struct HubServer {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

struct State {
    address: String,
    answers: Answers,
    breaks: Mutex<std::vec::IntoIter<usize>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl HubServer {
    pub fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let state = Arc::new(State {
            address: address.clone(),
            breaks: Mutex::new(answers.breaks.clone().into_iter()),
            answers,
            requests: Arc::clone(&requests),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client that goes away early is not the server's trouble.
                thread::spawn(move || state.answer(stream).ok());
            }
        });
        Self { address, requests }
    }

    pub fn serving(content: &[u8]) -> Self {
        Self::start(Answers {
            content: content.to_vec(),
            ..Answers::default()
        })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The ranges of the transfers, in order; looks at the file's size are left out.
    pub fn transfers(&self) -> Vec<String> {
        let all = self.requests().into_iter();
        all.filter(Request::is_transfer)
            .map(|request| request.range.unwrap())
            .collect()
    }
}

impl Request {
    fn is_transfer(&self) -> bool {
        self.path.starts_with("/storage/") && self.range.as_deref() != Some("bytes=0-0")
    }
}

impl State {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let request = read_request(&stream)?;
        self.requests.lock().unwrap().push(request.clone());
        let mut stream = &stream;
        let head = |status: u16, headers: &str| {
            format!("HTTP/1.1 {status} -\r\nConnection: close\r\n{headers}\r\n")
        };
        let answers = &self.answers;
        if answers.silent {
            thread::sleep(FOREVER);
            return Ok(());
        }
        if answers.login_page {
            let page = "<html>Please log in</html>";
            let length = format!("Content-Length: {}\r\n", page.len());
            return write!(stream, "{}{page}", head(200, &length));
        }
        if !request.path.starts_with("/storage/") {
            let status = answers.status.unwrap_or(302);
            let headers = format!(
                "Content-Length: 0\r\nX-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{}\"\r\n\
                 ETag: \"of-the-pointer\"\r\nLocation: {}/storage/blob\r\n",
                answers.sha256(),
                self.address
            );
            return write!(stream, "{}", head(status, &headers));
        }
        let broken = match request.is_transfer() {
            true => self.breaks.lock().unwrap().next(),
            false => None,
        };
        if let (true, None, Some(status)) = (request.is_transfer(), broken, answers.transfer_status)
        {
            return write!(stream, "{}", head(status, "Content-Length: 0\r\n"));
        }
        let size = answers.content.len();
        let (first, last) = match &request.range {
            Some(range) if !(answers.ignores_ranges && request.is_transfer()) => {
                parse_range(range, size)
            }
            _ => (0, size - 1),
        };
        let part = &answers.content[first..=last];
        let headers = format!(
            "Content-Length: {}\r\nContent-Range: bytes {first}-{last}/{size}\r\n",
            part.len()
        );
        write!(stream, "{}", head(206, &headers))?;
        stream.write_all(&part[..broken.unwrap_or(part.len())])?;
        if broken.is_some() && answers.stalls {
            thread::sleep(FOREVER);
        }
        Ok(())
    }
}

impl Answers {
    fn sha256(&self) -> String {
        let own = || format!("{:x}", Sha256::digest(&self.content));
        self.stated_sha256.clone().unwrap_or_else(own)
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut request = Request {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        range: None,
        authorization: None,
    };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(request)
}

/// `bytes=FIRST-` or `bytes=FIRST-LAST`, both included.
fn parse_range(range: &str, size: usize) -> (usize, usize) {
    let (first, last) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    (first.parse().unwrap(), last.parse().unwrap_or(size - 1))
}
