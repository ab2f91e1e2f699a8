//! `bitquilt decode`: latents or samples → pictures.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::drawer::{Drawer, ModelArgs};
use super::level::level_to_draw;
use super::limit::at_least_1;
use super::ui::{Ui, check_output};
use super::{print, print_json};
use bitquilt::base::{Observer, Stopped};
use bitquilt::latent::LatentSet;
use bitquilt::picture::{self, GridOptions, Picture};

/// Most tiles of a grid that anybody can look at.
const MAX_TILES: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  bitquilt decode samples.safetensors -o grid.png
  bitquilt decode mnist.safetensors -o grid.png --limit 100 --columns 10
  bitquilt decode samples.safetensors -o pictures/ --scale 1
  bitquilt decode codes.safetensors -o planes.png --planes --limit 64

A name that ends in .png gives one grid of all latents; any other name is a
folder, with one picture for each latent: 00000.png, 00001.png, ...";

/// Draw latents or samples: one grid, or a folder of pictures
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DecodeArgs {
    /// A latents or samples file
    #[arg(value_name = "LATENTS")]
    input: PathBuf,

    /// A .png file for one grid, or a folder
    #[arg(short, long, value_name = "PNG|FOLDER")]
    output: PathBuf,

    /// Pixels of the picture for each pixel of an image (bits that are pixels: for each site), in both directions
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_1)]
    scale: usize,

    /// Tiles in a row of the grid [default: as many as rows]
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    columns: Option<usize>,

    /// Draw every channel in black and white, side by side: for codes, which have no colours
    #[arg(long)]
    planes: bool,

    #[command(flatten)]
    model: ModelArgs,

    /// Draw the first N latents
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    limit: Option<usize>,

    /// Pyramids: the level to draw, 0 the coarsest [default: the finest]
    #[arg(long, value_name = "LEVEL")]
    level: Option<usize>,

    /// Replace the output if it exists; in a folder, pictures of the same names
    #[arg(long)]
    force: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb; 0 when all pictures are written.
pub(crate) fn run(args: DecodeArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let one_grid = args
        .output
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if one_grid {
        check_output(&args.output, args.force)?;
    } else {
        check_folder(&args.output, args.force)?;
        if args.columns.is_some() {
            bail!("--columns arranges a grid: name an output that ends in .png, or leave it out");
        }
    }
    let set = level_of(LatentSet::read(&args.input)?, args.level, &args.input)?;
    let count = args.limit.unwrap_or(set.len()).min(set.len());
    if count == 0 {
        bail!(
            "{}: the set is empty: there is nothing to draw",
            args.input.display()
        );
    }
    let set = set.first(count);
    let options = GridOptions {
        scale: args.scale,
        columns: args.columns,
        planes: args.planes,
    };
    if args.planes && args.model.is_given() {
        bail!(
            "--planes: shows bits as they are, --model what they stand for: leave one of them out"
        );
    }
    let drawer = args.model.drawer(&args.input, set.shape(), set.codec())?;
    let pictures = if one_grid {
        if count > MAX_TILES {
            bail!(
                "{}: expected at most {MAX_TILES} latents for one grid, found {count}: \
                 draw the first of them with --limit N, or all into a folder",
                args.input.display()
            );
        }
        drawer
            .grid(&set, &options, &args.output)
            .with_context(|| format!("cannot draw {}", args.input.display()))?
            .write_png(&args.output)?;
        1
    } else {
        write_folder(&set, &drawer, &options, &args, ui)?;
        count
    };
    if args.json {
        let output = args.output.display().to_string();
        let report = serde_json::json!({"latents": count, "pictures": pictures, "output": output});
        print_json(&report)?;
    } else {
        let what = if one_grid {
            "one grid"
        } else {
            "one picture each"
        };
        let output = args.output.display();
        print(format!(
            "{count} latents {}, {what} → {output}",
            set.shape()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the latents of one level of pyramids, the finest where none is asked for.
fn level_of(set: LatentSet, level: Option<usize>, path: &Path) -> anyhow::Result<LatentSet> {
    let level = level_to_draw(level, set.shape(), path)?;
    // A grid has no other level than itself.
    if !set.shape().is_pyramid() {
        return Ok(set);
    }
    set.level(level.number()).with_context(|| {
        format!(
            "{}: level {} is no latent set",
            path.display(),
            level.number()
        )
    })
}

/// Refuses a folder that holds something already, unless `force`.
fn check_folder(path: &Path, force: bool) -> anyhow::Result<()> {
    if !path.exists() {
        return check_output(path, force);
    }
    if !path.is_dir() {
        bail!(
            "{}: expected a name that ends in .png, or a folder; found a file",
            path.display()
        );
    }
    if !force && fs_err::read_dir(path)?.next().is_some() {
        bail!(
            "{}: the folder is not empty: choose another name, or pass --force to write into it",
            path.display()
        );
    }
    Ok(())
}

/// Writes one PNG file for each latent.
fn write_folder(
    set: &LatentSet,
    drawer: &Drawer,
    options: &GridOptions,
    args: &DecodeArgs,
    ui: &Ui,
) -> anyhow::Result<()> {
    ui.stage("decode", set.len() as u64, "pictures");
    for id in 0..set.len() {
        if ui.stop_requested() {
            ui.finish();
            let message = format!("stopped after {id} of {} pictures", set.len());
            return Err(anyhow::Error::new(Stopped).context(message));
        }
        let path = args.output.join(format!("{id:05}.png"));
        let picture = match drawer.decoded(&single(set, id)?)? {
            Some(images) => picture::grid_of_images(&images, 1, options.scale)?,
            None => Picture::of(set, id, options, &args.output)
                .with_context(|| format!("cannot draw {}", args.input.display()))?,
        };
        if id == 0 && !args.output.exists() {
            // Not before the first picture is drawn: codes leave no empty folder behind.
            fs_err::create_dir(&args.output)?;
        }
        picture.write_png(&path)?;
        ui.advance(1);
    }
    ui.finish();
    Ok(())
}

/// Returns a set of one latent of a set.
fn single(set: &LatentSet, id: usize) -> anyhow::Result<LatentSet> {
    let packed = set.packed_latent(id).to_vec();
    Ok(LatentSet::from_packed(set.shape(), packed)?.with_codec(set.codec().clone()))
}
