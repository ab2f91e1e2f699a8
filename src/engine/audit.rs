//! The audit of a set of samples: who copies, how much, from where; and the field's own numbers beside it.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{CopyRequest, Copying, EngineError, Session};
use crate::audit::{Number, fitting_gap, near, numbers};
use crate::base::Observer;
use crate::copies::{Calibration, CopyCount, Judged, Verdict, check_held_out, worst_first};
use crate::index::Source;
use crate::latent::{Bits, LatentSet, Level, Shape};
use crate::samples::SampleSet;

/// Training latents that FLD's gap is told of.
const MAX_TRAINING: usize = 2000;

/// What an audit tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditRequest {
    /// How samples are judged.
    pub copies: CopyRequest,
    /// Samples to show that look most like copies.
    pub worst: usize,
    /// Training latents to tell that lent most.
    pub credits: usize,
}

impl Default for AuditRequest {
    fn default() -> Self {
        Self {
            copies: CopyRequest::default(),
            worst: 24,
            credits: 24,
        }
    }
}

/// The verdict on one sample, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditedSample {
    /// Its number in the samples file.
    pub sample: usize,
    /// Its label, where the file has labels.
    pub label: Option<i64>,
    /// Whether it is called a copy.
    pub copy: bool,
    /// Share of held-out latents, and the sample itself, that look as much like a copy.
    pub p: f64,
}

/// A sample that looks like a copy, with all that was found of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorstSample {
    /// Its number in the samples file.
    pub sample: usize,
    /// Its label, where the file has labels.
    pub label: Option<i64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What a training latent lent to samples that are called copies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lent {
    /// Its id.
    pub latent: u32,
    /// Samples that have a level or part from it which alone is as rare in honest data as a copy must be.
    pub samples: u64,
    /// What telling these as copies saves, in bits; of each sample and level the most.
    pub gain: f64,
}

/// An audit, as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// `bitquilt.audit`.
    pub format: &'static str,
    /// Its version.
    pub version: u32,
    /// The index.
    pub index: String,
    /// The samples file, as the caller names it.
    pub samples_file: String,
    /// The shape of samples and training latents.
    pub shape: String,
    /// Training latents that copies were looked for in.
    pub latents: u64,
    /// How many samples are called copies, and how many honest ones would be.
    pub copies: CopyCount,
    /// The verdict on every sample.
    pub verdicts: Vec<AuditedSample>,
    /// The samples that look most like copies, the worst first.
    pub worst: Vec<WorstSample>,
    /// The training latents that lent most, in bits.
    pub credits: Vec<Lent>,
    /// The field's own numbers.
    pub numbers: Vec<Number>,
}

/// What a picture of a sample beside its source is drawn from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exhibit {
    /// Its number in the samples file.
    pub sample: usize,
    /// What most looks like a copy in it.
    pub judged: Judged,
    /// The level that this lies in.
    pub level: Level,
    /// The bits of that level: of the sample, and of the training latent.
    pub bits: [Vec<u8>; 2],
    /// The sites of the sample, row and column, that differ from those of the source under them.
    pub differing: Vec<(usize, usize)>,
}

/// An audit, with what its pictures are drawn from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Audit {
    /// What it tells.
    pub report: AuditReport,
    /// For each of the worst samples what most looks like a copy in it; a sample of which nothing does is left out.
    pub exhibits: Vec<Exhibit>,
    /// The finest level of samples and training latents.
    pub finest: Level,
    /// For each latent that is credited, the bits of that level.
    pub lenders: Vec<Vec<u8>>,
    /// How held-out latents looked.
    pub calibration: Calibration,
}

impl Session {
    /// Audits samples against the training latents that they were generated with. `held_out` are latents that were not indexed, drawn
    /// as the training latents were; `name` names them. `calibration` is how they looked, where that is known already.
    ///
    /// # Errors
    /// [`EngineError::NoSamples`] without samples or held-out latents; [`EngineError::Request`] for those of another shape than the
    /// index's; [`EngineError::Copies`] for a calibration by other latents or against others; as [`Session::copying`].
    pub fn audit(
        &self,
        samples: &SampleSet,
        (held_out, name): (&LatentSet, &Path),
        calibration: Option<Calibration>,
        request: &AuditRequest,
        observer: &dyn Observer,
    ) -> Result<Audit, EngineError> {
        request.copies.check()?;
        let latents = &samples.latents;
        if latents.is_empty() {
            return Err(EngineError::NoSamples);
        }
        let looked_at = latents.len() + held_out.len();
        let copying = self.copying_as_generated(samples, looked_at, observer)?;
        copying.check_shape(latents, "the samples")?;
        let calibration = match calibration {
            None => copying.calibrate(held_out, name, observer)?,
            Some(calibration) => {
                let source = Source::of(held_out, name.display().to_string());
                check_held_out(&calibration, &source.xxh3_128)?;
                calibration
            }
        };
        let every = 0..latents.len();
        let verdicts = copying.judge(latents, every, &calibration, &request.copies, observer)?;
        let mut worst = worst_first(&verdicts);
        worst.truncate(request.worst);
        let label = |sample: usize| latents.labels().map(|labels| labels[sample]);
        let credits = credits(&verdicts, request.copies.false_alarms, request.credits);
        let exhibits = worst.iter().filter_map(|sample| {
            let most = verdicts[*sample].most_likely()?;
            Some(copying.exhibit(latents, *sample, most))
        });
        let exhibits = exhibits.collect::<Result<_, _>>()?;
        let finest = *latents.shape().finest();
        let lenders = credits
            .iter()
            .map(|lent| copying.bits_of(lent.latent, &finest));
        let lenders = lenders.collect::<Result<_, _>>()?;
        let report = AuditReport {
            format: "bitquilt.audit",
            version: 1,
            index: self.index().path().display().to_string(),
            samples_file: String::new(),
            shape: latents.shape().to_string(),
            latents: copying.measure().latents,
            copies: CopyCount::new(&calibration, request.copies.false_alarms, &verdicts),
            worst: worst
                .into_iter()
                .map(|sample| WorstSample {
                    sample,
                    label: label(sample),
                    verdict: verdicts[sample].clone(),
                })
                .collect(),
            verdicts: verdicts
                .iter()
                .enumerate()
                .map(|(sample, verdict)| AuditedSample {
                    sample,
                    label: label(sample),
                    copy: verdict.copy,
                    p: verdict.p,
                })
                .collect(),
            credits,
            numbers: copying.numbers(latents, held_out, request.copies.false_alarms, observer)?,
        };
        Ok(Audit {
            report,
            exhibits,
            finest,
            lenders,
            calibration,
        })
    }
}

/// Returns the training latents that lent most to samples that are called copies.
fn credits(verdicts: &[Verdict], false_alarms: f64, max: usize) -> Vec<Lent> {
    let mut lent: BTreeMap<u32, (u64, f64)> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.copy) {
        let mut own: BTreeMap<(u32, usize), f64> = BTreeMap::new();
        for judged in verdict.judged().filter(|judged| judged.p <= false_alarms) {
            let copied = &judged.copied;
            let gain = own.entry((copied.latent, copied.level)).or_default();
            *gain = gain.max(copied.gain);
        }
        let mut seen = None;
        for ((latent, _), gain) in own {
            let (samples, sum) = lent.entry(latent).or_default();
            *samples += u64::from(seen.replace(latent) != Some(latent));
            *sum += gain;
        }
    }
    let mut credits: Vec<Lent> = lent
        .into_iter()
        .map(|(latent, (samples, gain))| Lent {
            latent,
            samples,
            gain,
        })
        .collect();
    credits.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.latent.cmp(&b.latent)));
    credits.truncate(max);
    credits
}

impl Copying {
    /// Returns the bits of a level of a training latent, packed.
    fn bits_of(&self, latent: u32, level: &Level) -> Result<Vec<u8>, EngineError> {
        let held = self.index.held_latent(latent.into())?;
        Ok(level.bits_of(held.packed()))
    }

    /// Returns what a picture of a sample beside its source is drawn from.
    fn exhibit(
        &self,
        samples: &LatentSet,
        sample: usize,
        judged: &Judged,
    ) -> Result<Exhibit, EngineError> {
        let copied = &judged.copied;
        let level = samples.shape().levels()[copied.level];
        let own = level.bits_of(samples.packed_latent(sample));
        let source = self.bits_of(copied.latent, &level)?;
        let grid = level.shape();
        let mut differing = Vec::new();
        // Where strokes are thicker or thinner, the source is compared with what they would be otherwise.
        if copied.stroke.is_none() {
            for row in copied.rows.clone() {
                for col in copied.columns.clone() {
                    // Every site of a copy has one of the source under it.
                    let under = row.saturating_add_signed(copied.down as isize);
                    let beside = col.saturating_add_signed(copied.right as isize);
                    if site(grid, &own, row, col) != site(grid, &source, under, beside) {
                        differing.push((row, col));
                    }
                }
            }
        }
        Ok(Exhibit {
            sample,
            judged: judged.clone(),
            level,
            bits: [own, source],
            differing,
        })
    }

    /// Returns the field's own numbers.
    fn numbers(
        &self,
        samples: &LatentSet,
        held_out: &LatentSet,
        false_alarms: f64,
        observer: &dyn Observer,
    ) -> Result<Vec<Number>, EngineError> {
        let all = (samples.len() + held_out.len()) as u64;
        observer.stage("distances", all, "latents");
        let of = |set| near(&self.corpus, set, observer).map_err(crate::copies::CopiesError::from);
        let mut told = numbers(&of(samples)?, &of(held_out)?, false_alarms);
        let ids: Vec<u32> = self.corpus.spaced(MAX_TRAINING).collect();
        let rows = ids
            .par_iter()
            .map(|id| self.index.held_latent((*id).into()));
        let rows = rows.map(|latent| latent.map(|latent| latent.packed().to_vec()));
        let rows = rows.collect::<Result<Vec<_>, _>>()?.concat();
        let training = LatentSet::from_packed(samples.shape(), rows)?;
        let half = |odd: usize| {
            let ids = (odd..held_out.len())
                .step_by(2)
                .map(|id| id as u64..id as u64 + 1);
            held_out.only(&crate::latent::Ids::new(ids))
        };
        told.push(Number::of_set(
            "FLD gap",
            fitting_gap(samples, &training, held_out),
            fitting_gap(&half(0), &training, &half(1)),
            "how many more bits a mixture of kernels at the samples takes to tell training latents than held-out ones, per hundred bits \
             (Jiralerspong et al. 2023, with kernels of bits): far below 0 where samples copy; for held-out latents one half of them \
             beside the other",
            "a few copies do not move it",
        ));
        Ok(told)
    }
}

/// Returns the bits of a site.
fn site(grid: Shape, packed: &[u8], row: usize, col: usize) -> &Bits {
    let start = (row * grid.width() + col) * grid.channels();
    &Bits::from_slice(packed)[start..start + grid.channels()]
}
