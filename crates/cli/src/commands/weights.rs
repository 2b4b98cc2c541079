//! `masklet weights`: looking into checkpoint files, converting and averaging them.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Subcommand, ValueEnum};
use masklet_model::config::Preset;
use masklet_model::weights::{Checkpoint, Precision, Summary, WeightsError, average, convert};
use masklet_model::{Compute, LoadedModel};
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::output::{path_in_report, print_json, print_line};

/// Look into checkpoint files, convert and average them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet weights inspect sam2.1_hiera_tiny.pt
  masklet weights convert sam2.1_hiera_tiny.pt --dtype bf16 -o tiny.safetensors
  masklet weights convert runs/lite/last.safetensors --dtype f16 --model lite -o lite.safetensors
  masklet weights average last.safetensors before.safetensors --shares 0.6,0.4 -o average.safetensors")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show which model a checkpoint holds, its size, and its modules.
    Inspect {
        /// Checkpoint file, `.pt` or `.safetensors`.
        file: PathBuf,
    },
    /// Write a checkpoint as safetensors with the same names.
    Convert {
        /// Checkpoint file, `.pt` or `.safetensors`.
        file: PathBuf,
        #[command(flatten)]
        to: Target,
        /// Write it as this model, whose tensors it must have: for one that was trained at another
        /// input size.
        #[arg(long, value_name = "NAME")]
        model: Option<Preset>,
    },
    /// Average the weights of files of one network, such as the stages of a training run.
    ///
    /// Names and configuration are those of the first file.
    Average {
        /// Two or more checkpoint files, `.pt` or `.safetensors`.
        #[arg(required = true, num_args = 2.., value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How much each file counts, in relation to the others; all alike without it.
        #[arg(long, value_delimiter = ',', value_name = "SHARE,SHARE,…")]
        shares: Vec<f64>,
        #[command(flatten)]
        to: Target,
    },
}

/// The file that is written.
#[derive(clap::Args)]
struct Target {
    /// Number format to write.
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DtypeName,
    /// The file to write.
    #[arg(short, long, value_name = "FILE.safetensors")]
    output: PathBuf,
}

/// Number formats on disk.
#[derive(Clone, Copy, ValueEnum)]
enum DtypeName {
    /// 32 bits.
    F32,
    /// 16 bits, IEEE half precision.
    F16,
    /// 16 bits, bfloat16.
    Bf16,
}

impl From<DtypeName> for Precision {
    fn from(name: DtypeName) -> Self {
        match name {
            DtypeName::F32 => Self::F32,
            DtypeName::F16 => Self::F16,
            DtypeName::Bf16 => Self::Bf16,
        }
    }
}

/// What was written.
#[derive(Serialize)]
struct Written {
    #[serde(serialize_with = "path_in_report")]
    output: PathBuf,
    tensors: usize,
    parameters: u64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.action {
        Action::Inspect { file } => {
            let summary = Summary::of(&Checkpoint::open(file)?);
            if global.json {
                print_json(&summary)
            } else {
                print_line(summary.to_string().trim_end())
            }
        }
        Action::Convert { file, to, model } => {
            let precision = to.dtype.into();
            let checkpoint = Checkpoint::open(file)?;
            match model {
                None => convert(&checkpoint, &to.output, precision)?,
                Some(model) => {
                    let config = model.config();
                    let mut loaded =
                        LoadedModel::from_checkpoint(&checkpoint, &config, &Compute::default())
                            .map_err(Failure::failed)?;
                    loaded.preset = Some(*model);
                    loaded.save(&to.output, &config, precision)?;
                }
            }
            report(&to.output, &checkpoint, global)
        }
        Action::Average { files, shares, to } => {
            let shares = match shares.len() {
                0 => vec![1.0; files.len()],
                count if count == files.len() => shares.clone(),
                count => {
                    return Err(Failure::usage(anyhow!(
                        "--shares has {count} numbers for {} files; give one for each file, or leave it out",
                        files.len()
                    )));
                }
            };
            let checkpoints: Vec<_> = files
                .iter()
                .zip(shares)
                .map(|(file, share)| Ok((Checkpoint::open(file)?, share)))
                .collect::<Result<_, WeightsError>>()?;
            average(&checkpoints, &to.output, to.dtype.into())?;
            match checkpoints.first() {
                Some((first, _)) => report(&to.output, first, global),
                None => Ok(()),
            }
        }
    }
}

/// Says what was written: a file with the tensors of `checkpoint`.
fn report(output: &Path, checkpoint: &Checkpoint, global: &Global) -> Result<(), Failure> {
    let written = Written {
        output: output.to_owned(),
        tensors: checkpoint.len(),
        parameters: checkpoint.parameter_count(),
    };
    if global.json {
        print_json(&written)
    } else if global.quiet {
        Ok(())
    } else {
        print_line(&format!(
            "{}: {} tensors",
            written.output.display(),
            written.tensors
        ))
    }
}
