//! What followed a context, and where.

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};

use super::{EngineError, Session, WindowChoice};
use crate::index::Posting;
use crate::latent::{LatentSet, Shape};
use crate::window::{Condition, Frame};

/// A question about one context: what followed it, and where.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// The window, or the longest that matches; the only one of the index, if `None`.
    #[serde_as(as = "Option<DisplayFromStr>")]
    #[serde(default)]
    pub window: Option<WindowChoice>,
    /// Id of the latent, in the training set or in the set that is passed with the request.
    pub latent: u64,
    /// Position of the bit.
    pub position: usize,
    /// Occurrences that the longest match needs, at least 1.
    #[serde(default = "one")]
    pub min_count: u64,
    /// Postings to list for each next bit; `None` for all.
    #[serde(default)]
    pub top: Option<usize>,
}

fn one() -> u64 {
    1
}

/// What followed a context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueryReport {
    /// The window; for the longest match the largest whole one that it holds, `none` where it holds none.
    pub window: String,
    /// Sites of the longest match, nearest first, where that was asked for: a ring may be there in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sites: Option<usize>,
    /// The latent that was asked for.
    pub latent: u64,
    /// The position that was asked for.
    pub position: usize,
    /// The channel of the position.
    pub channel: usize,
    /// How far the edge of the grid cuts the window.
    pub border: Vec<usize>,
    /// The latent's own next bit.
    pub bit: u8,
    /// How often a 0 followed.
    pub n0: u64,
    /// How often a 1 followed.
    pub n1: u64,
    /// Latent and position of the listed postings, those of a 0 first.
    pub postings: Vec<(u64, usize)>,
    /// The listed postings of a 0.
    pub postings0: Vec<(u64, usize)>,
    /// The listed postings of a 1.
    pub postings1: Vec<(u64, usize)>,
    /// The label that the context is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<i64>,
}

impl QueryReport {
    /// Returns whether the context occurred at all.
    pub fn is_match(&self) -> bool {
        self.n0 + self.n1 > 0
    }
}

impl Session {
    /// Looks up what followed the context of a latent of the training set, or of `of`.
    ///
    /// ```
    /// use bitquilt::engine::QueryRequest;
    /// # use bitquilt::engine::{Session, SessionOptions};
    /// # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
    /// # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
    /// # for bits in ["101100", "111010"] {
    /// #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
    /// # }
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("index");
    /// # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
    /// # let session = Session::open(&path, &SessionOptions::default())?;
    /// // Bit 3 of 101100 comes after 101; so does bit 5 of 111010.
    /// let request = QueryRequest { window: None, latent: 0, position: 3, min_count: 1, top: None };
    /// let report = session.query(&request, None)?;
    /// assert_eq!((report.bit, report.n0, report.n1), (1, 1, 1));
    /// assert_eq!((report.postings0, report.postings1), (vec![(1, 5)], vec![(0, 3)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Index`] for a window or a latent that the index does not hold; [`EngineError::Request`] for latents of
    /// another shape, without labels where they are needed, or a latent or position that is not there.
    pub fn query(
        &self,
        request: &QueryRequest,
        of: Option<&LatentSet>,
    ) -> Result<QueryReport, EngineError> {
        let index = &*self.index;
        let shape = index.shape();
        let position = request.position;
        if position >= shape.bits() {
            return Err(EngineError::Request {
                part: "the position",
                why: format!(
                    "expected one of 0 to {}, found {position}",
                    shape.bits() - 1
                ),
            });
        }
        let level = shape.level_of(position).number();
        let window = match request.window {
            Some(WindowChoice::Longest) => self.deepest_of(level)?,
            Some(WindowChoice::Named(window)) => index.window(window)?,
            None => index.window(self.window_of(None, Some(level))?)?,
        };
        let own = window.geometry().window();
        if own.level() != level {
            return Err(EngineError::Request {
                part: "the window",
                why: format!(
                    "expected a window of level {level}, where position {position} is, found {own}"
                ),
            });
        }
        let (packed, label) = match of {
            None => {
                let latent = index.held_latent(request.latent)?;
                (latent.packed().to_vec(), latent.label())
            }
            Some(set) => self.latent_of(set, request.latent)?,
        };
        let geometry = window.geometry();
        let mut frame = Frame::new(shape, &[geometry]);
        // What a latent's label is does not matter where contexts are of any label.
        let label = label.filter(|_| index.condition() == Condition::Label);
        frame.load(&packed, index.given(label)?);
        let context = geometry.lay_out(&frame, position);
        let (found, sites) = match request.window {
            Some(WindowChoice::Longest) => {
                let longest = window.longest(&context, request.min_count.max(1))?;
                (
                    longest.map(|longest| longest.found),
                    longest.map(|longest| longest.sites),
                )
            }
            _ => (window.find(&context)?, None),
        };
        let counts = found.map(|found| found.histogram()).unwrap_or_default();
        let top = request.top.unwrap_or(usize::MAX);
        let postings = |bit| -> Result<Vec<(u64, usize)>, EngineError> {
            let found = found
                .into_iter()
                .flat_map(|found| found.postings(bit))
                .take(top);
            let pair = |posting: Posting| (posting.latent, posting.position);
            Ok(found
                .map(|posting| posting.map(pair))
                .collect::<Result<_, _>>()?)
        };
        let (postings0, postings1) = (postings(false)?, postings(true)?);
        let (_, _, channel) = shape.place(position);
        let named = match sites {
            None => Some(geometry.window()),
            Some(sites) => window.within_sites(sites),
        };
        Ok(QueryReport {
            window: named.map_or_else(|| "none".to_owned(), |window| window.to_string()),
            sites,
            latent: request.latent,
            position,
            channel,
            border: geometry.border(position),
            bit: u8::from(frame.get(position)),
            n0: counts.n0,
            n1: counts.n1,
            postings: [postings0.clone(), postings1.clone()].concat(),
            postings0,
            postings1,
            label,
        })
    }

    /// Returns a latent of a set that is not the index's, packed, and its label.
    fn latent_of(&self, set: &LatentSet, id: u64) -> Result<(Vec<u8>, Option<i64>), EngineError> {
        let wrong = |why: String| EngineError::Request {
            part: "the latents",
            why,
        };
        let held: Shape = self.index.shape();
        if set.shape() != held {
            return Err(wrong(format!(
                "expected {held} latents, as the index holds, found {}",
                set.shape()
            )));
        }
        if self.index.condition() == Condition::Label && set.labels().is_none() {
            return Err(wrong(format!(
                "holds no labels: expected one for each latent, since contexts of {} are bound to labels",
                self.index.path().display()
            )));
        }
        let place = usize::try_from(id).ok().filter(|id| *id < set.len());
        let place =
            place.ok_or_else(|| wrong(format!("holds {} latents, none of id {id}", set.len())))?;
        let label = set.labels().map(|labels| labels[place]);
        Ok((set.packed_latent(place).to_vec(), label))
    }
}
