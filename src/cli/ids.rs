//! Latent ids on the command line, and the index without some of them.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;

use bitquilt::engine::{Session, SessionOptions};
use bitquilt::latent::Ids;

/// Ids as they are given: a list, or a file of lists.
#[derive(Clone, Debug)]
pub(super) struct IdsArg(String);

impl FromStr for IdsArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl IdsArg {
    /// Reads the ids; errors name `option`.
    pub(super) fn read(&self, option: &str) -> anyhow::Result<Ids> {
        let Some(path) = self.0.strip_prefix('@') else {
            return self.0.parse().with_context(|| option.to_owned());
        };
        let text = fs_err::read_to_string(Path::new(path)).with_context(|| option.to_owned())?;
        let mut ids = Ids::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let own: Ids = line
                    .parse()
                    .with_context(|| format!("{option}: {path}, line {}", number + 1))?;
                ids = ids.union(&own);
            }
        }
        Ok(ids)
    }
}

/// Training latents left out
#[derive(Args, Debug)]
pub(super) struct WithoutArgs {
    /// Answer as if these training latents had never been indexed: ids as 3,17,100..200 (100 to 199), or
    /// @FILE with one or more on each line, # before a remark
    #[arg(long, value_name = "IDS|@FILE")]
    without: Option<IdsArg>,
}

impl WithoutArgs {
    pub(super) fn is_given(&self) -> bool {
        self.without.is_some()
    }

    /// Returns the ids; none where none were given.
    pub(super) fn ids(&self) -> anyhow::Result<Ids> {
        match &self.without {
            Some(without) => without.read("--without"),
            None => Ok(Ids::default()),
        }
    }

    /// Opens a session of an index without them.
    pub(super) fn open(&self, index: &Path, options: SessionOptions) -> anyhow::Result<Session> {
        let options = options.without(self.ids()?);
        let session = Session::open(index, &options);
        match self.without {
            Some(_) => session.context("--without"),
            None => Ok(session?),
        }
    }
}
