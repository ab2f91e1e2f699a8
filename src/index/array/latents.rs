//! The latents of an array in memory, and the contexts at their occurrences.

use std::ops::Deref;
use std::sync::Arc;

use super::words::{alike, spell};
use crate::latent::{Level, Shape};
use crate::window::{Frame, Given, Place, Reader};

/// What is lent, or shared by the levels of a pyramid.
#[derive(Debug)]
pub(in crate::index) enum Held<'a, T> {
    Lent(&'a [T]),
    Shared(Arc<[T]>),
}

impl<T> Deref for Held<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Lent(all) => all,
            Self::Shared(all) => all,
        }
    }
}

impl<'a, T> From<&'a [T]> for Held<'a, T> {
    fn from(all: &'a [T]) -> Self {
        Self::Lent(all)
    }
}

impl<'a, T> From<&'a Vec<T>> for Held<'a, T> {
    fn from(all: &'a Vec<T>) -> Self {
        Self::Lent(all)
    }
}

impl<T> From<Vec<T>> for Held<'_, T> {
    fn from(all: Vec<T>) -> Self {
        Self::Shared(all.into())
    }
}

impl<T> From<Arc<[T]>> for Held<'_, T> {
    fn from(all: Arc<[T]>) -> Self {
        Self::Shared(all)
    }
}

/// Packed latents by id, with what their contexts depend on beside their bits.
pub(in crate::index) struct Latents<'a> {
    packed: Held<'a, u8>,
    /// The number of each latent's label; empty where contexts are bound to none.
    labels: Held<'a, u64>,
    /// Bits of the level that the array is of, and the first of them.
    bits: u64,
    start: usize,
    row: usize,
    /// Where each position of the level is.
    places: Vec<Place>,
}

impl<'a> Latents<'a> {
    /// Takes latents of `shape`, one row of `packed` each; occurrences are those of one level.
    pub(in crate::index) fn new(
        packed: impl Into<Held<'a, u8>>,
        labels: impl Into<Held<'a, u64>>,
        shape: Shape,
        level: &Level,
    ) -> Self {
        let places = level.positions();
        let places = places.map(|position| Place::of(&shape, position));
        Self {
            packed: packed.into(),
            labels: labels.into(),
            bits: level.bits() as u64,
            start: level.start(),
            row: shape.packed_bytes(),
            places: places.collect(),
        }
    }

    /// Returns how many occurrences there are at most: ids times bits.
    pub(in crate::index) fn occurrences(&self) -> u64 {
        (self.packed.len() / self.row) as u64 * self.bits
    }

    /// Returns the bytes from a latent's first one on.
    #[inline]
    pub(in crate::index) fn from(&self, id: usize) -> &[u8] {
        self.packed.get(id * self.row..).unwrap_or_default()
    }

    #[inline]
    pub(in crate::index) fn label(&self, id: usize) -> u64 {
        self.labels.get(id).copied().unwrap_or(0)
    }

    /// Returns the id of the latent and the position of an occurrence.
    pub(in crate::index) fn id_and_position(&self, occurrence: u64) -> (usize, usize) {
        (
            (occurrence / self.bits) as usize,
            self.start + (occurrence % self.bits) as usize,
        )
    }

    /// Loads a latent into a frame, with the number of its label where contexts are bound to labels.
    pub(in crate::index) fn load(&self, frame: &mut Frame, id: usize, labelled: bool) {
        let given = match labelled {
            true => Given::label(self.label(id)),
            false => Given::NOTHING,
        };
        let latent = self.from(id);
        frame.load(&latent[..self.row.min(latent.len())], given);
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Returns where an occurrence is.
    #[inline]
    pub(super) fn standing(&self, occurrence: u64) -> Standing<'_> {
        let (id, position) = (occurrence / self.bits, occurrence % self.bits);
        let id = id as usize;
        Standing {
            latent: self.from(id),
            place: self.places[position as usize],
            label: self.label(id),
        }
    }

    /// Returns what a reader reads of the context at an occurrence.
    #[inline]
    pub(super) fn read(&self, reader: &Reader, occurrence: u64) -> u64 {
        self.standing(occurrence).read(reader)
    }

    /// Returns the bit at an occurrence: what followed its context.
    #[inline]
    pub(super) fn bit(&self, occurrence: u64) -> bool {
        let (id, position) = self.id_and_position(occurrence);
        let byte = self.from(id).get(position / 8);
        byte.is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }

    /// Returns in how many bits the contexts at two occurrences begin alike, of those that `readers` read.
    pub(super) fn common(&self, readers: &[Reader], one: u64, other: u64) -> usize {
        let (one, other) = (self.standing(one), self.standing(other));
        let pairs = readers
            .iter()
            .map(|reader| (one.read(reader), other.read(reader)));
        alike(pairs).unwrap_or(64 * readers.len())
    }

    /// Returns the entry of an occurrence as bytes that sort as entries do: context, next bit, number.
    pub(super) fn spell(&self, readers: &[Reader], occurrence: u64) -> Vec<u8> {
        let context = readers.iter().map(|reader| self.read(reader, occurrence));
        spell(context, self.bit(occurrence), occurrence)
    }

    /// Writes the whole context at an occurrence, laid out by an order, into one word for each reader.
    pub(in crate::index) fn lay_out(
        &self,
        readers: &[Reader],
        occurrence: u64,
        words: &mut Vec<u64>,
    ) {
        words.clear();
        words.extend(readers.iter().map(|reader| self.read(reader, occurrence)));
    }
}

/// Where an occurrence is: a place of a latent.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a> {
    latent: &'a [u8],
    place: Place,
    label: u64,
}

impl Standing<'_> {
    #[inline]
    pub(super) fn read(&self, reader: &Reader) -> u64 {
        reader.read(self.latent, self.place, self.label)
    }
}
