//! `masklet data`: looking into data sets, and making them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::{Subcommand, ValueEnum};
use masklet_data::generate::{self, GenerateOptions};
use masklet_data::inspect::{self, ImageCounts, Inspection, SheetOptions, Spread, VideoCounts};
use masklet_data::{Dataset, Masklets, ReadOptions, SkipReport};
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};
use crate::progress::Progress;

/// Look into data sets, and make pictures to train on.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet data inspect DAVIS/ --split 2017/val
  masklet data inspect coco/ --split val2017 --sheet coco.png
  masklet data inspect sa-v/ --masklets manual --json
  masklet data generate --images 1000 -o generated/")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what a folder is recognised as and what is in it, and draw a contact sheet.
    ///
    /// Recognised are DAVIS, MOSE, YouTube-VOS, LVOS, SA-V (training, validation, test), folders
    /// of frames and masks, SA-1B, COCO instances, and pictures with label maps.
    Inspect(InspectArgs),
    /// Make pictures with label maps by code, to train on without anybody's licence.
    ///
    /// Shapes with textures, parts, light, shadows and others of their kind, before one another. The
    /// same options give the same pictures; an interrupted run goes on.
    Generate(GenerateArgs),
}

#[derive(clap::Args)]
struct GenerateArgs {
    /// A new or empty folder, or that of an interrupted run with the same options.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// How many pictures.
    #[arg(long, value_name = "N", default_value_t = GenerateOptions::default().images)]
    images: usize,
    /// Width and height in pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "480x320", value_parser = size)]
    size: (u32, u32),
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Two numbers around an `x`.
fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x');
    let numbers =
        sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    numbers.ok_or_else(|| "width and height are accepted, such as 480x320".to_owned())
}

#[derive(clap::Args)]
struct InspectArgs {
    /// The data set's folder (or COCO's JSON file).
    path: PathBuf,
    /// Split to read: a list of DAVIS, a part of COCO, or a folder.
    #[arg(long)]
    split: Option<String>,
    /// Resolution of DAVIS to read [default: 480p].
    #[arg(long)]
    resolution: Option<String>,
    /// Masklets of SA-V training to read.
    #[arg(long, value_enum, default_value = "all")]
    masklets: MaskletKind,
    /// Look into at most N sequences or images, spread over the data set.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Where the contact sheet is written.
    #[arg(long, value_name = "FILE.png", default_value = "contact_sheet.png")]
    sheet: PathBuf,
    /// Draw no contact sheet.
    #[arg(long, conflicts_with = "sheet")]
    no_sheet: bool,
    /// Stop at the first sequence or image that cannot be used.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum MaskletKind {
    /// Both kinds.
    All,
    /// Those people drew or corrected.
    Manual,
    /// Those a model made.
    Auto,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.action {
        Action::Inspect(args) => inspect(args, global),
        Action::Generate(args) => generate(args, global),
    }
}

fn generate(args: &GenerateArgs, global: &Global) -> Result<(), Failure> {
    let options = GenerateOptions {
        images: args.images,
        size: args.size,
        seed: args.seed,
    };
    let progress = Mutex::new(Progress::new("picture", Some(args.images), global.quiet));
    let result = generate::write(&args.output, &options, &|| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.step();
    });
    let progress = progress.into_inner();
    progress.unwrap_or_else(PoisonError::into_inner).finish();
    Ok(result?)
}

fn inspect(args: &InspectArgs, global: &Global) -> Result<(), Failure> {
    let options = ReadOptions {
        split: args.split.clone(),
        resolution: args.resolution.clone(),
        labels: None,
        masklets: match args.masklets {
            MaskletKind::All => Masklets::All,
            MaskletKind::Manual => Masklets::Manual,
            MaskletKind::Auto => Masklets::Auto,
        },
    };
    let dataset = masklet_data::open(&args.path, &options)?;
    let most = args.limit.map(|limit| limit as usize);
    let total = most.map_or(dataset.len(), |most| most.min(dataset.len()));
    let mut progress = Progress::new("inspecting", Some(total), global.quiet);
    let found = inspect::inspect(&dataset, most, args.strict, || progress.step());
    progress.finish();
    let found = found?;
    let sheet = match args.no_sheet {
        true => None,
        false => Some(draw_sheet(&dataset, &args.sheet, args.strict)?),
    };
    let report = Report {
        path: &args.path,
        found,
        sheet,
    };
    if global.json {
        print_json(&report)
    } else if global.quiet {
        Ok(())
    } else {
        print_line(report.text().trim_end())
    }
}

#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    #[serde(flatten)]
    found: Inspection,
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<DrawnSheet>,
}

/// The contact sheet.
#[derive(Serialize)]
struct DrawnSheet {
    file: PathBuf,
    /// What each cell shows, row by row.
    cells: Vec<Vec<String>>,
}

fn draw_sheet(dataset: &Dataset, file: &Path, strict: bool) -> Result<DrawnSheet, Failure> {
    // What cannot be read was reported by the inspection, where it was looked into.
    let mut skipped = SkipReport::new(strict);
    let sheet = inspect::contact_sheet(dataset, &SheetOptions::default(), &mut skipped)?;
    sheet.picture.save_png(file)?;
    Ok(DrawnSheet {
        file: file.to_owned(),
        cells: sheet.cells,
    })
}

impl Report<'_> {
    fn text(&self) -> String {
        let mut text = String::new();
        let found = &self.found;
        let _ = write!(text, "{}: {}, ", self.path.display(), found.layout);
        let kind = if found.videos.is_some() {
            "sequences"
        } else {
            "images"
        };
        let _ = match found.inspected == found.items {
            true => writeln!(text, "{} {kind}", found.items),
            false => writeln!(
                text,
                "{} {kind}, {} looked into",
                found.items, found.inspected
            ),
        };
        if let Some(videos) = &found.videos {
            text += &video_text(videos);
        }
        if let Some(images) = &found.images {
            text += &image_text(images);
        }
        text += &skipped_text(&found.skipped);
        if let Some(sheet) = &self.sheet {
            let _ = writeln!(text, "contact sheet      {}", sheet.file.display());
        }
        text
    }
}

fn video_text(counts: &VideoCounts) -> String {
    let VideoCounts {
        length,
        size,
        visibility,
        ..
    } = counts;
    let void = match counts.frames_with_void {
        0 => String::new(),
        frames => format!(", {frames} with void pixels"),
    };
    format!(
        "frames             {} ({} annotated{void}); {:.0} to {:.0} a sequence, {:.1} on average\n\
         resolution         {}\n\
         objects            {} with {} masks\n\
         size               {} small, {} medium, {} large (mean area below 32², below 96² pixels, above)\n\
         share of picture   {}\n\
         visibility         {} changes, in {} objects; at most {} in one\n\
         disappearance rate {:.1} % ({} of {} objects disappear and come back)\n",
        counts.frames,
        counts.annotated_frames,
        length.least,
        length.most,
        length.mean,
        resolutions(&counts.resolutions),
        counts.objects,
        counts.masks,
        size.small,
        size.medium,
        size.large,
        percent(&counts.relative_size),
        visibility.changes,
        visibility.changing,
        visibility.most_changes,
        100.0 * visibility.disappearance_rate,
        visibility.reappearing,
        visibility.objects,
    )
}

fn image_text(counts: &ImageCounts) -> String {
    let ImageCounts {
        segments_each: each,
        size,
        ..
    } = counts;
    let crowds = match counts.crowds {
        0 => String::new(),
        crowds => format!(", {crowds} of them crowds"),
    };
    let mut text = format!(
        "segmentations      {}\n\
         segments           {}{crowds}; {:.0} to {:.0} a segmentation, {:.1} on average\n\
         resolution         {}\n\
         size               {} small, {} medium, {} large (area below 32², below 96² pixels, above)\n\
         share of picture   {}\n",
        counts.segmentations,
        counts.segments,
        each.least,
        each.most,
        each.mean,
        resolutions(&counts.resolutions),
        size.small,
        size.medium,
        size.large,
        percent(&counts.relative_size),
    );
    if !counts.categories.is_empty() {
        let shown = counts.categories.iter().take(5);
        let shown: Vec<_> = shown
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let _ = writeln!(
            text,
            "categories         {}: {}",
            counts.categories.len(),
            shown.join(", ")
        );
    }
    text
}

fn resolutions(all: &[((u32, u32), usize)]) -> String {
    const SHOWN: usize = 4;
    let shown = all.iter().take(SHOWN);
    let mut text: Vec<_> = shown
        .map(|((width, height), count)| format!("{width}x{height} ({count})"))
        .collect();
    if all.len() > SHOWN {
        text.push(format!("{} more", all.len() - SHOWN));
    }
    text.join(", ")
}

fn percent(spread: &Spread) -> String {
    format!(
        "{:.2} to {:.2} %, median {:.2} %",
        100.0 * spread.least,
        100.0 * spread.most,
        100.0 * spread.median
    )
}

/// Counts by reason, and names as long as they are few.
fn skipped_text(skipped: &SkipReport) -> String {
    const NAMED: usize = 10;
    if skipped.is_empty() {
        return "skipped            nothing\n".to_owned();
    }
    let mut text = format!("skipped            {}\n", skipped.len());
    for (_, what, _) in skipped.entries().take(NAMED) {
        let _ = writeln!(text, "  {}: {}", what.name, what.reason);
    }
    if skipped.len() > NAMED {
        let _ = writeln!(
            text,
            "  and {} more (all with --json)",
            skipped.len() - NAMED
        );
    }
    text
}
