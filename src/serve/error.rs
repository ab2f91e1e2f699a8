//! What keeps a server from starting.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::engine::EngineError;

/// An error of the `serve` module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address that cannot be listened on.
    #[error(
        "{address}: cannot listen there: {error}: choose another address or port, or port 0 for a free one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: io::Error,
    },

    /// An address that other machines reach, without anything that they must know.
    #[error(
        "{address}: other machines reach this address: expected a token that requests must bring, found none"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },

    /// A token, a host name or an origin of another form.
    #[error("{what} '{found}': expected {expected}")]
    Form {
        /// What it is.
        what: &'static str,
        /// How it was written.
        found: String,
        /// How it is written.
        expected: &'static str,
    },

    /// A folder of pictures without any.
    #[error("{path}: expected pictures named by the ids of training latents, as 17.png, found none", path = path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },

    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),

    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}
