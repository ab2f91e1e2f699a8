//! The network that answers where the windows do not: `--fallback`.

use std::path::PathBuf;

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

/// A network that may answer
#[derive(Args)]
pub(super) struct FallbackArgs {
    /// An ARVM of this index, which may answer where no window does: a checkpoint, or a run's folder. It runs on
    /// the processor. Its bits are marked
    #[arg(long, value_name = "ARVM")]
    fallback: Option<PathBuf>,

    /// When the network answers
    #[arg(long, default_value = "on-dead-end", value_parser = policy(), requires = "fallback")]
    policy: PolicyArg,

    /// Most bits of a sample that the network may answer, or none; a sample that needs more is given up
    #[arg(
        long,
        value_name = "N|none",
        default_value = "none",
        requires = "fallback"
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
    /// Loads the network on the grid of the samples; `None` where none may answer.
    pub(super) fn load(&self, session: &Session, shape: Shape) -> anyhow::Result<Option<Loaded>> {
        let (Some(path), Some(policy)) = (&self.fallback, self.policy.0) else {
            return Ok(None);
        };
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
        Ok(Some(Loaded {
            name: format!("{} (arvm {})", path.display(), geometry.window()),
            network,
            policy,
            max_interpolated: self.max_interpolated.0,
        }))
    }
}

/// A network ready to answer.
pub(super) struct Loaded {
    name: String,
    network: PlainArvm,
    policy: Policy,
    max_interpolated: Option<u64>,
}

impl Loaded {
    /// Says in a request when it may answer.
    pub(super) fn put_into(&self, request: &mut GenerateRequest) {
        request.policy = self.policy;
        request.max_interpolated = self.max_interpolated;
    }

    pub(super) fn network(&self) -> Network<'_> {
        Network {
            name: &self.name,
            network: &self.network,
        }
    }
}
