//! Files and folders to work in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bitquilt::LatentSet;

/// A folder of this process. `tools/fuzz` sets TMPDIR to one in memory, and removes it.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    // Work of many threads stays on this one: the same input takes the same way.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()
        .expect("no other pool");
    let folder = std::env::temp_dir().join(format!("bitquilt-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder to work in");
    folder
});

/// The path of a file of this process.
pub fn place(name: &str) -> PathBuf {
    FOLDER.join(name)
}

/// Writes the file that is under test.
pub fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = place(name);
    fs::write(&path, bytes).expect("room for a file");
    path
}

/// The golden files.
fn golden_files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// A golden file of latents or samples, whose format is that of the first index version.
pub fn golden(name: &str) -> PathBuf {
    golden_files().join("v1").join(name)
}

/// A copy of a golden index of the version that is written today.
pub fn golden_index(name: &str) -> PathBuf {
    let path = place(name);
    copy(&golden_files().join("v2").join(name), &path);
    path
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("golden files") {
        let entry = entry.expect("a golden file");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("room for a file");
        }
    }
}

/// An error has something to say.
pub fn says_something(error: &dyn std::error::Error) {
    assert!(!error.to_string().is_empty());
}

/// What is in a set fits together, and its file says the same.
pub fn is_sound(set: &LatentSet) {
    assert_eq!(set.packed().len(), set.len() * set.shape().packed_bytes());
    assert!(set.labels().is_none_or(|labels| labels.len() == set.len()));
    let path = place("written");
    set.write(&path).expect("a set that can be written");
    let again = LatentSet::read(&path).expect("a set that can be read");
    assert!(again == *set, "read otherwise than written");
    let first = fs::read(&path).expect("the file");
    again.write(&path).expect("a set that can be written");
    assert!(
        first == fs::read(&path).expect("the file"),
        "equal sets in other bytes"
    );
}
