//! What is explored.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use xxhash_rust::xxh3::Xxh3;

use super::set::Set;
use super::{Photos, ServeError, SetSource};
use crate::base::Observer;
use crate::copies::Calibration;
use crate::engine::{CopyRequest, EngineError, JudgeBy, Judged, Session, TraceRequest};
use crate::latent::{Ids, LatentSet, Level};
use crate::picture::Picture;

/// Draws a level of a latent: its grid and its packed bits; why it cannot, in words.
pub type Draw = Box<dyn Fn(&Level, &[u8]) -> Result<Picture, String> + Send + Sync>;

/// The set of held-out latents, and how many of them are shown at most.
const HELD_OUT: &str = "held-out";
const MAX_HELD_OUT: usize = 2000;
/// Letters of a set's name at most.
const MAX_NAME: usize = 60;

/// Sessions without some more training latents that are kept, for whoever asks "what if" again.
const MAX_WITHOUT: usize = 2;

/// An index and sets of samples, to be looked at.
pub struct Explorer {
    pub(super) session: Arc<Session>,
    pub(super) name: String,
    pub(super) sets: Vec<Set>,
    pub(super) draw: Draw,
    pub(super) decodes: bool,
    pub(super) photos: Photos,
    pub(super) generates: bool,
    /// Why samples could not be traced to their end.
    failed: Mutex<Option<String>>,
    without: Mutex<VecDeque<(String, Arc<Session>)>>,
    /// How held-out latents look beside the training latents without some.
    known: Vec<(Ids, Calibration)>,
}

impl Explorer {
    /// Explores an index that is called `name`; bits are drawn as they are.
    pub fn new(session: Arc<Session>, name: impl Into<String>) -> Self {
        let codecs = session.index().manifest().codecs();
        let plain = move |level: &Level, packed: &[u8]| {
            let codec = &codecs[level.number()];
            let path = std::path::Path::new("a latent");
            let picture = Picture::of_latent(level.shape(), packed, codec, path);
            picture.map_err(|error| error.to_string())
        };
        Self {
            session,
            name: name.into(),
            sets: Vec::new(),
            draw: Box::new(plain),
            decodes: false,
            photos: Photos::default(),
            generates: false,
            failed: Mutex::default(),
            without: Mutex::default(),
            known: Vec::new(),
        }
    }

    /// Adds a set of samples, judged where there is something to judge by. Its name is made one that can stand in an address, and that no other
    /// set has. Held-out latents are looked at once for sets that were generated with the same training latents.
    ///
    /// # Errors
    /// [`EngineError`] for samples that cannot be traced to the index, or judged.
    pub fn add(
        &mut self,
        source: SetSource,
        by: Option<(JudgeBy<'_>, &CopyRequest)>,
        observer: &dyn Observer,
    ) -> Result<(), ServeError> {
        let judged = match by {
            Some((by, request)) => Some(self.judge(&source, by, request, observer)?),
            None => None,
        };
        let name = self.name_of(&source.name);
        let set = Set::new(&self.session, name, self.name.clone(), source, judged)?;
        set.check(observer)?;
        self.sets.push(set);
        Ok(())
    }

    /// Adds held-out latents, the first few of them, for samples to be looked at beside.
    ///
    /// # Errors
    /// As [`Explorer::add`].
    pub fn add_held_out(
        &mut self,
        latents: LatentSet,
        file: String,
        request: TraceRequest,
        observer: &dyn Observer,
    ) -> Result<(), ServeError> {
        let source = SetSource {
            name: HELD_OUT.to_owned(),
            file,
            samples: latents.first(MAX_HELD_OUT).into(),
            request,
        };
        self.add(source, None, observer)
    }

    fn judge(
        &mut self,
        source: &SetSource,
        by: JudgeBy<'_>,
        request: &CopyRequest,
        observer: &dyn Observer,
    ) -> Result<Judged, EngineError> {
        let (samples, without) = (&source.samples, &source.samples.without);
        let known = self.known.iter().find(|(own, _)| own == without);
        let by = known.map_or(by, |(_, calibration)| JudgeBy::Calibrated(calibration));
        let judged = self
            .session
            .judge(samples, &source.request, by, request, observer)?;
        self.known
            .push((without.clone(), judged.calibration.clone()));
        Ok(judged)
    }

    /// Returns a name that can stand in an address and that no set has.
    fn name_of(&self, asked: &str) -> String {
        let plain = |letter: char| match letter {
            letter if letter.is_ascii_alphanumeric() || "-_.".contains(letter) => letter,
            _ => '-',
        };
        let name: String = asked.chars().map(plain).take(MAX_NAME).collect();
        let name = match name.trim_matches(['-', '.']) {
            "" => "samples",
            name => name,
        };
        let is_taken = |name: &str| self.sets.iter().any(|set| set.name == name);
        let mut numbered = (2..).map(|number| format!("{name}-{number}"));
        match is_taken(name) {
            false => name.to_owned(),
            true => numbered.find(|name| !is_taken(name)).unwrap_or_default(),
        }
    }

    /// Draws latents by `draw` instead: a model that decodes their codes.
    #[must_use]
    pub fn drawn_by(mut self, draw: Draw) -> Self {
        self.draw = draw;
        self.decodes = true;
        self
    }

    /// Shows pictures of training latents that the user has.
    #[must_use]
    pub fn with_photos(mut self, photos: Photos) -> Self {
        self.photos = photos;
        self
    }

    /// Whether visitors may generate.
    #[must_use]
    pub fn generating(mut self, allowed: bool) -> Self {
        self.generates = allowed;
        self
    }

    /// Returns the set of a name.
    pub(super) fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// Returns how many samples are traced, of all sets.
    pub(super) fn traced(&self) -> usize {
        self.sets.iter().map(Set::traced).sum()
    }

    /// Traces the samples of all sets, in order. What goes wrong is kept and told to whoever asks.
    pub(super) fn trace(&self, observer: &dyn Observer) {
        for set in &self.sets {
            if let Err(error) = set.trace(observer)
                && !observer.stop_requested()
            {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                *failed = Some(format!("{}: {error}", set.names.samples));
            }
        }
    }

    /// Returns why samples could not be traced to their end, if so.
    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.failed.lock();
        failed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what a cached answer is of: the index and every set, in one word.
    pub(super) fn digest(&self) -> String {
        let mut hash = Xxh3::new();
        let mut add = |text: &str| hash.update(format!("{};{text}", text.len()).as_bytes());
        add(env!("CARGO_PKG_VERSION"));
        add(&self.session.index().identity());
        for set in &self.sets {
            for text in [&set.name, &set.digest, &set.names.samples, &set.names.index] {
                add(text);
            }
            // Plain data, which JSON holds: where it did not, the word would be another one than it was.
            let judged = set.judged.as_ref().map(|judged| &judged.each);
            add(&serde_json::to_string(&(judged, set.request(0..0))).unwrap_or_default());
        }
        // What a model or the user's files draw may be other pictures next time.
        if self.decodes || self.photos.any() {
            add(&format!("{:?}", SystemTime::now()));
        }
        format!("{:016x}", hash.digest())
    }

    /// Returns the session of a set as it would be without some more training latents.
    pub(super) fn without(&self, set: &Set, ids: &Ids) -> Result<Arc<Session>, EngineError> {
        let all = set.session.index().left_out().union(ids);
        let name = all.to_string();
        let lock = || self.without.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, session)) = lock().iter().find(|(own, _)| *own == name) {
            return Ok(session.clone());
        }
        // Not locked while it opens. Of two that open the same one, the later is asked next time.
        let session = match set.session.without(ids)? {
            Some(session) => Arc::new(session),
            None => set.session.clone(),
        };
        let mut kept = lock();
        kept.push_front((name, session.clone()));
        kept.truncate(MAX_WITHOUT);
        Ok(session)
    }
}
