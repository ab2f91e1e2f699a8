//! Generation by retrieval.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};

use super::{Copying, EngineError, MaxCopied, Preload, Session, WindowChoice};
use crate::base::Observer;
use crate::latent::{Codec, Ids, LatentSet, PerLevel, Shape};
use crate::samples::{Attempt, AttemptReport, Run, SampleSet, Status};
use crate::search::{
    self, Backoff, Constraint, Fallback, FixedBits, MAX_WINDOWS, Method, Novel, Policy, Rung,
    SearchOptions, Task,
};
use crate::window::{Geometry, Interpolator, Window};

/// What to generate. The same index, request and sample number give the same sample.
///
/// ```
/// use bitquilt::Novel;
/// use bitquilt::engine::GenerateRequest;
///
/// // Fields that are left out have their defaults.
/// let request = r#"{"windows": ["7x7", "5x5"], "samples": {"start": 0, "end": 8}, "novel": "finest"}"#;
/// let request: GenerateRequest = serde_json::from_str(request)?;
/// assert_eq!(request.samples, 0..8);
/// assert_eq!((request.novel, request.max_backtracks), (Some(Novel::Finest), Some(20_000)));
/// assert!(serde_json::from_str::<GenerateRequest>(r#"{"window": "7x7"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[serde_as]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateRequest {
    /// The windows at which bits must be supported, largest first: a later one answers where those before it have no match.
    /// With none, the only window of the index. `longest`, alone, stands for every part of the deepest; of pyramids, for the whole
    /// ones of the deepest of each level.
    #[serde_as(as = "Vec<DisplayFromStr>")]
    pub windows: Vec<WindowChoice>,
    /// Numbers of the samples to search for. A range gives the same samples as it does within a longer one.
    pub samples: Range<u64>,
    /// Height and width of the samples, where they are not those of the index.
    pub size: Option<(usize, usize)>,
    /// Seed of the run.
    pub seed: u64,
    /// Bits that every sample has, whatever the index says of them.
    pub fixed: FixedBits,
    /// What fixes these bits, in words, for the samples file.
    pub fixed_words: Vec<String>,
    /// The label of the samples, where contexts are bound to labels.
    pub label: Option<i64>,
    /// Which levels of a sample equal those of no training latent; `None` for any that there are.
    #[serde_as(as = "Option<DisplayFromStr>")]
    pub novel: Option<Novel>,
    /// Whether samples that equal an earlier one of the run are ruled out.
    pub distinct: bool,
    /// How much a sample may carry of any one training latent, at levels or at all; where a level is named more than once, the least.
    #[serde_as(as = "Vec<DisplayFromStr>")]
    pub max_copied: Vec<MaxCopied>,
    /// Occurrences that a context with its next bit needs to be supported, at least 1; of pyramids, by level.
    pub min_count: PerLevel<u64>,
    /// Values are drawn with probability ∝ n^(1/temperature); of pyramids, by level.
    pub temperature: PerLevel<f64>,
    /// What to do at a dead end.
    pub method: Method,
    /// When a later window answers.
    pub backoff: Backoff,
    /// Dead ends after which a search gives up; `None` for never.
    pub max_backtracks: Option<u64>,
    /// Dead ends after which a search over rows first starts afresh; `None` for never.
    pub restart: Option<u64>,
    /// Time after which a search gives up, in seconds; success then depends on the machine.
    pub timeout_seconds: Option<f64>,
    /// States of a row to follow at once, at most.
    pub max_states: usize,
    /// When a network answers, where one is given.
    pub policy: Policy,
    /// Bits of a sample that the network may answer; `None` for any number.
    pub max_interpolated: Option<u64>,
    /// Which windows to hold in memory.
    pub preload: Preload,
}

impl Default for GenerateRequest {
    /// Asks for 64 samples with the default options of a search, 20,000 dead ends each at most.
    fn default() -> Self {
        let options = SearchOptions::default();
        Self {
            windows: Vec::new(),
            samples: 0..64,
            size: None,
            seed: options.seed,
            fixed: FixedBits::none(),
            fixed_words: Vec::new(),
            label: None,
            novel: None,
            distinct: false,
            max_copied: Vec::new(),
            min_count: options.min_count,
            temperature: options.temperature,
            method: options.method,
            backoff: options.backoff,
            max_backtracks: Some(20_000),
            restart: options.restart,
            timeout_seconds: None,
            max_states: options.max_states,
            policy: Policy::OnDeadEnd,
            max_interpolated: None,
            preload: Preload::Auto,
        }
    }
}

/// A network that may answer where no window of its level does.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    /// Its name, for the samples file.
    pub name: &'a str,
    /// The network itself.
    pub network: &'a dyn Interpolator,
}

/// How many samples a request has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CountReport {
    /// The number of samples in decimal digits, or of those counted so far.
    pub count: String,
    /// Whether all samples are counted.
    pub complete: bool,
    /// Contexts looked up.
    pub lookups: u64,
    /// States reached: different values of the bits that later rows see.
    pub states: u64,
    /// How the count ended: `none exists` when it is complete.
    #[serde(skip)]
    pub status: Status,
}

/// What a run generated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Generated {
    /// The windows, in the order in which they were asked.
    pub windows: Vec<Window>,
    /// One attempt for each sample searched for, in order.
    pub attempts: Vec<Attempt>,
    shape: Shape,
    codecs: Vec<Codec>,
    source: String,
    label: Option<i64>,
    without: Ids,
    settings: Vec<(&'static str, String)>,
}

impl Generated {
    /// Returns the samples, without the attempts that found none.
    ///
    /// # Errors
    /// [`EngineError::Samples`] when one is not of the run's shape.
    pub fn latents(&self) -> Result<LatentSet, EngineError> {
        Ok(self.run().latents()?)
    }

    /// Returns the samples with what answered their bits, as they are read from the file that [`Generated::write`] writes.
    ///
    /// # Errors
    /// [`EngineError::Samples`] when one is not of the run's shape.
    pub fn samples(&self) -> Result<SampleSet, EngineError> {
        Ok(self.run().samples()?)
    }

    /// Returns how each attempt went, for a report.
    pub fn reports(&self) -> Vec<AttemptReport> {
        let attempts = self.attempts.iter();
        attempts
            .map(|attempt| attempt.report(&self.windows))
            .collect()
    }

    /// Writes the samples file, whole or not at all.
    ///
    /// # Errors
    /// [`EngineError::Samples`].
    pub fn write(&self, path: &Path) -> Result<(), EngineError> {
        Ok(self.run().write(path)?)
    }

    fn run(&self) -> Run<'_> {
        Run {
            shape: self.shape,
            codecs: self.codecs.clone(),
            source: self.source.clone(),
            windows: &self.windows,
            label: self.label,
            without: self.without.clone(),
            settings: &self.settings,
            attempts: &self.attempts,
        }
    }
}

impl GenerateRequest {
    /// Returns the grid of the samples.
    ///
    /// # Errors
    /// [`EngineError::Latent`] for one that is none.
    pub fn shape(&self, session: &Session) -> Result<Shape, EngineError> {
        let held = session.index.shape();
        Ok(match self.size {
            Some((height, width)) => held.resized(height, width)?,
            None => held,
        })
    }

    /// Returns the windows that are asked in turn.
    ///
    /// # Errors
    /// [`EngineError::WindowNeeded`], [`EngineError::WindowOrder`], [`EngineError::Request`]; as [`GenerateRequest::shape`].
    pub fn windows_asked(&self, session: &Session) -> Result<Vec<Window>, EngineError> {
        self.windows(session, self.shape(session)?)
    }

    fn windows(&self, session: &Session, shape: Shape) -> Result<Vec<Window>, EngineError> {
        if shape.is_pyramid() {
            return self.windows_of_levels(session, shape);
        }
        if self.windows.is_empty() {
            return Ok(vec![session.window(None)?]);
        }
        let windows = WindowChoice::windows(&self.windows, || {
            Ok(session.fitting(session.deepest()?.parts(MAX_WINDOWS), shape))
        })?;
        check_order(&windows)?;
        Ok(windows)
    }

    /// Returns the windows of a pyramid, coarse to fine: those that are asked for, and of levels that none is asked for those
    /// that are meant.
    fn windows_of_levels(
        &self,
        session: &Session,
        shape: Shape,
    ) -> Result<Vec<Window>, EngineError> {
        let asked = WindowChoice::windows(&self.windows, || session.whole_parts())?;
        for window in &asked {
            // Refuses those of other levels too.
            session.index.window(*window)?;
        }
        let mut windows = Vec::new();
        for level in shape.levels() {
            let of_level = |window: &Window| window.level() == level.number();
            let own: Vec<Window> = asked.iter().copied().filter(of_level).collect();
            if !own.is_empty() {
                windows.extend(own);
                continue;
            }
            let meant = session.index.windows().map(|held| held.geometry().window());
            let mut meant: Vec<Window> = meant.filter(of_level).collect();
            // The largest first, as back-off goes.
            meant.sort_by(|a, b| {
                let within = a.nests_in(*b);
                within.cmp(&b.nests_in(*a))
            });
            windows.extend(meant);
        }
        check_order(&windows)?;
        Ok(windows)
    }

    fn options(&self) -> Result<SearchOptions, EngineError> {
        let timeout = self.timeout_seconds.map(Duration::try_from_secs_f64);
        let timeout = timeout.transpose().map_err(|error| EngineError::Request {
            part: "the time limit",
            why: format!("expected a time limit in seconds: {error}"),
        })?;
        Ok(SearchOptions {
            method: self.method,
            seed: self.seed,
            max_backtracks: self.max_backtracks,
            timeout,
            min_count: self.min_count,
            temperature: self.temperature,
            backoff: self.backoff,
            restart: self.restart,
            max_states: self.max_states,
        })
    }

    /// Returns what a sample must satisfy beyond support, in words.
    fn constraints(&self) -> String {
        let mut words = self.fixed_words.clone();
        let bits = self.fixed.iter().count();
        if words.is_empty() && bits > 0 {
            words.push(format!("{bits} fixed bits"));
        }
        words.extend(self.novel.map(|novel| match novel {
            Novel::Finest => "novel".to_owned(),
            other => format!("novel {other}"),
        }));
        words.extend(self.distinct.then(|| "distinct".to_owned()));
        let limits = self.max_copied.iter();
        words.extend(limits.map(|limit| format!("max copied {limit}")));
        words.join("; ")
    }

    /// Returns how often the search for one sample asks a window of its level, about, without dead ends. A row is followed by the
    /// states that its windows tell apart, which double with each channel of a site: 7 to 27 lookups a bit were counted at one
    /// channel, 17 at two, 360 to 3,300 at eight.
    fn lookups(&self, window: Window, shape: Shape) -> u64 {
        let Some(level) = shape.level(window.level()) else {
            return 0;
        };
        let states = match self.method {
            Method::Row => 1u64 << (level.channels() - 1).min(20),
            _ => 1,
        };
        let most = (self.max_states as u64 / 20).max(1);
        10 * states.min(most) * level.bits() as u64
    }

    /// Returns the levels at which samples are to be novel, if at any.
    fn novel_levels(&self, shape: Shape) -> Result<Option<Vec<usize>>, EngineError> {
        let Some(novel) = self.novel else {
            return Ok(None);
        };
        let levels = novel.levels(&shape).ok_or_else(|| EngineError::Request {
            part: "the level at which samples are to be novel",
            why: format!(
                "expected a level of {shape} at which samples are to be novel, from 0 to {}, found {novel}",
                shape.finest().number()
            ),
        });
        Ok(Some(levels?))
    }

    /// Returns how much a sample may carry at each level, `None` for as much as there is.
    fn most_copied(&self, shape: Shape) -> Result<Vec<Option<f64>>, EngineError> {
        let mut most: Vec<Option<f64>> = vec![None; shape.levels().len()];
        for limit in &self.max_copied {
            let levels = match limit.level {
                None => Some(&mut most[..]),
                Some(level) => most.get_mut(level).map(std::slice::from_mut),
            };
            let Some(levels) = levels else {
                return Err(EngineError::Request {
                    part: "the limit on copying",
                    why: format!(
                        "{limit}: expected a level of {shape}, from 0 to {}",
                        shape.levels().len() - 1
                    ),
                });
            };
            for most in levels {
                *most = Some(most.map_or(limit.bits, |most| most.min(limit.bits)));
            }
        }
        Ok(most)
    }
}

/// Refuses a window that is asked after one that it holds.
fn check_order(windows: &[Window]) -> Result<(), EngineError> {
    for pair in windows.windows(2) {
        if pair[0].level() == pair[1].level() && pair[0].nests_in(pair[1]) {
            return Err(EngineError::WindowOrder {
                first: pair[0],
                second: pair[1],
            });
        }
    }
    Ok(())
}

/// Returns how many bytes of memory a sample takes until it is written: packed bits twice, in the attempt and in the
/// file; how each was answered, in both; counters.
fn sample_bytes(shape: Shape) -> u64 {
    (2 * shape.packed_bytes() + 3 * shape.bits() + 256) as u64
}

impl Session {
    /// Generates samples and keeps them.
    ///
    /// ```
    /// use bitquilt::{FixedBits, Novel};
    /// use bitquilt::engine::GenerateRequest;
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
    /// // `session` is of an index of 101100 and 111010 with window seq:3. Four samples that begin with 111 and are
    /// // neither of these:
    /// let request = GenerateRequest {
    ///     samples: 0..4,
    ///     fixed: FixedBits::prefix([true, true, true]),
    ///     novel: Some(Novel::Finest),
    ///     ..GenerateRequest::default()
    /// };
    /// let latents = session.generate(&request, &[], &Unobserved)?.latents()?;
    /// assert_eq!(latents.packed(), [0b110111; 4]); // 111011, lowest bit first
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::generate_into`]; [`EngineError::Memory`] when they do not fit the memory together.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        networks: &[Network<'_>],
        observer: &dyn Observer,
    ) -> Result<Generated, EngineError> {
        let samples = request.samples.end.saturating_sub(request.samples.start);
        let needed = samples.saturating_mul(sample_bytes(request.shape(self)?));
        self.memory_beside(0)
            .check(needed, format!("{samples} samples"))?;
        let mut attempts = Vec::new();
        let keep = |attempt| {
            attempts.push(attempt);
            Ok(())
        };
        let mut generated = self.search_for(request, networks, needed, observer, keep)?;
        generated.attempts = attempts;
        Ok(generated)
    }

    /// Generates samples and hands them to `take` as they are found, in the order of their numbers. What comes back holds no
    /// attempts.
    ///
    /// ```
    /// use bitquilt::engine::GenerateRequest;
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
    /// let request = GenerateRequest { samples: 100..200, ..GenerateRequest::default() };
    /// let mut numbers = Vec::new();
    /// session.generate_into(&request, &[], &Unobserved, |attempt| {
    ///     numbers.push(attempt.index);
    ///     Ok(())
    /// })?;
    /// assert_eq!(numbers, Vec::from_iter(100..200));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError`]: a request that cannot be searched for, or not in the memory of the session; whatever the index
    /// reports; whatever `take` returns.
    pub fn generate_into(
        &self,
        request: &GenerateRequest,
        networks: &[Network<'_>],
        observer: &dyn Observer,
        take: impl FnMut(Attempt) -> Result<(), EngineError>,
    ) -> Result<Generated, EngineError> {
        self.search_for(request, networks, 0, observer, take)
    }

    /// Searches for the samples of a request and hands them to `take`, which keeps `kept` bytes of them.
    fn search_for(
        &self,
        request: &GenerateRequest,
        networks: &[Network<'_>],
        kept: u64,
        observer: &dyn Observer,
        take: impl FnMut(Attempt) -> Result<(), EngineError>,
    ) -> Result<Generated, EngineError> {
        let searches = request.samples.end.saturating_sub(request.samples.start);
        self.with_task(request, networks, (searches, kept), observer, |task| {
            let range = request.samples.clone();
            search::generate_into(task, range, request.distinct, observer, take)
        })
        .map(|(generated, ())| generated)
    }

    /// Finds every sample that there is, each once, at most as many as the request asks for; without a bound, as many as fit
    /// in half of the memory that is left. The last attempt says how the search ended: [`Status::NoneExists`] proves
    /// that the others are all.
    ///
    /// ```
    /// use bitquilt::engine::GenerateRequest;
    /// use bitquilt::{FixedBits, Status};
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
    /// // Of 101100 and 111010 with window seq:3, two samples begin with 111.
    /// let fixed = FixedBits::prefix([true, true, true]);
    /// let request = GenerateRequest { fixed, ..GenerateRequest::default() };
    /// let all = session.enumerate(&request, None, &Unobserved)?;
    /// assert_eq!(all.latents()?.len(), 2);
    /// assert_eq!(all.attempts.last().map(|last| last.status), Some(Status::NoneExists));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::generate`].
    pub fn enumerate(
        &self,
        request: &GenerateRequest,
        max_samples: Option<u64>,
        observer: &dyn Observer,
    ) -> Result<Generated, EngineError> {
        let shape = request.shape(self)?;
        let half = self.memory_beside(0).part(0.5).available();
        let fit = (half / sample_bytes(shape)).max(1);
        let max_samples = max_samples.unwrap_or(fit);
        let kept = max_samples.min(fit).saturating_mul(sample_bytes(shape));
        let (mut generated, attempts) =
            self.with_task(request, &[], (1, kept), observer, |task| {
                Ok(search::enumerate(task, max_samples, observer)?)
            })?;
        generated.attempts = attempts;
        Ok(generated)
    }

    /// Counts all samples without finding them, keeping at most `max_states` states; `None` for any number.
    ///
    /// ```
    /// use bitquilt::FixedBits;
    /// use bitquilt::engine::GenerateRequest;
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
    /// // Of 101100 and 111010 with window seq:3, two samples begin with 111.
    /// let fixed = FixedBits::prefix([true, true, true]);
    /// let request = GenerateRequest { fixed, ..GenerateRequest::default() };
    /// let report = session.count(&request, None, &Unobserved)?;
    /// assert_eq!((report.count.as_str(), report.complete), ("2", true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::generate`].
    pub fn count(
        &self,
        request: &GenerateRequest,
        max_states: Option<u64>,
        observer: &dyn Observer,
    ) -> Result<CountReport, EngineError> {
        let (_, count) = self.with_task(request, &[], (1, 0), observer, |task| {
            Ok(search::count(task, max_states, observer)?)
        })?;
        Ok(CountReport {
            count: count.samples.to_string(),
            complete: count.status == Status::NoneExists,
            lookups: count.lookups,
            states: count.states,
            status: count.status,
        })
    }

    /// Makes the task of a request, of so many searches that keep so many bytes of samples, and gives it to `work`.
    fn with_task<T>(
        &self,
        request: &GenerateRequest,
        networks: &[Network<'_>],
        (searches, kept): (u64, u64),
        observer: &dyn Observer,
        work: impl FnOnce(&Task<'_>) -> Result<T, EngineError>,
    ) -> Result<(Generated, T), EngineError> {
        let shape = request.shape(self)?;
        let windows = request.windows(self, shape)?;
        let held = windows.iter().map(|window| self.index.window(*window));
        let held = held.collect::<Result<Vec<_>, _>>()?;
        let geometries = held.iter().map(|held| held.geometry_on(shape));
        let geometries = geometries.collect::<Result<Vec<_>, _>>()?;
        let of_networks = networks
            .iter()
            .map(|network| self.geometry_of(network, shape));
        let of_networks = of_networks.collect::<Result<Vec<_>, _>>()?;
        let taken = (request.novel_levels(self.index.shape())?)
            .map(|levels| self.taken(&levels, kept, observer))
            .transpose()?;
        let lookups = |window: Window| searches.saturating_mul(request.lookups(window, shape));
        // The longest part is found in the array, of one level.
        let in_array = request.preload == Preload::Auto && !shape.is_pyramid();
        let preload = match request.windows[..] {
            [WindowChoice::Longest] if in_array => Preload::None,
            _ => request.preload,
        };
        let most_copied = request.most_copied(self.index.shape())?;
        let copying = match request.max_copied.is_empty() {
            true => None,
            false => Some(self.copying(usize::try_from(searches).unwrap_or(usize::MAX), observer)?),
        };
        let windows_of_copying = copying.as_ref().map(Copying::windows).transpose()?;
        let limit = copying.as_ref().zip(windows_of_copying.as_ref());
        let limit = limit.map(|(copying, windows)| copying.limit(windows, &most_copied));
        let tables = self.tables(&held, preload, lookups, kept, observer)?;
        let rungs = geometries.iter().zip(held.iter().zip(&tables));
        let mut constraints: Vec<&dyn Constraint> = vec![&request.fixed];
        if let Some(taken) = &taken {
            constraints.push(&**taken);
        }
        if let Some(limit) = &limit {
            constraints.push(limit);
        }
        let task = Task {
            rungs: rungs
                .map(|(geometry, (window, table))| Rung {
                    geometry,
                    counts: match table {
                        Some(table) => &**table,
                        None => window,
                    },
                })
                .collect(),
            constraints,
            given: self.given(request.label)?,
            options: request.options()?,
            fallbacks: (networks.iter().zip(&of_networks))
                .map(|(network, geometry)| Fallback {
                    geometry,
                    network: network.network,
                    policy: request.policy,
                    max_interpolated: request.max_interpolated,
                })
                .collect(),
        };
        let result = work(&task)?;
        let names: Vec<&str> = networks.iter().map(|network| network.name).collect();
        let manifest = self.index.manifest();
        let name = self.index.path().file_name().unwrap_or_default();
        let generated = Generated {
            settings: task.settings(&request.constraints(), &names.join(", ")),
            attempts: Vec::new(),
            shape,
            codecs: manifest.codecs(),
            source: format!("generated from {}", name.to_string_lossy()),
            label: request.label,
            without: self.index.left_out(),
            windows,
        };
        Ok((generated, result))
    }

    /// Returns the window of a network on the grid of the samples.
    fn geometry_of(&self, network: &Network<'_>, shape: Shape) -> Result<Geometry, EngineError> {
        let held = self.index.window(network.network.window())?;
        Ok(held.geometry_on(shape)?)
    }
}
