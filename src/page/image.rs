//! Pictures of latents within a page, with marks on their sites.

use std::ops::Range;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use crate::latent::{LatentError, Shape};
use crate::picture::Picture;

/// Marks on the sites of a latent.
#[derive(Default)]
pub(super) struct Marks<'a> {
    /// Rows and columns that are outlined.
    pub(super) outlined: Option<(Range<usize>, Range<usize>)>,
    /// Sites, row and column, with a spot.
    pub(super) spots: &'a [(usize, usize)],
}

/// Returns a picture as an address that holds it.
pub(super) fn data_uri(picture: &Picture) -> Result<String, LatentError> {
    let png = STANDARD.encode(picture.to_png(Path::new("a picture of the page"))?);
    Ok(format!("data:image/png;base64,{png}"))
}

/// Returns a picture of a latent of a grid, stretched over its sites, with marks. `says` is what it shows, in words.
pub(super) fn latent(
    grid: Shape,
    picture: &Picture,
    marks: &Marks<'_>,
    says: &str,
) -> Result<Markup, LatentError> {
    let picture = data_uri(picture)?;
    let (height, width) = (grid.height(), grid.width());
    Ok(html! {
        svg role="img" aria-label=(says) viewBox={ "-0.3 -0.3 " (width as f64 + 0.6) " " (height as f64 + 0.6) } {
            title { (says) }
            image href=(picture) width=(width) height=(height) preserveAspectRatio="none" {}
            rect width=(width) height=(height) fill="none" stroke="var(--line)" stroke-width="0.1" {}
            @for (row, col) in marks.spots {
                circle cx=(*col as f64 + 0.5) cy=(*row as f64 + 0.5) r="0.28" fill="#e3342f" stroke="#fff" stroke-width="0.08" {}
            }
            @if let Some((rows, columns)) = &marks.outlined {
                rect x=(columns.start) y=(rows.start) width=(columns.len()) height=(rows.len())
                    fill="none" stroke="#f08c2e" stroke-width="0.35" {}
            }
        }
    })
}
