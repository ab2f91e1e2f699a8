//! Imports a PyTorch tokenizer's codes, generates new ones, and hands them back as the decoder takes them: ±1 in [N, K, H, W].
//!
//! In Python: `safetensors.torch.save_file({"codes": codes.to(torch.uint8).contiguous()}, "codes.safetensors")`
//! Here: `cargo run --release --example tokenizer_codes -- codes.safetensors codes-out.safetensors`
//! Without names, at the root of the repository, it takes MNIST's codes in `data/` for some.

use std::error::Error;
use std::path::{Path, PathBuf};

use bitquilt::engine::{GenerateRequest, Session, SessionOptions};
use bitquilt::images::import::{ImportOptions, Layout, import};
use bitquilt::{BuildOptions, LatentSet, Unobserved, build};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut names = std::env::args().skip(1).map(PathBuf::from);
    let codes = match names.next() {
        Some(path) => path,
        None => stand_in(folder.path())?,
    };
    let output = names
        .next()
        .unwrap_or_else(|| folder.path().join("codes-out.safetensors"));

    let options = ImportOptions {
        layout: Some(Layout::Nchw),
        array: Some("codes".to_owned()),
        ..ImportOptions::default()
    };
    let training = import(&[codes], &options, &Unobserved)?.set;
    let index = folder.path().join("codes.index");
    build(
        &training,
        &index,
        &BuildOptions::new("5x5".parse()?),
        &Unobserved,
    )?;

    let session = Session::open(&index, &SessionOptions::default())?;
    let request = GenerateRequest {
        samples: 0..16,
        ..GenerateRequest::default()
    };
    let samples = session.generate(&request, &[], &Unobserved)?.latents()?;

    let planes = planes(&samples).map(|bit| if bit { 1.0_f32 } else { -1.0 });
    let bytes: Vec<u8> = planes.flat_map(f32::to_le_bytes).collect();
    let tensor = TensorView::new(Dtype::F32, axes(&samples), &bytes)?;
    serialize_to_file([("codes", tensor)], None, &output)?;
    println!(
        "{} codes {} from {}",
        samples.len(),
        samples.shape(),
        training.len()
    );
    println!(
        "{}: codes {:?}, -1 and +1",
        output.display(),
        axes(&samples)
    );
    Ok(())
}

/// The first codes of `data/`, as a tokenizer would save them.
fn stand_in(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let all = LatentSet::read(Path::new("data/mnist-14x14x2.safetensors"))?;
    let rows = all.packed()[..1000 * all.shape().packed_bytes()].to_vec();
    let codes = LatentSet::from_packed(all.shape(), rows)?;
    let bytes: Vec<u8> = planes(&codes).map(u8::from).collect();
    let path = folder.join("codes.safetensors");
    let tensor = TensorView::new(Dtype::U8, axes(&codes), &bytes)?;
    serialize_to_file([("codes", tensor)], None, &path)?;
    Ok(path)
}

/// [N, K, H, W].
fn axes(set: &LatentSet) -> Vec<usize> {
    let shape = set.shape();
    vec![set.len(), shape.channels(), shape.height(), shape.width()]
}

/// Bits in the order of [N, K, H, W]; latents have their channels innermost.
fn planes(set: &LatentSet) -> impl Iterator<Item = bool> {
    let (bits, channels) = (set.shape().bits(), set.shape().channels());
    let places = move || (0..channels).flat_map(move |k| (k..bits).step_by(channels));
    (0..set.len()).flat_map(move |id| places().map(move |place| set.latent(id)[place]))
}
