//! What a search is given: windows, constraints and options.

use super::constraint::Constraint;
use super::fallback::{Fallback, Policy};
use super::ladder::{Ladder, Rung};
use super::options::{Backoff, Method, SearchOptions};
use super::{SearchError, constraint::Constraints};
use crate::latent::{Level, Shape};
use crate::window::{Frame, Given};

/// Most windows of one search: their numbers fit a byte, beside the mark of a fixed bit.
pub const MAX_WINDOWS: usize = 254;

/// One search = windows + constraints + options. The same task serves every sample of a run.
#[derive(Clone)]
pub struct Task<'a> {
    /// The windows, in the order in which they are asked: largest first, of a pyramid level by level, coarse to fine. All on
    /// the grids of the samples.
    pub rungs: Vec<Rung<'a>>,
    /// What a sample must satisfy beyond support.
    pub constraints: Vec<&'a dyn Constraint>,
    /// What is known of the samples before their first bit: their label, where contexts are bound to labels.
    pub given: Given,
    /// How to search.
    pub options: SearchOptions,
    /// The networks that answer where the windows do not: at most one for each level, all by one policy and limit.
    pub fallbacks: Vec<Fallback<'a>>,
}

impl<'a> Task<'a> {
    /// Describes a search at one window, without constraints.
    pub fn new(rung: Rung<'a>, options: SearchOptions) -> Self {
        Self {
            rungs: vec![rung],
            constraints: Vec::new(),
            given: Given::NOTHING,
            options,
            fallbacks: Vec::new(),
        }
    }

    /// Adds a constraint.
    #[must_use]
    pub fn with(mut self, constraint: &'a dyn Constraint) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// Lets a network answer in its level.
    #[must_use]
    pub fn falling_back(mut self, fallback: Fallback<'a>) -> Self {
        self.fallbacks.push(fallback);
        self
    }

    /// Returns what a samples file tells of the search, by name. `constraints` says in words what a sample must satisfy
    /// beyond support; `networks` names those that may answer.
    pub fn settings(&self, constraints: &str, networks: &str) -> Vec<(&'static str, String)> {
        let limit = |limit: Option<String>| limit.unwrap_or_else(|| "none".to_owned());
        let count = |number: Option<u64>| limit(number.map(|number| number.to_string()));
        let options = &self.options;
        let seconds = options.timeout.map(|t| t.as_secs_f64().to_string());
        let mut settings = vec![
            ("constraints", constraints.to_owned()),
            ("backoff", options.backoff.to_string()),
            ("min_count", options.min_count.to_string()),
            ("temperature", options.temperature.to_string()),
            ("restart", count(options.restart)),
            ("search", options.method.to_string()),
            ("seed", options.seed.to_string()),
            ("max_states", options.max_states.to_string()),
            ("max_backtracks", count(options.max_backtracks)),
            ("timeout_seconds", limit(seconds)),
        ];
        if let Some(fallback) = self.fallbacks.first() {
            settings.push(("fallback", networks.to_owned()));
            settings.push(("fallback_policy", fallback.policy.to_string()));
            settings.push(("max_interpolated", count(fallback.max_interpolated)));
        }
        settings
    }

    /// Returns whether bits are searched for one by one because the network may answer any of them.
    pub(super) fn walks_bits(&self) -> bool {
        matches!(self.policy(), Some(Policy::OnNoMatch | Policy::Always))
    }

    /// Returns when networks answer; `None` without any.
    pub(super) fn policy(&self) -> Option<Policy> {
        self.fallbacks.first().map(|fallback| fallback.policy)
    }

    /// Returns the grid of the samples; `None` without a window.
    pub fn shape(&self) -> Option<Shape> {
        self.rungs.first().map(|rung| rung.geometry.shape())
    }

    /// Returns the windows with the rules by which bits are answered.
    pub(super) fn ladder(&self, fallbacks: Vec<Fallback<'a>>) -> Result<Ladder<'_>, SearchError> {
        self.check_windows()?;
        Ok(Ladder::new(&self.rungs, &self.options, fallbacks))
    }

    /// Refuses windows that do not answer every bit of samples of one shape, which is returned.
    fn check_windows(&self) -> Result<Shape, SearchError> {
        let wrong = |why: &str| {
            Err(SearchError::Task {
                why: why.to_owned(),
            })
        };
        let Some(shape) = self.shape() else {
            return wrong("no window is given");
        };
        if self.rungs.len() > MAX_WINDOWS {
            return wrong("more than 254 windows are given");
        }
        if self.rungs.iter().any(|rung| rung.geometry.shape() != shape) {
            return wrong("the windows lie on different grids");
        }
        if !self
            .rungs
            .is_sorted_by_key(|rung| rung.geometry.level().number())
        {
            return wrong("the windows are not in the order of their levels, coarse to fine");
        }
        let held = |level: &Level| self.rungs.iter().any(|rung| rung.geometry.level() == level);
        if let Some(level) = shape.levels().iter().find(|level| !held(level)) {
            return Err(SearchError::Task {
                why: format!("no window of level {} is given", level.number()),
            });
        }
        Ok(shape)
    }

    /// Refuses what cannot be searched for, and sets the bits that the constraints force in a frame for the ladder's windows.
    pub(super) fn prepare(&self, ladder: &Ladder<'_>) -> Result<Frame, SearchError> {
        let shape = ladder.shape();
        let wrong = |why: &str| {
            Err(SearchError::Task {
                why: why.to_owned(),
            })
        };
        for (number, fallback) in self.fallbacks.iter().enumerate() {
            let level = fallback.geometry.level();
            let mut before = self.fallbacks[..number].iter();
            if before.any(|other| other.geometry.level() == level) {
                return wrong("two networks answer for one level");
            }
            let first = &self.fallbacks[0];
            if (fallback.policy, fallback.max_interpolated)
                != (first.policy, first.max_interpolated)
            {
                return wrong("the networks answer by different policies or limits");
            }
            if fallback.geometry.shape() != shape {
                return wrong("the network's window lies on another grid");
            }
            if fallback.geometry.window() != fallback.network.window() {
                return wrong("the network is one for another window");
            }
            if !fallback.geometry.takes(self.given) {
                return wrong("the network knows no label of that number, or needs one");
            }
        }
        if !self
            .rungs
            .iter()
            .all(|rung| rung.geometry.takes(self.given))
        {
            return wrong("the windows know no label of that number, or need one");
        }
        let options = &self.options;
        if !options.temperature.all(|own| own > 0.0 && own.is_finite()) {
            return wrong("the temperature must be a number above 0");
        }
        if !options.min_count.all(|own| own > 0) {
            return wrong("a bit needs at least 1 occurrence to be supported");
        }
        let highest = options
            .temperature
            .highest()
            .max(options.min_count.highest());
        if let Some(level) = highest.filter(|level| shape.level(*level).is_none()) {
            return Err(SearchError::Task {
                why: format!(
                    "an option names level {level}: the levels of {shape} are 0 to {}",
                    shape.finest().number()
                ),
            });
        }
        if options.backoff == Backoff::OnDeadEnd
            && (options.method != Method::Row || self.walks_bits())
        {
            return wrong("back-off on dead ends takes search=row: only whole rows are dead ends");
        }
        for constraint in &self.constraints {
            constraint.check(shape)?;
        }
        let mut frame = ladder.frame();
        frame.begin(self.given);
        let constraints = Constraints(&self.constraints);
        for position in 0..shape.bits() {
            if let Some(value) = constraints.forced(position) {
                if constraints.contradict(position) {
                    return Err(SearchError::Contradiction { position });
                }
                frame.set(position, value);
            }
        }
        Ok(frame)
    }
}
