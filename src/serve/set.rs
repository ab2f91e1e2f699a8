//! A set of samples as the explorer has it: what each of them comes to, filled in while they are traced.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use crate::base::Observer;
use crate::engine::{
    BACKGROUND, EngineError, Judged, Session, TraceNames, TraceRequest, TracedSample,
};
use crate::index::Source;
use crate::samples::SampleSet;
use crate::trace::Remembered;

/// A set of samples, and how it is traced.
pub struct SetSource {
    /// What it is called on the pages and in addresses.
    pub name: String,
    /// Where it is.
    pub file: String,
    /// The samples, or any latents of the index's channels.
    pub samples: SampleSet,
    /// How they are traced.
    pub request: TraceRequest,
}

/// What a sample took of one training latent in one level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Use {
    pub(super) latent: u32,
    pub(super) level: u32,
    /// Sites of its regions.
    pub(super) sites: u32,
    /// Information of its regions that are no background, in bits.
    pub(super) information: f64,
}

/// What a traced sample comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Share of its bits that some window of the quilt supports.
    pub(super) supported: f64,
    /// Information of its most informative region, in bits.
    pub(super) information: f64,
    /// Share of its bits in the largest region.
    pub(super) largest: f64,
    /// Bits to the nearest training latent.
    pub(super) distance: Option<u32>,
    #[serde(skip)]
    pub(super) uses: Vec<Use>,
}

impl Figures {
    fn of(traced: &TracedSample<'_>) -> Self {
        let summary = &traced.summary;
        let nearest = summary
            .nearness
            .as_ref()
            .and_then(|near| near.nearest.first());
        let mut uses: Vec<Use> = Vec::new();
        for region in &traced.trace.quilt.regions {
            let information = region.information.in_bits();
            if information < BACKGROUND {
                continue;
            }
            let same = |own: &&mut Use| (own.latent, own.level) == (region.latent, region.level);
            match uses.iter_mut().find(same) {
                Some(own) => {
                    own.sites += region.sites;
                    own.information += information;
                }
                None => uses.push(Use {
                    latent: region.latent,
                    level: region.level,
                    sites: region.sites,
                    information,
                }),
            }
        }
        Self {
            supported: summary.supported as f64 / traced.trace.support.at.len() as f64,
            information: summary.most_informative,
            largest: summary.largest,
            distance: nearest.map(|near| near.distance),
            uses,
        }
    }
}

/// A set that is served.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) names: TraceNames,
    pub(super) samples: SampleSet,
    /// XXH3-128 of its shape and bits.
    pub(super) digest: String,
    pub(super) judged: Option<Judged>,
    /// Of the training latents that the samples were generated with.
    pub(super) session: Arc<Session>,
    request: TraceRequest,
    /// Of traces by its session.
    pub(super) remembered: Arc<Remembered>,
    figures: RwLock<Vec<Figures>>,
    traced: AtomicUsize,
}

impl Set {
    /// Takes a set; `name` is one that no other set has.
    pub(super) fn new(
        session: &Arc<Session>,
        name: String,
        index: String,
        source: SetSource,
        judged: Option<Judged>,
    ) -> Result<Self, EngineError> {
        let SetSource {
            file,
            samples,
            request,
            ..
        } = source;
        if samples.latents.is_empty() {
            return Err(EngineError::NoSamples);
        }
        let own = match request.all_latents {
            true => None,
            false => session.as_generated(&samples)?,
        };
        Ok(Self {
            name,
            names: TraceNames {
                index,
                samples: file.clone(),
            },
            digest: Source::of(&samples.latents, file).xxh3_128,
            judged,
            session: own.map_or_else(|| session.clone(), Arc::new),
            request,
            remembered: Arc::default(),
            figures: RwLock::default(),
            traced: AtomicUsize::new(0),
            samples,
        })
    }

    /// Returns the number of samples.
    pub(super) fn len(&self) -> usize {
        self.samples.latents.len()
    }

    /// Returns how many samples are traced.
    pub(super) fn traced(&self) -> usize {
        self.traced.load(Ordering::Acquire)
    }

    /// Returns the request that traces some of the samples; what they were generated without is left out by the set's session.
    pub(super) fn request(&self, samples: Range<usize>) -> TraceRequest {
        TraceRequest {
            samples,
            all_latents: true,
            ..self.request.clone()
        }
    }

    /// Refuses samples that do not fit the index.
    pub(super) fn check(&self, observer: &dyn Observer) -> Result<(), EngineError> {
        let tracing = self
            .session
            .tracing(&self.samples, &self.request(0..0), observer)?;
        tracing.tracer().map(|_| ())
    }

    /// Traces all samples, in order.
    pub(super) fn trace(&self, observer: &dyn Observer) -> Result<(), EngineError> {
        let request = self.request(0..self.len());
        // Visitors ask for one sample after the other.
        self.session
            .hold_for_traces(&self.samples, &request, observer)?;
        let tracing = self.session.tracing(&self.samples, &request, observer)?;
        let tracing = tracing.remembering(&self.remembered);
        tracing.trace(observer, |traced| {
            let figures = Figures::of(&traced);
            let mut held = self.figures.write().unwrap_or_else(PoisonError::into_inner);
            held.push(figures);
            self.traced.store(held.len(), Ordering::Release);
            Ok(())
        })?;
        Ok(())
    }

    /// Hands the figures of those that are traced, in order, to `with`.
    pub(super) fn with_figures<T>(&self, with: impl FnOnce(&[Figures]) -> T) -> T {
        with(&self.figures.read().unwrap_or_else(PoisonError::into_inner))
    }
}
