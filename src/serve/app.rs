//! Everything that answers.

use std::sync::Arc;

use super::Explorer;
use super::gate::Gate;
use super::guard::Guard;

/// Everything that answers.
pub(super) struct App {
    pub(super) explorer: Arc<Explorer>,
    pub(super) gate: Gate,
    pub(super) guard: Guard,
    /// What answers are of, in one word.
    pub(super) digest: String,
}

pub(super) type Shared = Arc<App>;
