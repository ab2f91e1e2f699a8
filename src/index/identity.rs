//! What an index is, in one word: two indexes of the same latents, read the same way, have the same.

use xxhash_rust::xxh3::Xxh3;

use super::Index;
use crate::latent::Ids;

impl Index {
    /// Returns the XXH3-128, in hexadecimal, of what decides the counts of every window: sources, latents that are
    /// left out, shape, anchor, condition and labels. Which windows the index holds and where it lies are no part
    /// of it.
    pub fn identity(&self) -> String {
        let manifest = self.manifest();
        let mut hash = Xxh3::new();
        let mut add = |text: String| hash.update(format!("{};{text}", text.len()).as_bytes());
        for source in &manifest.sources {
            add(format!("{} {}", source.latents, source.xxh3_128));
        }
        add(self.shape().to_string());
        let excluded = manifest.excluded.iter().map(|[first, end]| *first..*end);
        add(Ids::new(excluded).union(&self.left_out()).to_string());
        add(format!(
            "{} {} {:?}",
            manifest.anchor, manifest.condition, manifest.label_values
        ));
        format!("{:032x}", hash.digest128())
    }
}
