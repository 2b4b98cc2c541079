//! `masklet annotate`.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use masklet_engine::import::Arrival;
use masklet_server::{Server, ServerOptions, StartError};
use serde_json::json;

use super::engine::ChosenModel;
use super::engine::import::{check_paths, open_or_create, refusals, take_in};
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::{Global, interrupt};

/// Annotate videos in a browser, alone or with others.
///
/// Starts a server for a project, which is made if there is none, prints its address and opens it in
/// the browser. Everything is stored at once: stop the server whenever you like, with Ctrl-C or by
/// force. docs/data-engine.md walks through it; scripts use the same API (docs/annotate-api.md).
///
/// Only this machine can reach the server, unless --host says otherwise. Whoever has the printed
/// address owns the project; others get tokens of their own, on the page or by `masklet engine users
/// --token`.
///
/// Without --model and --weights, the model is the project's: the one that was chosen last, or that
/// `masklet engine train` made since. A new project has lite, the small one inside this program.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet annotate my_project/ --import clips/*.mp4
  masklet annotate my_project/ --host 0.0.0.0 --token \"$(openssl rand -hex 16)\" --name lab.example.org")]
pub(crate) struct Args {
    /// The project's folder.
    project: PathBuf,
    /// Take in videos and data sets first; those that are there already are passed over.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    import: Vec<PathBuf>,
    /// The address to listen on. One that others can reach needs --token.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Server"
    )]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8765,
        help_heading = "Server"
    )]
    port: u16,
    /// The token of the project's owner: 16 or more letters, digits, - and _ [default: a new one].
    #[arg(long, value_name = "TOKEN", help_heading = "Server")]
    token: Option<String>,
    /// A name by which browsers reach the server, beside addresses and localhost; can be given
    /// several times.
    #[arg(long = "name", value_name = "NAME", help_heading = "Server")]
    names: Vec<String>,
    /// Do not open the browser.
    #[arg(long, help_heading = "Server")]
    no_open: bool,
    #[command(flatten)]
    model: ModelArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let options = ServerOptions {
        host: args.host,
        port: args.port,
        token: args.token.clone(),
        names: args.names.clone(),
        ..ServerOptions::default()
    };
    options.check()?;
    check_paths(&args.import)?;
    let project = open_or_create(&args.project, None, None)?;
    let owner = project.owner()?.id;
    let imported = take_in(&project, owner, &args.import, Arrival::Satisfactory, global);
    for refused in refusals(&imported) {
        // Those of the last start are there already.
        eprintln!("note: {refused}");
    }
    let chosen = ChosenModel::of(&args.model, &project, global)?;
    let model = chosen.load(&args.model, global)?;
    let facts = chosen.facts;
    project.use_model(owner, &facts)?;
    let server = Server::bind(project, &model, facts, &options)?;
    interrupt::listen("request").map_err(Failure::failed)?;
    announce(&server.url(), global)?;
    if !args.no_open {
        open_browser(&server.url());
    }
    server.run(interrupt::requested).map_err(Failure::failed)
}

/// Prints the address, for people and for programs that wait for it.
fn announce(url: &str, global: &Global) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let told = match global.json {
        true => writeln!(out, "{}", json!({ "url": url })),
        false => writeln!(out, "{url}"),
    };
    told.and_then(|()| out.flush()).map_err(Failure::failed)
}

/// Opens an address in the browser. Where there is none, the address was printed.
fn open_browser(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(program);
    command
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.spawn().is_err() {
        eprintln!("note: there is no browser to open: copy the address into one");
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NeedsToken { .. } | StartError::BadToken { .. } => Self::usage(error),
            StartError::Project(error) => error.into(),
            _ => Self::failed(error),
        }
    }
}
