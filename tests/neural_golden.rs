//! Checkpoints of every format version open for ever: what `golden` proves of other files.

use bitquilt::LatentSet;
use bitquilt::neural::{Blae, Device, NetworkKind, Predictor};

use crate::golden::{Kind, copied, lines, run_again};

#[test]
fn golden_checkpoints_code_draw_and_answer_as_they_did() {
    run_again(true, Kind::Writes);
}

#[test]
fn golden_checkpoints_are_the_networks_that_were_trained() {
    let folder = copied();
    let path = folder.path();
    let blae = Blae::load(&path.join("blae.safetensors"), Device::CPU).unwrap();
    assert_eq!(blae.shape().to_string(), "4x4x2");
    let codes = LatentSet::read(&path.join("codes.safetensors")).unwrap();
    // The digest of configuration and parameters, as the latents of that day name it.
    assert_eq!(&blae.codec(), codes.codec());

    let arvm = Predictor::load(&path.join("arvm.safetensors"), Device::CPU).unwrap();
    assert_eq!(arvm.kind(), NetworkKind::Arvm);
    assert_eq!(arvm.config().window.to_string(), "5x5");
    let index = crate::support::open(&path.join("windows.index"));
    arvm.config().check_index(&index).unwrap();
    let trained: Vec<_> = lines()
        .iter()
        .filter(|line| line.kind == Kind::Trains)
        .map(|line| line.file)
        .collect();
    assert_eq!(trained, ["blae.safetensors", "arvm.safetensors"]);
}
