//! The report of an encoder, made of the metrics as a caller would, and its schema.

use std::path::Path;

use bitquilt::images::ImageSet;
use bitquilt::model::{
    BlaeReport, BoundReport, CodeOverlap, FlipReport, NoiseForm, NoiseReport, Reconstruction,
    Saturation, SaturationReport, SplitReport, Triangular, bit_agreement, flip_bits, loss_bound,
};
use bitquilt::{Budget, LatentSet, Shape, Unobserved};
use serde_json::{Value, json};

use crate::support::files::noise;

/// Images of 2×4 pixels, and an encoder of eight bits that keeps which values are at least 128.
fn images(count: usize) -> ImageSet {
    let images = ImageSet::new(2, 4, 1, noise(count * 8, 7)).unwrap();
    images.with_source("noise")
}

fn encoded(images: &ImageSet) -> LatentSet {
    let mut set = LatentSet::new(Shape::new(2, 2, 2).unwrap());
    for image in images.images() {
        set.push_bits(image.iter().map(|value| *value >= 128))
            .unwrap();
    }
    set
}

fn decoded(set: &LatentSet) -> ImageSet {
    let latents = (0..set.len()).map(|id| set.latent(id));
    let pixels = latents.flat_map(|bits| bits.iter().map(|bit| if *bit { 192 } else { 64 }));
    ImageSet::new(2, 4, 1, pixels.collect()).unwrap()
}

fn split(count: usize, overlap: &CodeOverlap) -> SplitReport {
    let images = images(count);
    let set = encoded(&images);
    let hard = Reconstruction::between(&images, &decoded(&set)).unwrap();
    let soft = Reconstruction::between(&images, &images).unwrap();
    let mut report = SplitReport::of(
        &set,
        &images,
        hard.clone(),
        Some(soft),
        100,
        Budget::default(),
    )
    .unwrap();
    let mut saturation = Saturation::default();
    saturation.add(&[0.99, -0.2]);
    report.saturation = Some(SaturationReport::from(&saturation));
    for share in [0.01, 0.05] {
        let flipped = decoded(&flip_bits(&set, share, 1).unwrap());
        let reconstruction = Reconstruction::between(&images, &flipped).unwrap();
        report.flips.push(FlipReport {
            share,
            reconstruction,
        });
    }
    report.reencoded = Some(bit_agreement(&set, &encoded(&decoded(&set))).unwrap());
    if count > 1 {
        let bound = loss_bound(&set, &images, overlap, Budget::default(), &Unobserved).unwrap();
        report.bound = Some(BoundReport {
            bound,
            measured: hard,
        });
    }
    report
}

/// The report with everything in it, and the least that there can be.
fn reports() -> [Value; 2] {
    let overlap = CodeOverlap::new(Triangular::new(1.25, 2.0, NoiseForm::Peaked).unwrap());
    let shape = Shape::new(2, 2, 2).unwrap();
    let mut full = BlaeReport::new("model.safetensors", "blae", shape);
    full.noise = Some(NoiseReport::of(&overlap, &[0, 1, 2, 8], 1000, 3));
    full.train = Some(split(600, &overlap));
    full.test = Some(split(1, &overlap));
    let bare = BlaeReport::new("model.safetensors", "lfq", shape);
    [full, bare].map(|report| serde_json::to_value(report).unwrap())
}

#[test]
fn a_report_is_what_its_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/blae.schema.json");
    let schema = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in reports() {
        let wrong: Vec<_> = validator
            .iter_errors(&report)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {report:#}");
        // Nothing may be missing, and nothing unknown may stand there.
        for part in ["", "/noise", "/train", "/train/bound", "/train/codes"] {
            let Some(Value::Object(fields)) = report.pointer(part) else {
                continue;
            };
            for name in fields.keys() {
                let mut less = report.clone();
                let object = less.pointer_mut(part).and_then(Value::as_object_mut);
                object.unwrap().remove(name);
                assert!(!validator.is_valid(&less), "without {part}/{name}");
            }
            let mut more = report.clone();
            let object = more.pointer_mut(part).and_then(Value::as_object_mut);
            object.unwrap().insert("unknown".into(), json!(1));
            assert!(!validator.is_valid(&more), "with {part}/unknown");
        }
    }
}

#[test]
fn a_report_says_what_the_metrics_say() {
    let [full, bare] = reports();
    assert_eq!(
        (&full["bits"], &full["noise"]["form"]),
        (&json!(8), &json!("peaked"))
    );
    let train = &full["train"];
    assert_eq!(train["source"], "noise");
    // Exact from activations: no gap in decibels can be told.
    assert_eq!(train["soft_to_hard_gap"], Value::Null);
    assert_eq!(train["saturation"]["saturated"], 0.5);
    assert_eq!(train["reencoded"], 1.0);
    // 600 images of 256 codes.
    let collisions = &train["collisions"];
    assert_eq!(collisions["different_images"], 600);
    let codes = collisions["different_codes"].as_u64().unwrap();
    assert!((200..=256).contains(&codes), "{codes}");
    assert_eq!(collisions["largest"].as_array().unwrap().len(), 10);
    // More flips, more error.
    let mse = |value: &Value| value["mse"].as_f64().unwrap();
    let flips = train["flips"].as_array().unwrap();
    let errors = flips.iter().map(|flip| mse(&flip["reconstruction"]));
    let errors: Vec<f64> = [mse(&train["hard"])].into_iter().chain(errors).collect();
    assert!(errors.is_sorted(), "{errors:?}");
    // This decoder answers the middle of each half: nearly the best, so above every bound.
    for bound in ["eqn2", "pairs", "matching"] {
        let bound = train["bound"][bound].as_f64().unwrap();
        assert!(0.0 < bound && bound < mse(&train["bound"]["measured"]));
    }
    assert_eq!(full["test"]["correlations"], Value::Null);
    assert_eq!(
        (&bare["train"], &bare["noise"]),
        (&Value::Null, &Value::Null)
    );
}
