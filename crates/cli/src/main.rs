//! The `masklet` command.

mod allocator;
mod commands;
mod device;
mod failure;
mod fetching;
mod interrupt;
mod model_args;
mod output;
mod progress;
mod prompts;
mod results;
mod scene;
mod video_input;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Promptable segmentation of images and video: SAM 2 in Rust.
///
/// Mark an object once, with a click, a box or a mask, and get its mask on a picture or on every
/// frame of a video.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// What every command understands.
#[derive(clap::Args, Clone)]
struct Global {
    /// Where to compute.
    #[arg(long, global = true, value_enum, default_value = "cpu")]
    device: device::DeviceName,
    /// Threads to use. By default one for each core.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print results on standard output as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Print nothing but errors and results asked for.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more about what is done and how long it takes.
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// See it work: track an object in a clip that is part of this program.
    Demo(commands::demo::Args),
    /// Segment an object on a picture.
    Image(Box<commands::image::Args>),
    /// Track objects through a video.
    Video(Box<commands::video::Args>),
    /// Find everything on a picture, or in a video and track it.
    Everything(Box<commands::everything::Args>),
    /// Measure how fast this machine segments and tracks.
    Bench(commands::bench::Args),
    /// Look into data sets.
    Data(commands::data::Args),
    /// Evaluate models and predictions with the benchmarks' own metrics.
    Eval(commands::eval::Args),
    /// Train or fine-tune a model.
    Train(commands::train::Args),
    /// Annotate videos in a browser, alone or with others.
    Annotate(Box<commands::annotate::Args>),
    /// The data engine: annotate, verify, count and export the masklets of a project.
    Engine(Box<commands::engine::Args>),
    /// Look into checkpoint files, and convert them.
    Weights(commands::weights::Args),
    /// List the models by name, and fetch official ones ahead of use.
    Models(commands::models::Args),
    /// Check this machine and this program, and say what to do about what is wrong.
    Doctor(commands::doctor::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { command, global } = commands::video::resumed(cli)?;
    allocator::keep_freed_pages();
    if let Some(threads) = global.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .map_err(Failure::failed)?;
    }
    if global.quiet {
        fetching::be_quiet();
    }
    match command {
        Command::Demo(args) => commands::demo::run(args, &global),
        Command::Image(args) => commands::image::run(&args, &global),
        Command::Video(args) => commands::video::run(&args, &global),
        Command::Everything(args) => commands::everything::run(&args, &global),
        Command::Bench(args) => commands::bench::run(&args, &global),
        Command::Data(args) => commands::data::run(&args, &global),
        Command::Eval(args) => commands::eval::run(&args, &global),
        Command::Train(args) => commands::train::run(&args, &global),
        Command::Annotate(args) => commands::annotate::run(&args, &global),
        Command::Engine(args) => commands::engine::run(&args, &global),
        Command::Weights(args) => commands::weights::run(&args, &global),
        Command::Models(args) => commands::models::run(&args, &global),
        Command::Doctor(args) => commands::doctor::run(&args, &global),
    }
}
