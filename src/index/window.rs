//! One window of an opened index: a prefix of the order of an array.

use super::array::Range;
use super::lists::Postings;
use super::manifest::{ArrayEntry, WindowEntry};
use super::reader::HeldWindow;
use super::{Counts, Histogram, Index, IndexError, Question, UpperQuestion};
use crate::latent::Shape;
use crate::window::{Context, Frame, Geometry, Window};

/// One window of an index.
#[derive(Clone, Copy)]
pub struct WindowIndex<'a> {
    index: &'a Index,
    held: &'a HeldWindow,
}

impl<'a> WindowIndex<'a> {
    pub(super) fn new(index: &'a Index, held: &'a HeldWindow) -> Self {
        Self { index, held }
    }

    /// Returns the window on the index's grid.
    pub fn geometry(&self) -> &'a Geometry {
        &self.held.geometry
    }

    /// Returns the window on latents of another size, whose levels lie over each other as those of the index do: its contexts are
    /// the same wherever they lie.
    ///
    /// # Errors
    /// [`IndexError::Grid`] when they are not, because the place is part of the context;
    /// [`IndexError::Window`] when the window is larger than the grid.
    pub fn geometry_on(&self, shape: Shape) -> Result<Geometry, IndexError> {
        let geometry = self.geometry();
        let own = geometry.shape();
        if shape == own {
            return Ok(geometry.clone());
        }
        let placed = if geometry.window().sees_everything() {
            Some("global sees all of a latent")
        } else if geometry.is_placed() {
            Some("with anchor site the place is part of every context")
        } else if !shape.lies_like(&own) {
            Some(match own.is_pyramid() || shape.is_pyramid() {
                true => {
                    "a pyramid keeps its levels, their channels and how their sites lie over each other"
                }
                false => "a site keeps its channels",
            })
        } else {
            None
        };
        if let Some(why) = placed {
            return Err(IndexError::Grid {
                path: self.index.path().to_owned(),
                asked: shape.into(),
                held: own.into(),
                why,
            });
        }
        Ok(geometry.on(shape)?)
    }

    /// Returns the largest whole window of the same array that has at most so many sites (on a line, bits).
    pub fn within_sites(&self, sites: usize) -> Option<Window> {
        let (array, _) = self.place();
        let order = &self.index.arrays[array].order;
        let bits = order.prefix_of_sites(sites)?;
        let held = self.index.all_windows().filter(|held| {
            let (own, own_bits) = held.place();
            own == array && own_bits <= bits
        });
        held.last().map(|held| held.geometry().window())
    }

    /// Returns its counts; nothing for nearest sites that were not named when the index was built.
    pub fn entry(&self) -> Option<&'a WindowEntry> {
        self.held.entry.as_ref()
    }

    /// Returns the array that answers it.
    pub fn array(&self) -> &'a ArrayEntry {
        &self.index.manifest().arrays[self.held.array]
    }

    /// Returns the index it belongs to.
    pub fn index(&self) -> &'a Index {
        self.index
    }

    /// Returns the number of its array, and the bits of its contexts there.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.held.array, self.held.bits)
    }

    /// Returns the entries of a context, and its histogram without what is left out.
    pub(super) fn range(&self, context: &Context) -> Result<(Range, Histogram), IndexError> {
        let (array, bits) = self.place();
        if context.bits() != bits {
            return Ok(Default::default());
        }
        self.index.range_of(array, context.words(), bits)
    }

    /// Returns the histogram of a context, `None` when it never occurred. Reads at most two blocks.
    ///
    /// # Errors
    /// [`IndexError::Store`], [`IndexError::Damaged`]; [`IndexError::Memory`] when the latents do not fit.
    pub fn lookup(&self, context: &Context) -> Result<Option<Histogram>, IndexError> {
        let (_, histogram) = self.range(context)?;
        Ok((histogram.total() > 0).then_some(histogram))
    }

    /// Returns the occurrences of (context, bit), in the array's order: those whose wider surroundings are alike follow one
    /// another, and of equal ones the lowest latent comes first. Read block by block as they are asked for: the first few of
    /// millions cost as much as the first few of ten.
    ///
    /// # Errors
    /// As [`WindowIndex::lookup`]; the iterator's items fail the same way.
    pub fn postings(&self, context: &Context, bit: bool) -> Result<Postings<'a>, IndexError> {
        let (range, histogram) = self.range(context)?;
        let (array, _) = self.place();
        Ok(Postings::new(
            self.index,
            array,
            range,
            bit,
            histogram.count(bit),
        ))
    }
}

impl Counts for WindowIndex<'_> {
    fn question(&self, geometry: &Geometry, frame: &mut Frame, position: usize) -> Question {
        Question::Context(geometry.lay_out(frame, position))
    }

    fn upper_question(
        &self,
        geometry: &Geometry,
        frame: &mut Frame,
        position: usize,
    ) -> Option<UpperQuestion> {
        // The same places as a table is asked about, so that a search goes the same way.
        geometry.upper_key(frame, position)?;
        let (context, mask) = geometry.lay_out_upper(frame, position);
        Some(UpperQuestion::Context(context, mask))
    }

    fn histogram(&self, question: &Question) -> Result<Option<Histogram>, IndexError> {
        match question {
            Question::Context(context) => self.lookup(context),
            Question::Key(_) => Ok(None),
        }
    }

    fn array(&self) -> Option<usize> {
        let (array, _) = self.place();
        Some(std::ptr::from_ref(&self.index.arrays[array]).addr())
    }

    fn longest_part(
        &self,
        question: &Question,
        min_count: u64,
    ) -> Result<Option<(usize, Histogram)>, IndexError> {
        match question {
            Question::Context(context) => {
                let often = |histogram: Histogram| histogram.n0.max(histogram.n1);
                let found = self.longest_of(context, min_count, often)?;
                Ok(found.map(|(bits, _, histogram)| (bits, histogram)))
            }
            Question::Key(_) => Ok(None),
        }
    }

    fn has_upper(&self, question: &UpperQuestion) -> Result<bool, IndexError> {
        let UpperQuestion::Context(context, mask) = question else {
            return Ok(false);
        };
        let (array, bits) = self.place();
        self.index.any_with(array, context, mask, bits)
    }
}
