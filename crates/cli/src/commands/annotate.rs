//! `masklet annotate`.

mod browser;
mod owner_token;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use masklet_engine::import::Arrival;
use masklet_server::{Server, ServerOptions, StartError};
use serde_json::json;

use super::engine::ChosenModel;
use super::engine::import::{check_paths, open_or_create, refusals, take_in};
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::{Global, interrupt};
use owner_token::OwnerToken;

/// Annotate videos in a browser, alone or with others.
///
/// Starts a server for a project, which is made if there is none, prints its address and opens it in
/// the browser. Everything is stored at once: stop the server whenever you like, with Ctrl-C or by
/// force. docs/data-engine.md walks through it; scripts use the same API (docs/annotate-api.md).
///
/// Only this machine can reach the server, unless --host says otherwise. Whoever has the printed
/// address owns the project; others get tokens of their own, on the page or by `masklet engine users
/// --token`. Who gives the owner's token by --token-file, MASKLET_TOKEN or --token knows it: the
/// address is printed without it then.
///
/// Without --model and --weights, the model is the project's: the one that was chosen last, or that
/// `masklet engine train` made since. A new project has lite, the small one inside this program.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet annotate my_project/ --import clips/*.mp4
  masklet annotate my_project/ --host 0.0.0.0 --token-file owner_token --name lab.example.org")]
pub(crate) struct Args {
    /// The project's folder.
    project: PathBuf,
    /// Take in videos and data sets first; those that are there already are passed over.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    import: Vec<PathBuf>,
    /// The address to listen on. One that others can reach needs a token.
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
    #[command(flatten)]
    token: OwnerToken,
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
    let token = args.token.read()?;
    let told = token.is_some();
    let options = ServerOptions {
        host: args.host,
        port: args.port,
        token,
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
    // What is printed is kept in logs: a token that was given is good after this server, too.
    let address = match told {
        true => server.url(),
        false => server.url_with_token(),
    };
    announce(&address, global)?;
    // Kept until the server ends.
    let _page = match args.no_open {
        true => None,
        false => browser::open(&server.url_with_token()),
    };
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

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NeedsToken { .. } | StartError::BadToken { .. } => Self::usage(error),
            StartError::Project(error) => error.into(),
            _ => Self::failed(error),
        }
    }
}
