//! Every context of some latents: what followed it, and as numbers.

use rayon::prelude::*;

use super::measure::answering;
use super::{EngineError, Preload, Session};
use crate::base::Observer;
use crate::index::{Histogram, IndexError};
use crate::latent::LatentSet;
use crate::window::{Condition, Contexts, Frame, Window};

impl Session {
    /// Returns how often 0 and 1 followed the context of every bit of some latents at a window: of latent after latent, the bits
    /// of the window's level in scan order. Of a label that no training latent has, nothing ever did. `window` is the only one of
    /// the index, if `None`.
    ///
    /// ```
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
    /// // `set` holds 101100 and 111010, which are indexed.
    /// let found = session.lookup(&set, None, &Unobserved)?;
    /// assert_eq!(found.len(), 2 * 6);
    /// assert_eq!((found[0].n0, found[0].n1), (0, 2), "both begin with 1");
    /// assert_eq!((found[1].n0, found[1].n1), (1, 1), "then one has 0, one 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::WindowNeeded`]; [`EngineError::Index`] for a window that the index does not answer, or latents that its
    /// contexts cannot be laid on or whose labels are missing; [`EngineError::Memory`] when the counts do not fit the memory.
    pub fn lookup(
        &self,
        set: &LatentSet,
        window: Option<Window>,
        observer: &dyn Observer,
    ) -> Result<Vec<Histogram>, EngineError> {
        let index = &*self.index;
        let window = index.window(self.window(window)?)?;
        let geometry = window.geometry_on(set.shape())?;
        let bits = geometry.positions().len();
        let lookups = (set.len() * bits) as u64;
        let needed = lookups.saturating_mul(size_of::<Histogram>() as u64);
        let what = format!("the counts of {} latents", set.len());
        self.memory_beside(0).check(needed, what)?;
        let windows = [window];
        let tables = self.tables(&windows, Preload::Auto, |_| lookups, needed, observer)?;
        let (_, counts) = answering(&windows, &tables)[0];
        observer.stage("lookup", set.len() as u64, "latents");
        let mut found = vec![Histogram::default(); set.len() * bits];
        let each = found.par_chunks_mut(bits).enumerate();
        each.try_for_each_init(
            || Frame::new(set.shape(), &[&geometry]),
            |frame, (number, found)| {
                observer.check().map_err(IndexError::from)?;
                let label = set.labels().map(|labels| labels[number]);
                if let Some(given) = index.given_of(label)? {
                    frame.load(set.packed_latent(number), given);
                    let positions = geometry.positions();
                    let questions = positions.map(|at| counts.question(&geometry, frame, at));
                    let mut answers = Vec::new();
                    counts.histograms(&questions.collect::<Vec<_>>(), &mut answers)?;
                    for (found, answer) in found.iter_mut().zip(answers) {
                        *found = answer.unwrap_or_default();
                    }
                }
                observer.advance(1);
                Ok::<(), EngineError>(())
            },
        )?;
        Ok(found)
    }

    /// Returns every context of some latents at a window as numbers, as a network reads them that is to answer where this index has no
    /// match: of latent after latent, the bits of the window's level in scan order.
    ///
    /// ```
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
    /// // `set` holds 101100 and 111010.
    /// let contexts = session.contexts(&set, None, &Unobserved)?;
    /// assert_eq!(contexts.len(), 2 * 6);
    /// assert_eq!(contexts.symbols[3 * 3..4 * 3], [1.0, -1.0, 1.0], "what comes before bit 3 of 101100");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::lookup`], and [`EngineError::Index`] for a label that no training latent has.
    pub fn contexts(
        &self,
        set: &LatentSet,
        window: Option<Window>,
        observer: &dyn Observer,
    ) -> Result<Contexts, EngineError> {
        let window = self.index.window(self.window(window)?)?;
        let geometry = window.geometry_on(set.shape())?;
        let count = set.len() * geometry.positions().len();
        // Symbols of 4 bytes, a place and a label; twice while their vectors grow.
        let needed = (count as u64).saturating_mul(2 * 4 * (geometry.symbols() as u64 + 2));
        let what = format!("the contexts of {} latents", set.len());
        self.memory_beside(0).check(needed, what)?;
        observer.stage("contexts", set.len() as u64, "latents");
        let mut contexts = Contexts::default();
        let mut frame = Frame::new(set.shape(), &[&geometry]);
        for number in 0..set.len() {
            observer.check()?;
            let label = set.labels().map(|labels| labels[number]);
            let label = label.filter(|_| self.index.condition() == Condition::Label);
            frame.load(set.packed_latent(number), self.index.given(label)?);
            for position in geometry.positions() {
                contexts.push(&geometry, &frame, position);
            }
            observer.advance(1);
        }
        Ok(contexts)
    }
}
