//! Runs that are shared out by sample numbers: what is put together is what one run writes, byte for byte.

use std::path::Path;

use bitquilt::copies::Calibration;
use bitquilt::engine::{CopyRequest, JudgeBy, Session, SessionOptions, TraceNames, TraceRequest};
use bitquilt::trace::TracePart;
use bitquilt::{LatentSet, SampleSet, Unobserved, build};

use crate::oracle::Grid;
use crate::support::parts::options;
use crate::support::*;

#[test]
fn samples_of_ranges_are_those_of_one_run_byte_for_byte() {
    let desk = house();
    let folder = desk.path();
    let generate = "generate index -w seq:3 --seed 5 --fix prefix=1 -o";
    succeeds(
        folder,
        &split(&format!("{generate} whole.safetensors -n 12")),
    );
    for (first, n) in [(0, 5), (5, 4), (9, 3)] {
        succeeds(
            folder,
            &split(&format!(
                "{generate} from-{first}.safetensors --first {first} -n {n}"
            )),
        );
    }
    let join =
        "part join from-9.safetensors from-0.safetensors from-5.safetensors -o joined.safetensors";
    let said = succeeds(folder, &split(join));
    assert!(said.contains("of 12 searches"), "{said}");
    let read = |name: &str| fs_err::read(folder.join(name)).unwrap();
    assert!(read("joined.safetensors") == read("whole.safetensors"));
    refuses(folder, &split(join), 2, &["joined.safetensors", "--force"]);
    succeeds(
        folder,
        &split(
            "generate index -w seq:3 --seed 6 --fix prefix=1 -o other.safetensors --first 12 -n 2",
        ),
    );
    for (parts, words) in [
        (
            "from-0.safetensors other.safetensors",
            ["other.safetensors", "another request"],
        ),
        (
            "from-0.safetensors whole.safetensors",
            ["whole.safetensors", "some of them again"],
        ),
        (
            "from-0.safetensors latents.safetensors",
            ["latents.safetensors", "a samples file"],
        ),
    ] {
        refuses(
            folder,
            &split(&format!("part join {parts} -o refused.safetensors")),
            2,
            &words,
        );
    }
    assert!(!folder.join("refused.safetensors").exists());
    refuses(
        folder,
        &split(&format!("{generate} no.safetensors --first 3 --distinct")),
        2,
        &["--first"],
    );
}

/// Judged or not, bit by bit, pyramids as well: cut anywhere, put together in any order.
#[test]
fn traces_of_ranges_are_the_file_of_one_run_byte_for_byte() {
    let mut random = Random(12);
    let folder = small_folder();
    let folder = folder.path();
    let grid = |side| Grid {
        height: side,
        width: side,
        channels: 1,
    };
    let mut sets = [60, 14, 20].map(|count| {
        let levels = [4, 8].map(|side| set_of(grid(side), &spots(side, count, &mut random)));
        LatentSet::pyramids(&levels).unwrap()
    });
    // Some are copies.
    let copied = sets[0].clone().first(3);
    sets[1].append(&copied).unwrap();
    let [training, samples, held_out] = sets;
    let path = folder.join("index");
    let windows = ["global", "1:3x3^3x3"].map(|text| text.parse().unwrap());
    build(&training, &path, &options(&windows), &Unobserved).unwrap();
    let session = Session::open(&path, &SessionOptions::default()).unwrap();
    let samples = SampleSet::from(samples);
    let names = TraceNames {
        index: "an index".to_owned(),
        samples: "samples".to_owned(),
    };
    let copies = CopyRequest {
        false_alarms: 0.2,
        ..CopyRequest::default()
    };
    let line = folder.join("line.json");
    let by = JudgeBy::HeldOut {
        latents: &held_out,
        name: Path::new("held out"),
        keep: Some(&line),
    };
    let request = TraceRequest::default();
    let judged = session
        .judge(&samples, &request, by, &copies, &Unobserved)
        .unwrap();
    assert!(judged.count.copies >= 3);
    for judged in [None, Some(&judged)] {
        let tracing = session.tracing(&samples, &request, &Unobserved).unwrap();
        let mut whole = Vec::new();
        tracing
            .write(&mut whole, &names, Some(2), judged, &Unobserved, |_| Ok(()))
            .unwrap();
        let part = |range: std::ops::Range<usize>| {
            let request = TraceRequest {
                samples: range,
                ..request.clone()
            };
            let judged = judged.map(|_| {
                let by = JudgeBy::Calibration(&line);
                session
                    .judge(&samples, &request, by, &copies, &Unobserved)
                    .unwrap()
            });
            let tracing = session.tracing(&samples, &request, &Unobserved).unwrap();
            let part = tracing.part(Some(2), judged.as_ref(), &Unobserved).unwrap();
            serde_json::to_string(&part).unwrap()
        };
        let parts = [9..17, 0..1, 1..9].map(part);
        let calibration = Calibration::read(&line).unwrap();
        let join = |parts: &[String]| {
            let parts = parts
                .iter()
                .map(|text| TracePart::read(text).unwrap())
                .collect();
            let judged = judged.map(|_| (&calibration, copies.false_alarms));
            let mut joined = Vec::new();
            tracing
                .join(&mut joined, &names, parts, judged)
                .map(|_| joined)
        };
        assert!(join(&parts).unwrap() == whole);
        // One is missing, one is there twice, one is of another trace.
        let missing = join(&parts[..2]).unwrap_err().to_string();
        assert!(
            missing.contains("expected one from sample 1 on"),
            "{missing}"
        );
        assert!(
            join(&parts[1..])
                .unwrap_err()
                .to_string()
                .contains("expected samples up to 17")
        );
        let twice = [
            parts[0].clone(),
            parts[1].clone(),
            parts[1].clone(),
            parts[2].clone(),
        ];
        assert!(join(&twice).is_err());
        let other = parts.clone().map(|text| text.replacen("1:3x3", "1:5x5", 1));
        assert!(
            join(&other)
                .unwrap_err()
                .to_string()
                .contains("another index")
        );
        for text in ["", "{}", &parts[0][1..]] {
            assert!(TracePart::read(text).is_none(), "{text}");
        }
    }
}
