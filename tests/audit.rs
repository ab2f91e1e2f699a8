//! The audit: what the report of a set of samples tells is true, and the folder is whole or as it was.

use std::fs;

use bitquilt::LatentSet;
use serde_json::Value;

use crate::support::desk::Desk;
use crate::support::*;

const SIDE: usize = 14;

/// Latents of spots, and samples of which the first four copy some of them.
fn prepare(desk: &Desk) -> (LatentSet, LatentSet) {
    let mut random = Random(9);
    let grid = crate::oracle::Grid {
        height: SIDE,
        width: SIDE,
        channels: 1,
    };
    let training = spots(SIDE, 300, &mut random);
    let held_out = spots(SIDE, 150, &mut random);
    let mut samples = spots(SIDE, 20, &mut random);
    samples[0] = training[17].clone();
    samples[1] = training[17].clone();
    samples[1][40] ^= true;
    samples[2] = training[200].clone();
    for bit in [3, 50, 120] {
        samples[2][bit] ^= true;
    }
    samples[3] = training[5].clone();
    let (training, samples) = (set_of(grid, &training), set_of(grid, &samples));
    training.write(&desk.path("latents")).unwrap();
    samples.write(&desk.path("samples")).unwrap();
    set_of(grid, &held_out)
        .write(&desk.path("held-out"))
        .unwrap();
    let outcome = desk.run("build latents -o index --depth 9x9");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    (training, samples)
}

#[test]
fn an_audit_tells_who_copies_whom_and_shows_it() {
    let desk = Desk::new();
    let (training, samples) = prepare(&desk);
    let audit = "audit index samples --against held-out -o report --false-alarms 0.02";
    let outcome = desk.run(&format!("{audit} --json"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let written = fs::read(desk.path("report/report.json")).unwrap();
    assert_eq!(report, serde_json::from_slice::<Value>(&written).unwrap());
    assert_eq!(report["verdicts"].as_array().unwrap().len(), 20);
    for sample in 0..4 {
        assert_eq!(report["verdicts"][sample]["copy"], true, "{sample}");
    }
    let copies = report["copies"]["copies"].as_u64().unwrap();
    assert!((4..=6).contains(&copies), "{copies}");
    // 17 lent to two samples, so most.
    assert_eq!(report["credits"][0]["latent"], 17);
    assert_eq!(report["credits"][0]["samples"], 2);
    let number = |name: &str| {
        let numbers = report["numbers"].as_array().unwrap();
        let found = numbers.iter().find(|number| number["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}")).clone()
    };
    // Samples 0 and 3 equal a training latent.
    assert_eq!(number("exact copies")["samples"], 0.1);
    assert_eq!(number("exact copies")["held_out"], 0.0);
    let nearest = |sample: usize| {
        let distance = |id: usize| {
            let bits = samples
                .packed_latent(sample)
                .iter()
                .zip(training.packed_latent(id));
            bits.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
        };
        (0..training.len()).map(distance).min().unwrap()
    };
    let mut distances: Vec<u32> = (0..20).map(nearest).collect();
    distances.sort_unstable();
    assert_eq!(
        number("nearest distance")["samples"],
        f64::from(distances[10])
    );
    assert!(number("FLD gap")["samples"].is_number() && number("C_T")["samples"].is_number());
    // The page shows the samples that look most like copies, each beside its source, and fetches nothing.
    let page = fs::read_to_string(desk.path("report/index.html")).unwrap();
    assert_eq!(page.matches("class=\"card\"").count(), 20);
    assert_eq!(
        page.matches("data:image/png;base64,").count(),
        2 * 20 + report["credits"].as_array().unwrap().len()
    );
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    // Three bits differ in sample 2, and each has a spot.
    let card = page
        .split("class=\"card\"")
        .find(|card| card.contains("<h3>sample 2 "))
        .unwrap();
    assert_eq!(card.matches("<circle").count(), 3, "{card}");
    assert!(
        card.contains("training latent 200") && card.contains("3 of 196 bits differ"),
        "{card}"
    );
    // What was calibrated is what a trace goes on with.
    let trace = desk.run("trace index samples --calibration report/calibration.json --false-alarms 0.02 --brief --json");
    let trace: Value = serde_json::from_str(&trace.stdout).unwrap();
    assert_eq!(trace["summary"]["copies"], report["copies"]);
    for (sample, verdict) in trace["samples"].as_array().unwrap().iter().enumerate() {
        assert_eq!(verdict["verdict"]["p"], report["verdicts"][sample]["p"]);
    }
    let denied = desk.run(&format!(
        "{audit} --deny-copies --force --worst 2 --credits 1"
    ));
    assert_eq!(denied.code, 1, "{denied:?}");
    assert!(denied.stdout.contains("→ report/index.html"), "{denied:?}");
    let page = fs::read_to_string(desk.path("report/index.html")).unwrap();
    assert_eq!(page.matches("class=\"card\"").count(), 2);
    // What is known of the held-out latents need not be measured again; of others it is not taken.
    let known = desk.run(
        &format!("{audit} --calibration report/calibration.json --json")
            .replace("-o report", "-o again"),
    );
    let known: Value = serde_json::from_str(&known.stdout).unwrap();
    assert_eq!(known["verdicts"], report["verdicts"]);
    let other = desk
        .run("audit index samples --against latents --calibration again/calibration.json -o other");
    assert!(
        other.code == 2 && other.stderr.contains("other held-out latents"),
        "{other:?}"
    );
    // No threads and no other run change a byte.
    let before = fs::read(desk.path("report/report.json")).unwrap();
    let again = desk.run(&format!(
        "{audit} --force --worst 2 --credits 1 --threads 1"
    ));
    assert_eq!(again.code, 0);
    assert_eq!(before, fs::read(desk.path("report/report.json")).unwrap());
}

#[test]
fn names_in_a_report_are_text_and_folders_are_replaced_only_where_they_hold_a_report() {
    let desk = Desk::new();
    prepare(&desk);
    let name = "<img src=x onerror=alert(1)>&\"";
    fs::copy(desk.path("samples"), desk.path(name)).unwrap();
    let output = std::process::Command::new(BITQUILT)
        .current_dir(desk.path(""))
        .args([
            "audit",
            "index",
            name,
            "--against",
            "held-out",
            "-o",
            "report",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(desk.path("report/index.html")).unwrap();
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;&amp;&quot;") && !page.contains("<img")
    );
    let refused = |arguments: &str, words: &[&str]| {
        let outcome = desk.run(arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (2, ""),
            "{arguments}: {outcome:?}"
        );
        for word in words {
            assert!(
                outcome.stderr.contains(word),
                "{arguments}: {}",
                outcome.stderr
            );
        }
    };
    let audit = "audit index samples --against held-out";
    refused(
        &format!("{audit} -o report"),
        &["report: exists already", "--force"],
    );
    refused(&format!("{audit} -o nowhere/report"), &["nowhere"]);
    desk.write("mine/report.json", "{}");
    desk.write("mine/thesis.tex", "years of work");
    refused(&format!("{audit} -o mine --force"), &["mine", "thesis.tex"]);
    assert_eq!(
        fs::read(desk.path("mine/thesis.tex")).unwrap(),
        b"years of work"
    );
    desk.write("file", "text");
    refused(&format!("{audit} -o file --force"), &["found a file"]);
    desk.write("other", "");
    worked_example().set().write(&desk.path("other")).unwrap();
    refused(
        "audit index other --against held-out -o new",
        &["14x14x1", "1x6x1"],
    );
    refused(
        "audit index samples --against other -o new",
        &["14x14x1", "1x6x1"],
    );
    refused(
        "audit index samples --against held-out -o new --false-alarms 2",
        &["above 0 and below 1"],
    );
    assert!(!desk.path("new").exists());
}
