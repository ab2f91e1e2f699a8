//! The network that answers where the windows do not: `--fallback`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::limit::Limit;
use super::neural::load_predictor;
use super::one_of::names_of;
use bitquilt::engine::{GenerateRequest, Network, Session};
use bitquilt::latent::Shape;
use bitquilt::neural::{Device, PlainArvm};
use bitquilt::search::Policy;
use bitquilt::window::Interpolator;

/// A network that may answer
#[derive(Args)]
pub(super) struct FallbackArgs {
    /// An ARVM of this index, which may answer where no window does: a checkpoint, or a run's folder. It runs on
    /// the processor. Its bits are marked. Of pyramids one for each level that it may answer in
    #[arg(long = "fallback", value_name = "ARVM")]
    fallbacks: Vec<PathBuf>,

    /// When the network answers
    #[arg(long, default_value = "on-dead-end", value_parser = policy(), requires = "fallbacks")]
    policy: PolicyArg,

    /// Most bits of a sample that the network may answer, or none; a sample that needs more is given up
    #[arg(
        long,
        value_name = "N|none",
        default_value = "none",
        requires = "fallbacks"
    )]
    max_interpolated: Limit,
}

/// A policy; none for `never`.
#[derive(Clone, Copy)]
struct PolicyArg(Option<Policy>);

fn policy() -> impl TypedValueParser<Value = PolicyArg> {
    let never = PossibleValue::new("never").help("Never, as without --fallback");
    let names = std::iter::once(never).chain(names_of::<Policy>(|_| true));
    // Of the names that are offered, `never` alone is no policy.
    PossibleValuesParser::new(names).map(|name| PolicyArg(name.parse().ok()))
}

impl FallbackArgs {
    /// Loads the networks on the grid of the samples; `None` where none may answer.
    pub(super) fn load(&self, session: &Session, shape: Shape) -> anyhow::Result<Option<Loaded>> {
        let Some(policy) = self.policy.0.filter(|_| !self.fallbacks.is_empty()) else {
            return Ok(None);
        };
        let networks = self
            .fallbacks
            .iter()
            .map(|path| of_level(path, session, shape));
        let networks: Vec<(String, PlainArvm)> = networks.collect::<anyhow::Result<_>>()?;
        let level = |network: &PlainArvm| network.window().level();
        for (number, (_, network)) in networks.iter().enumerate() {
            let other = networks[..number]
                .iter()
                .position(|(_, n)| level(n) == level(network));
            if let Some(other) = other {
                bail!(
                    "--fallback {}: answers for level {}, as {} does: name one of them",
                    self.fallbacks[number].display(),
                    level(network),
                    self.fallbacks[other].display()
                );
            }
        }
        Ok(Some(Loaded {
            networks,
            policy,
            max_interpolated: self.max_interpolated.0,
        }))
    }
}

/// Loads one network, with its name for the samples file.
fn of_level(path: &Path, session: &Session, shape: Shape) -> anyhow::Result<(String, PlainArvm)> {
    let index = session.index();
    let predictor = load_predictor(path, Device::CPU)?;
    let named = |error: anyhow::Error| error.context(format!("--fallback {}", path.display()));
    predictor
        .config()
        .check_index(index)
        .map_err(|error| named(error.into()))?;
    let network = PlainArvm::new(&predictor).map_err(|error| named(error.into()))?;
    let held = index.window(predictor.geometry().window())?;
    let geometry = held.geometry_on(shape)?;
    if !network.reads(&geometry) {
        bail!(
            "--fallback {}: expected a network for {shape} samples, found one for {} latents of window {}",
            path.display(),
            predictor.geometry().shape(),
            predictor.config().window
        );
    }
    let name = format!("{} (arvm {})", path.display(), geometry.window());
    Ok((name, network))
}

/// Networks ready to answer.
pub(super) struct Loaded {
    networks: Vec<(String, PlainArvm)>,
    policy: Policy,
    max_interpolated: Option<u64>,
}

impl Loaded {
    /// Says in a request when they may answer.
    pub(super) fn put_into(&self, request: &mut GenerateRequest) {
        request.policy = self.policy;
        request.max_interpolated = self.max_interpolated;
    }

    pub(super) fn networks(&self) -> Vec<Network<'_>> {
        let networks = self.networks.iter();
        networks
            .map(|(name, network)| Network { name, network })
            .collect()
    }
}
