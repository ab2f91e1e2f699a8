//! Options that do not fit the input.

use std::path::Path;

use super::recognise::Kind;
use super::{Coding, Colour, ImportOptions};
use crate::latent::LatentError;

/// Refuses an option for images that is given with codes, and the other way round: a misunderstanding.
pub(in crate::images) fn refuse_what_does_not_fit(
    path: &Path,
    kind: Kind,
    options: &ImportOptions,
) -> Result<(), LatentError> {
    let codes = kind.is_codes();
    let (images, arrays) = ("images", "arrays of codes (.npy, .npz, .safetensors)");
    let picks_a_colour = options.colour.is_some_and(|colour| colour != Colour::Gray);
    let may_be_transparent = matches!(kind, Kind::Image | Kind::Folder);
    let named = matches!(kind, Kind::Npz | Kind::Safetensors);
    let coding = match options.coding {
        Some(Coding::Indices { .. }) => "`index_bits`",
        Some(Coding::Packed { .. }) => "`packed`",
        Some(Coding::Bits) | None => "",
    };
    let misfit = [
        (options.threshold.is_some() && codes, "`threshold`", images),
        (options.resize.is_some() && codes, "`resize`", images),
        (!options.levels.is_empty() && codes, "`level`", images),
        (
            options.colour.is_some() && codes,
            "`gray` or `channel`",
            images,
        ),
        (
            picks_a_colour && kind == Kind::IdxImages,
            "`channel`",
            "colour images",
        ),
        (options.transpose && codes, "`transpose`", images),
        (
            options.background.is_some() && !may_be_transparent,
            "`background`",
            "image files that may be transparent",
        ),
        (options.layout.is_some() && !codes, "`layout`", arrays),
        (options.grid.is_some() && !codes, "`grid`", arrays),
        (!coding.is_empty() && !codes, coding, arrays),
        (
            options.array.is_some() && !named,
            "`array`",
            "files of several arrays (.npz, .safetensors)",
        ),
    ];
    match misfit.iter().find(|(misfit, _, _)| *misfit) {
        None => Ok(()),
        Some((_, option, fits)) => Err(LatentError::format(
            path,
            format!("{fits}, which {option} is for"),
            format!("{kind}: leave {option} out"),
        )),
    }
}
