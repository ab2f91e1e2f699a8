//! The windows of a search, largest first, and what they say of a bit together.

use std::ops::Range;

use super::SearchError;
use super::fallback::{Fallback, Policy};
use super::options::{Backoff, SearchOptions};
use crate::index::{Counts, Histogram, Question};
use crate::latent::{PerLevel, Shape};
use crate::samples::INTERPOLATED;
use crate::window::{ContextKey, Contexts, Frame, Geometry};

/// One window of a search.
#[derive(Clone, Copy)]
pub struct Rung<'a> {
    /// The window, laid on the grid of the samples.
    pub geometry: &'a Geometry,
    /// What followed its contexts.
    pub counts: &'a dyn Counts,
}

/// What the windows say of one bit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// Probability of each value, 0 where it is not supported; both 0 when nothing is.
    pub(super) chance: [f64; 2],
    /// Number of the window that answered.
    pub(super) rung: u8,
}

impl Answer {
    /// Answers for a bit that has its value from elsewhere.
    pub(super) fn forced(value: bool) -> Self {
        Self {
            chance: [f64::from(u8::from(!value)), f64::from(u8::from(value))],
            rung: FORCED,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.chance == [0.0; 2]
    }
}

/// [`Answer::rung`] of a bit that no window was asked for.
pub(super) const FORCED: u8 = u8::MAX;

/// The least chance of a supported value next to the other: temperature makes it rare, never impossible.
const MIN_CHANCE: f64 = f64::EPSILON;

/// Windows of one array from which on one question for the longest part beats asking them in turn: few are asked before one
/// has a match.
const MIN_PARTS: usize = 8;

/// The windows with the rules by which a bit is answered.
pub(super) struct Ladder<'a> {
    rungs: &'a [Rung<'a>],
    shape: Shape,
    /// The numbers of the windows of each level of a pyramid: first and last.
    levels: Vec<(u8, u8)>,
    min_count: PerLevel<u64>,
    temperature: PerLevel<f64>,
    backoff: Backoff,
    /// Whether a match of a window is one of every later window too: each is part of the one before.
    nested: bool,
    /// The bits of each window's contexts where all are of one array, so that one question finds the window that answers;
    /// else nothing.
    parts: Vec<usize>,
    /// Of one batch: questions, the states that they belong to, and the answers.
    questions: Vec<Question>,
    asked: Vec<u32>,
    found: Vec<Option<Histogram>>,
    /// Who is asked for a bit numbered [`INTERPOLATED`], for each level one at most.
    fallbacks: Vec<Fallback<'a>>,
    contexts: Contexts,
    chances: Vec<[f64; 2]>,
    /// Contexts looked up.
    pub(super) lookups: u64,
}

impl<'a> Ladder<'a> {
    /// Makes a ladder of at least one rung for each level, those of one level side by side; `Task::ladder` sees to that.
    pub(super) fn new(
        rungs: &'a [Rung<'a>],
        options: &SearchOptions,
        fallbacks: Vec<Fallback<'a>>,
    ) -> Self {
        let shape = rungs[0].geometry.shape();
        let levels = shape.levels().iter().map(|level| {
            let own = |rung: &Rung<'_>| rung.geometry.level() == level;
            let first = rungs.iter().position(own).unwrap_or(0);
            let last = rungs.iter().rposition(own).unwrap_or(0);
            // No more than `MAX_WINDOWS`.
            (first as u8, last as u8)
        });
        let nested = options.backoff == Backoff::OnNoMatch
            && rungs.is_sorted_by(|a, b| {
                let (a, b) = (a.geometry.window(), b.geometry.window());
                a.level() != b.level() || b.nests_in(a)
            });
        let arrays = || rungs.iter().map(|rung| rung.counts.array());
        let array = arrays().next().flatten();
        let one_level = !shape.is_pyramid();
        let parts = match one_level
            && nested
            && rungs.len() >= MIN_PARTS
            && arrays().all(|own| own == array)
        {
            true if array.is_some() => rungs
                .iter()
                .map(|rung| rung.geometry.laid_out_bits())
                .collect(),
            _ => Vec::new(),
        };
        Self {
            rungs,
            shape,
            levels: levels.collect(),
            min_count: options.min_count,
            temperature: options.temperature,
            backoff: options.backoff,
            nested,
            parts,
            questions: Vec::new(),
            asked: Vec::new(),
            found: Vec::new(),
            fallbacks,
            contexts: Contexts::default(),
            chances: Vec::new(),
            lookups: 0,
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Makes a frame that serves every window.
    pub(super) fn frame(&self) -> Frame {
        let networks = self.fallbacks.iter().map(|fallback| fallback.geometry);
        let geometries = self.rungs.iter().map(|rung| rung.geometry);
        let geometries: Vec<_> = geometries.chain(networks).collect();
        Frame::new(self.shape(), &geometries)
    }

    /// Returns the number of the largest window that is asked about a position.
    pub(super) fn first(&self, position: usize) -> u8 {
        self.levels[self.shape.level_of(position).number()].0
    }

    /// Returns the number of the smallest one.
    pub(super) fn last(&self, position: usize) -> u8 {
        self.levels[self.shape.level_of(position).number()].1
    }

    /// Returns the positions that decide what is said of `position`, in ascending runs for each window in turn.
    pub(super) fn context(&self, position: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        self.context_of(position, self.last(position))
    }

    /// Returns [`Ladder::context`] of the windows up to number `rung`.
    pub(super) fn context_of(
        &self,
        position: usize,
        rung: u8,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        // Of nested windows the largest selects what all do.
        let first = usize::from(self.first(position));
        let last = if self.nested {
            first
        } else {
            usize::from(rung)
        };
        let rungs = &self.rungs[first..=last];
        rungs
            .iter()
            .flat_map(move |rung| rung.geometry.context(position))
    }

    /// Returns what the windows say of `position`, in `frame` as it stands. They are asked in turn until one has a
    /// match.
    pub(super) fn answer(
        &mut self,
        frame: &mut Frame,
        position: usize,
    ) -> Result<(Answer, ContextKey), SearchError> {
        let mut number = self.first(position);
        if self.always(position) {
            let key = self.rungs[usize::from(number)]
                .geometry
                .key(frame, position);
            return Ok((Answer::default(), key));
        }
        if !self.parts.is_empty() {
            let answer = self.longest(frame, position, 0)?;
            let rung = self.rungs[usize::from(answer.rung)];
            return Ok((answer, rung.geometry.key(frame, position)));
        }
        loop {
            let rung = self.rungs[usize::from(number)];
            let question = rung.counts.question(rung.geometry, frame, position);
            self.lookups += 1;
            let histogram = rung.counts.histogram(&question)?.unwrap_or_default();
            let answer = Answer {
                chance: self.chances(number, histogram),
                rung: number,
            };
            if !answer.is_dead() || !self.goes_on(number, position) {
                let key = match question {
                    Question::Key(key) => key,
                    _ => rung.geometry.key(frame, position),
                };
                return Ok((answer, key));
            }
            number += 1;
        }
    }

    /// Returns [`Ladder::answer`] of the windows from number `from` on for many states of the bits before `position`:
    /// `write` puts one into the frame. One batch of lookups for each window, so that their misses in memory overlap.
    pub(super) fn answers(
        &mut self,
        frame: &mut Frame,
        position: usize,
        from: u8,
        states: usize,
        write: impl Fn(&mut Frame, usize),
        answers: &mut Vec<Answer>,
    ) -> Result<(), SearchError> {
        answers.clear();
        answers.resize(states, Answer::default());
        if from == INTERPOLATED {
            return self.interpolated(frame, position, write, answers);
        }
        if !self.parts.is_empty() {
            for (state, answer) in answers.iter_mut().enumerate() {
                write(frame, state);
                *answer = self.longest(frame, position, from)?;
            }
            return Ok(());
        }
        self.asked.clear();
        self.asked.extend(0..states as u32);
        let mut number = from;
        while !self.asked.is_empty() {
            let rung = self.rungs[usize::from(number)];
            self.questions.clear();
            for state in &self.asked {
                write(frame, *state as usize);
                let question = rung.counts.question(rung.geometry, frame, position);
                self.questions.push(question);
            }
            self.lookups += self.questions.len() as u64;
            rung.counts.histograms(&self.questions, &mut self.found)?;
            for (state, histogram) in self.asked.iter().zip(&self.found) {
                answers[*state as usize] = Answer {
                    chance: self.chances(number, histogram.unwrap_or_default()),
                    rung: number,
                };
            }
            if !self.goes_on(number, position) {
                break;
            }
            self.asked
                .retain(|state| answers[*state as usize].is_dead());
            number += 1;
        }
        Ok(())
    }

    /// Returns the answer of the first window from number `from` on that has a match, by one question to their array, and one
    /// more where it finds a part between two of them.
    fn longest(
        &mut self,
        frame: &mut Frame,
        position: usize,
        from: u8,
    ) -> Result<Answer, SearchError> {
        let rung = self.rungs[usize::from(from)];
        let question = rung.counts.question(rung.geometry, frame, position);
        self.lookups += 1;
        let min_count = self.min_count.of(rung.geometry.level().number());
        let found = rung.counts.longest_part(&question, min_count)?;
        let bits = found.map_or(0, |(bits, _)| bits);
        let number = self.parts.iter().position(|part| *part <= bits);
        let (Some((_, histogram)), Some(number)) = (found, number) else {
            return Ok(Answer {
                chance: [0.0; 2],
                rung: self.last(position),
            });
        };
        let histogram = match self.parts[number] == bits {
            true => histogram,
            false => {
                let rung = self.rungs[number];
                let question = rung.counts.question(rung.geometry, frame, position);
                self.lookups += 1;
                rung.counts.histogram(&question)?.unwrap_or_default()
            }
        };
        // No more than `MAX_WINDOWS`.
        let number = number as u8;
        Ok(Answer {
            chance: self.chances(number, histogram),
            rung: number,
        })
    }

    /// Returns what the network says of `position` for many states of the bits before, in one batch.
    fn interpolated(
        &mut self,
        frame: &mut Frame,
        position: usize,
        write: impl Fn(&mut Frame, usize),
        answers: &mut [Answer],
    ) -> Result<(), SearchError> {
        let Some(fallback) = self.fallback(position) else {
            return Ok(());
        };
        self.contexts.clear();
        for state in 0..answers.len() {
            write(frame, state);
            fallback.push(frame, position, &mut self.contexts);
        }
        let mut chances = std::mem::take(&mut self.chances);
        fallback.ask(&self.contexts, &mut chances)?;
        for (answer, chances) in answers.iter_mut().zip(&chances) {
            *answer = self.interpolation(position, *chances);
        }
        self.chances = chances;
        Ok(())
    }

    /// Returns the network's answer for a position, with the search's temperature.
    pub(super) fn interpolation(&self, position: usize, chances: [f64; 2]) -> Answer {
        let level = self.shape.level_of(position).number();
        Answer {
            chance: tempered(chances, self.temperature.of(level)),
            rung: INTERPOLATED,
        }
    }

    /// Returns the network that may answer for a position.
    pub(super) fn fallback(&self, position: usize) -> Option<Fallback<'a>> {
        // Nearly all searches have none.
        let level = self
            .fallbacks
            .first()
            .map(|_| self.shape.level_of(position));
        let mut own = self.fallbacks.iter();
        own.find(|fallback| Some(fallback.geometry.level()) == level)
            .copied()
    }

    /// Returns the most bits of a sample that networks may answer; `None` for any number.
    pub(super) fn max_interpolated(&self) -> Option<u64> {
        self.fallbacks
            .first()
            .and_then(|first| first.max_interpolated)
    }

    /// Returns whether no window is asked for a position.
    fn always(&self, position: usize) -> bool {
        self.fallback(position)
            .is_some_and(|fallback| fallback.policy == Policy::Always)
    }

    /// Returns whether the rows above tell that nothing can be supported at `position`, the first channel of a site: no
    /// context of the smallest window has them as they are, nor then of a larger one. One lookup.
    pub(super) fn is_unknown_from_above(
        &mut self,
        frame: &mut Frame,
        position: usize,
    ) -> Result<bool, SearchError> {
        if !self.nested {
            return Ok(false);
        }
        let rung = self.rungs[usize::from(self.last(position))];
        let question = rung.counts.upper_question(rung.geometry, frame, position);
        let Some(question) = question else {
            return Ok(false);
        };
        self.lookups += 1;
        Ok(!rung.counts.has_upper(&question)?)
    }

    /// Returns whether the next window is asked where this one has no match.
    fn goes_on(&self, number: u8, position: usize) -> bool {
        self.backoff == Backoff::OnNoMatch && number < self.last(position)
    }

    /// Returns the probabilities of both values by their counts at window number `rung`.
    fn chances(&self, rung: u8, histogram: Histogram) -> [f64; 2] {
        let level = self.rungs[usize::from(rung)].geometry.level().number();
        let min_count = self.min_count.of(level);
        let counts = [histogram.n0, histogram.n1];
        let supported = counts.map(|count| if count >= min_count { count } else { 0 });
        if supported == [0; 2] {
            return [0.0; 2];
        }
        let weights = supported.map(|count| count as f64);
        tempered(weights, self.temperature.of(level))
    }
}

/// Returns probabilities ∝ w^(1/temperature); a weight of 0 stays one, and not both are.
fn tempered(weights: [f64; 2], temperature: f64) -> [f64; 2] {
    let larger = weights[0].max(weights[1]);
    let weights = weights.map(|weight| {
        if weight == 0.0 || temperature == 1.0 {
            return weight;
        }
        let share = weight / larger;
        share.powf(temperature.recip()).max(MIN_CHANCE)
    });
    let sum = weights[0] + weights[1];
    weights.map(|weight| weight / sum)
}
