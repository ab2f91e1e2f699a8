//! Indexes latents, generates new ones, proves them, and tells which training latents they reuse.
//!
//! Run it at the root of the repository: `cargo run --release --example generate_and_trace`

use std::error::Error;
use std::path::Path;

use bitquilt::engine::{GenerateRequest, Session, SessionOptions, TraceRequest, VerifyRequest};
use bitquilt::{BuildOptions, LatentSet, SampleSet, Unobserved, build};

fn main() -> Result<(), Box<dyn Error>> {
    // The first thousand codes of MNIST digits, 14x14 sites of 2 bits.
    let all = LatentSet::read(Path::new("data/mnist-14x14x2.safetensors"))?;
    let rows = all.packed()[..1000 * all.shape().packed_bytes()].to_vec();
    let training = LatentSet::from_packed(all.shape(), rows)?;

    let folder = tempfile::tempdir()?;
    let (index, file) = (
        folder.path().join("codes.index"),
        folder.path().join("samples.safetensors"),
    );
    let mut options = BuildOptions::new("3x3".parse()?);
    options.windows.push("5x5".parse()?);
    build(&training, &index, &options, &Unobserved)?;

    // Sixteen latents whose every bit is supported at 5x5, none of them a training latent.
    let session = Session::open(&index, &SessionOptions::default())?;
    let request = GenerateRequest {
        windows: vec!["5x5".parse()?],
        samples: 0..16,
        seed: 7,
        novel: Some(bitquilt::Novel::Finest),
        ..GenerateRequest::default()
    };
    session.generate(&request, &[], &Unobserved)?.write(&file)?;

    let samples = SampleSet::read(&file)?;
    let brute_force = VerifyRequest {
        brute_force: true,
        ..VerifyRequest::default()
    };
    let proof = session.verify(&samples, &brute_force, &Unobserved)?;
    println!(
        "{} samples, {} bits proved: {}",
        proof.samples, proof.checked, proof.verified
    );

    let tracing = session.tracing(&samples, &TraceRequest::default(), &Unobserved)?;
    let summary = tracing.trace(&Unobserved, |traced| {
        let summary = &traced.summary;
        let largest = 100.0 * summary.largest;
        println!(
            "sample {:2}: {:2} regions from {:2} training latents, the largest {largest:.0} % of it",
            traced.sample, summary.regions, summary.sources
        );
        Ok(())
    })?;
    println!(
        "{} of {} training latents lend something",
        summary.used,
        training.len()
    );
    if !proof.verified || proof.samples != 16 {
        return Err("not every sample was found and proved".into());
    }
    Ok(())
}
