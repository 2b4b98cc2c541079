//! `masklet weights`: looking into checkpoint files, and converting them.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use masklet_model::config::Preset;
use masklet_model::weights::{Checkpoint, Precision, Summary, convert};
use masklet_model::{Compute, LoadedModel};
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::output::{path_in_report, print_json, print_line};

/// Look into checkpoint files, and convert them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet weights inspect sam2.1_hiera_tiny.pt
  masklet weights convert sam2.1_hiera_tiny.pt --dtype bf16 -o tiny.safetensors
  masklet weights convert runs/lite/last.safetensors --dtype f16 --model lite -o lite.safetensors")]
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
        /// Number format to write.
        #[arg(long, value_enum, default_value = "f32")]
        dtype: DtypeName,
        /// Write it as this model, whose tensors it must have: for one that was trained at another
        /// input size.
        #[arg(long, value_name = "NAME")]
        model: Option<Preset>,
        /// The file to write.
        #[arg(short, long, value_name = "FILE.safetensors")]
        output: PathBuf,
    },
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

/// What was converted.
#[derive(Serialize)]
struct Conversion {
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
        Action::Convert {
            file,
            dtype,
            model,
            output,
        } => {
            let precision = match dtype {
                DtypeName::F32 => Precision::F32,
                DtypeName::F16 => Precision::F16,
                DtypeName::Bf16 => Precision::Bf16,
            };
            let checkpoint = Checkpoint::open(file)?;
            match model {
                None => convert(&checkpoint, output, precision)?,
                Some(model) => {
                    let config = model.config();
                    let mut loaded =
                        LoadedModel::from_checkpoint(&checkpoint, &config, &Compute::default())
                            .map_err(Failure::failed)?;
                    loaded.preset = Some(*model);
                    loaded.save(output, &config, precision)?;
                }
            }
            let done = Conversion {
                output: output.clone(),
                tensors: checkpoint.names().count(),
                parameters: checkpoint.parameter_count(),
            };
            if global.json {
                print_json(&done)
            } else if global.quiet {
                Ok(())
            } else {
                print_line(&format!(
                    "{}: {} tensors",
                    done.output.display(),
                    done.tensors
                ))
            }
        }
    }
}
