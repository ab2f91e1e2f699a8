//! The page of a trace: it shows the trace file and nothing else, with pictures that are the latents, whatever a name or a label says.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitquilt::LatentSet;
use serde_json::Value;

use crate::support::desk::Desk;
use crate::support::*;

const SIDE: usize = 12;

fn prepare(desk: &Desk, samples: &str) -> (LatentSet, LatentSet) {
    let mut random = Random(4);
    let grid = crate::oracle::Grid {
        height: SIDE,
        width: SIDE,
        channels: 1,
    };
    let training = set_of(grid, &spots(SIDE, 80, &mut random));
    let found = set_of(grid, &spots(SIDE, 230, &mut random));
    training.write(&desk.path("latents")).unwrap();
    found.write(&desk.path(samples)).unwrap();
    set_of(grid, &spots(SIDE, 60, &mut random))
        .write(&desk.path("held-out"))
        .unwrap();
    let outcome = desk.run("build latents -o index --depth 7x7");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    (training, found)
}

/// The data that the script of a page reads.
fn data_of(page: &str) -> Value {
    let (_, data) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert!(!data.contains('<'));
    serde_json::from_str(data).unwrap()
}

/// Whether each pixel of a picture in a page is white.
fn pixels_of(address: &Value) -> Vec<bool> {
    let png = address.as_str().unwrap();
    let png = png.strip_prefix("data:image/png;base64,").unwrap();
    let picture = image::load_from_memory(&STANDARD.decode(png).unwrap()).unwrap();
    let gray = picture.to_luma8();
    gray.pixels().map(|pixel| pixel.0[0] == 255).collect()
}

fn bits_of(set: &LatentSet, id: usize) -> Vec<bool> {
    set.latent(id).iter().by_vals().collect()
}

#[test]
fn a_page_holds_the_trace_and_every_latent_that_it_shows() {
    let desk = Desk::new();
    let (training, samples) = prepare(&desk, "samples");
    let judged = "--against held-out --false-alarms 0.05 --top 0";
    let outcome = desk.run(&format!(
        "trace index samples {judged} --html page.html --json"
    ));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let trace: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let page = fs_err::read_to_string(desk.path("page.html")).unwrap();
    let data = data_of(&page);
    // The first 200 of 230; figures of the set are those of the samples that it shows.
    let shown = data["trace"]["samples"].as_array().unwrap();
    assert_eq!(shown.len(), 200);
    assert_eq!(shown[..], trace["samples"].as_array().unwrap()[..200]);
    assert!(page.contains("The first 200 of 230 samples"));
    for (number, drawn) in data["samples"].as_array().unwrap().iter().enumerate() {
        assert_eq!(pixels_of(&drawn[0]), bits_of(&samples, number), "{number}");
    }
    let mut asked = BTreeSet::new();
    for sample in shown {
        let telling = sample["regions"].as_array().unwrap().iter();
        let telling = telling.filter(|region| region["information"].as_f64().unwrap() >= 1.0);
        asked.extend(telling.map(|region| region["latent"].as_u64().unwrap()));
        asked.insert(
            sample["summary"]["nearness"]["nearest"][0]["latent"]
                .as_u64()
                .unwrap(),
        );
        let whole = &sample["verdict"]["levels"][0]["whole"]["latent"];
        asked.extend(whole.as_u64());
    }
    let drawn = data["latents"].as_object().unwrap();
    assert!(asked.len() > 40);
    for latent in asked {
        let pixels = pixels_of(&drawn[&latent.to_string()][0]);
        assert_eq!(pixels, bits_of(&training, latent as usize), "{latent}");
    }
}

#[test]
fn a_page_fetches_nothing_and_a_name_is_only_a_name() {
    let desk = Desk::new();
    // As far as a file name goes.
    let hostile = "<img src=x onerror=alert(1)>";
    let (_, samples) = prepare(&desk, "samples");
    samples.write(&desk.path(hostile)).unwrap();
    let arguments = [
        "trace",
        "index",
        hostile,
        "--limit",
        "3",
        "--html",
        "page.html",
    ];
    succeeds(&desk.path(""), &arguments);
    let page = fs_err::read_to_string(desk.path("page.html")).unwrap();
    assert!(!page.contains("<img") && page.contains("&lt;img src=x"));
    assert_eq!(data_of(&page)["trace"]["samples_file"], hostile);
    for fetched in [
        "http:", "https:", "src=\"/", "href=\"/", "@import", "fetch(",
    ] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    assert!(
        policy.starts_with("default-src 'none'; img-src data:;"),
        "{policy}"
    );
    let (_, word) = policy.split_once("script-src 'nonce-").unwrap();
    let word = word.trim_end_matches('\'');
    assert_eq!(
        page.matches(&format!("<script nonce=\"{word}\">")).count(),
        1
    );
    assert_eq!(page.matches("<script").count(), 2);
}

#[test]
fn a_page_is_whole_or_as_it_was() {
    let desk = Desk::new();
    prepare(&desk, "samples");
    desk.write("page.html", "mine");
    for (arguments, words) in [
        (
            "trace index samples --html page.html",
            &["page.html", "--force"][..],
        ),
        (
            "trace index samples --html index --force",
            &["index", "file"],
        ),
        ("trace index samples --html nowhere/page.html", &["nowhere"]),
        ("trace index samples -o one --html one", &["--html"]),
        ("trace index samples --png one --html one", &["--html"]),
    ] {
        desk.refused(arguments, words);
        assert_eq!(fs_err::read(desk.path("page.html")).unwrap(), b"mine");
    }
    let outcome = desk.run("trace index samples --limit 2 --html page.html --force");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("→ page.html"), "{outcome:?}");
}

#[test]
fn a_page_of_pyramids_has_each_level_of_each_latent() {
    let desk = Desk::new();
    let mut random = Random(8);
    let grid = |side| crate::oracle::Grid {
        height: side,
        width: side,
        channels: 1,
    };
    let fine: Vec<_> = spots(8, 40, &mut random);
    let coarse: Vec<Vec<bool>> = fine
        .iter()
        .map(|latent| {
            let block = |at: usize| {
                [0, 1, 8, 9]
                    .iter()
                    .any(|by| latent[at / 4 * 16 + at % 4 * 2 + by])
            };
            (0..16).map(block).collect()
        })
        .collect();
    let levels = [set_of(grid(4), &coarse), set_of(grid(8), &fine)];
    let pyramids = LatentSet::pyramids(&levels).unwrap();
    pyramids.write(&desk.path("pyramids")).unwrap();
    for line in [
        "build pyramids -o index",
        "generate index -n 3 -o samples",
        "trace index samples --html page.html",
    ] {
        let outcome = desk.run(line);
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
    }
    let data = data_of(&fs_err::read_to_string(desk.path("page.html")).unwrap());
    assert_eq!(data["under"], serde_json::json!([[4, 4, 1], [8, 8, 1]]));
    for (latent, drawn) in data["latents"].as_object().unwrap() {
        let latent: usize = latent.parse().unwrap();
        for (level, set) in levels.iter().enumerate() {
            assert_eq!(pixels_of(&drawn[level]), bits_of(set, latent), "{latent}");
        }
    }
}
