//! The engine as its users call it: what the command does, and what it has no option for.

use std::sync::Arc;

use bitquilt::engine::{
    EngineError, GenerateRequest, Network, Preload, QueryRequest, Session, SessionOptions,
    TraceRequest, VerifyRequest,
};
use bitquilt::index::IndexError;
use bitquilt::provenance::ProvenanceError;
use bitquilt::samples::Status;
use bitquilt::search::FixedBits;
use bitquilt::{
    Anchor, Attempt, Backoff, Budget, Condition, Contexts, Ids, Interpolator, LatentSet, Method,
    Novel, Observer, OutOfMemory, SampleSet, Unobserved, Window, verify_from_index,
    verify_from_latents,
};
use tempfile::TempDir;

use crate::support::*;

/// Twenty latents at 3x3 and 5x5.
fn session(options: &SessionOptions) -> (TempDir, Session) {
    let set = repetitive(EIGHT, 20, 5).set();
    let windows = ["3x3", "5x5"].map(|text| text.parse().unwrap());
    let (folder, _) = built(&set, &windows, Anchor::None);
    let session = Session::open(&folder.path().join("index"), options).unwrap();
    (folder, session)
}

fn request(windows: &[&str]) -> GenerateRequest {
    GenerateRequest {
        windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
        seed: 11,
        samples: 0..40,
        ..GenerateRequest::default()
    }
}

/// All of an attempt that another run must repeat.
type Essence = (u64, Status, Option<Vec<u8>>, Vec<Option<u8>>);

fn essence(attempts: &[Attempt]) -> Vec<Essence> {
    let of = |a: &Attempt| (a.index, a.status, a.packed.clone(), a.answered.clone());
    attempts.iter().map(of).collect()
}

#[test]
fn a_range_of_samples_is_the_same_as_within_one_run() {
    let (_folder, session) = session(&SessionOptions::default());
    for windows in [&["5x5"][..], &["5x5", "3x3"]] {
        for method in [Method::Row, Method::Backjump] {
            let whole = GenerateRequest {
                method,
                ..request(windows)
            };
            let all = session.generate(&whole, &[], &Unobserved).unwrap();
            assert_eq!(all.attempts.len(), 40);
            let mut parts = Vec::new();
            for samples in [0..1, 1..17, 17..17, 17..40] {
                let part = GenerateRequest {
                    samples,
                    ..whole.clone()
                };
                let part = session.generate(&part, &[], &Unobserved).unwrap();
                parts.extend(part.attempts);
            }
            assert_eq!(essence(&parts), essence(&all.attempts));
        }
    }
    let distinct = GenerateRequest {
        distinct: true,
        samples: 3..9,
        ..request(&["5x5"])
    };
    let error = session.generate(&distinct, &[], &Unobserved).unwrap_err();
    assert!(error.to_string().contains("begin with sample 0"), "{error}");
}

#[test]
fn longest_is_every_window_of_nearest_sites_and_its_samples_are_proved_and_traced() {
    let (_folder, session) = session(&SessionOptions::default());
    // 12 sites of a 5x5, down to none.
    let parts: Vec<String> = (0..=12)
        .rev()
        .map(|count| Window::of_sites(count).to_string())
        .collect();
    assert_eq!((&*parts[0], &*parts[8]), ("5x5", "3x3"));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    for min_count in [1, 4] {
        let of = |windows: &[&str]| GenerateRequest {
            min_count: min_count.into(),
            ..request(windows)
        };
        let longest = session
            .generate(&of(&["longest"]), &[], &Unobserved)
            .unwrap();
        let named = session.generate(&of(&parts), &[], &Unobserved).unwrap();
        assert_eq!(longest.windows, named.windows);
        assert_eq!(essence(&longest.attempts), essence(&named.attempts));
        assert!(longest.attempts.iter().all(|a| a.status == Status::Sample));
        let numbers = longest
            .attempts
            .iter()
            .flat_map(|a| a.answered.iter().flatten());
        let used: std::collections::BTreeSet<u8> = numbers.copied().collect();
        assert!(used.len() > 1, "{used:?}");

        let folder = small_folder();
        let path = folder.path().join("samples.safetensors");
        longest.write(&path).unwrap();
        let samples = SampleSet::read(&path).unwrap();
        let index = session.index();
        let otherwise = longest.windows[0];
        let proof = verify_from_index(index, &samples, otherwise, &Unobserved).unwrap();
        let set = repetitive(EIGHT, 20, 5).set();
        let (anchor, condition) = (Anchor::None, Condition::None);
        let by_latents =
            verify_from_latents(&set, anchor, condition, &samples, otherwise, &Unobserved).unwrap();
        assert_eq!(proof, by_latents);
        assert!(proof.unsupported.is_empty() && proof.checked == 40 * set.shape().bits() as u64);

        // By default in the whole windows that answered.
        for windows in [vec![], vec!["longest".parse().unwrap()]] {
            let request = TraceRequest {
                windows,
                ..TraceRequest::default()
            };
            let tracing = session.tracing(&samples, &request, &Unobserved).unwrap();
            let quilt = tracing.tracer().unwrap().quilt_windows().to_vec();
            assert_eq!(quilt, ["5x5", "3x3"].map(|text| text.parse().unwrap()));
        }
    }
    let mixed = request(&["longest", "3x3"]);
    let error = session.generate(&mixed, &[], &Unobserved).unwrap_err();
    assert!(error.to_string().contains("expected it alone"), "{error}");
}

#[test]
fn samples_are_handed_on_in_order_and_an_error_of_the_taker_ends_the_run() {
    let (_folder, session) = session(&SessionOptions::default());
    let long = GenerateRequest {
        samples: 5..6_000,
        ..request(&["3x3"])
    };
    let mut seen = Vec::new();
    let result = session.generate_into(&long, &[], &Unobserved, |attempt| {
        seen.push(attempt.index);
        match seen.len() {
            100 => Err(std::io::Error::other("the disk is full").into()),
            _ => Ok(()),
        }
    });
    assert!(
        matches!(result, Err(EngineError::Io(error)) if error.to_string() == "the disk is full")
    );
    assert_eq!(seen, (5..105).collect::<Vec<u64>>());
}

/// Asks to stop once it has seen some samples.
struct StopAfter(std::sync::atomic::AtomicU64);

impl Observer for StopAfter {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, done: u64) {
        self.0.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
    }

    fn stop_requested(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) >= 50
    }
}

#[test]
fn what_was_found_before_a_stop_is_kept() {
    let (_folder, session) = session(&SessionOptions::default());
    let long = GenerateRequest {
        samples: 0..1_000_000,
        preload: Preload::None,
        ..request(&["3x3"])
    };
    let observer = StopAfter(0.into());
    let kept = session.generate(&long, &[], &observer).unwrap();
    // Those that a slow thread was at work on are told as stopped, whatever their number.
    let mut found = kept.attempts;
    found.retain(|a| a.status == Status::Sample);
    assert!((40..2_000).contains(&found.len()), "{}", found.len());
    // And is what a whole run finds.
    for attempt in found.iter().step_by(found.len() / 10) {
        let one = GenerateRequest {
            samples: attempt.index..attempt.index + 1,
            ..long.clone()
        };
        let one = session.generate(&one, &[], &Unobserved).unwrap();
        assert_eq!(
            essence(&one.attempts),
            essence(std::slice::from_ref(attempt))
        );
    }
}

#[test]
fn requests_are_plain_data() {
    let mut fixed = FixedBits::prefix([true, false]);
    fixed.fix(9, true).unwrap();
    let request = GenerateRequest {
        fixed,
        size: Some((9, 8)),
        label: Some(-3),
        novel: Some(Novel::Finest),
        backoff: Backoff::OnDeadEnd,
        method: Method::Chronological,
        max_backtracks: None,
        timeout_seconds: Some(0.5),
        preload: Preload::All,
        ..request(&["5x5", "3x3"])
    };
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(
        serde_json::from_str::<GenerateRequest>(&text).unwrap(),
        request
    );
    // What is left out is as by default; what is unknown or cannot be is refused.
    let few: GenerateRequest = serde_json::from_str(r#"{"windows": ["7x7"], "seed": 3}"#).unwrap();
    assert_eq!(
        (few.seed, few.windows[0].to_string()),
        (3, "7x7".to_owned())
    );
    assert_eq!(few.samples, GenerateRequest::default().samples);
    for wrong in [
        r#"{"windos": ["7x7"]}"#,
        r#"{"windows": ["8x8"]}"#,
        r#"{"method": "best"}"#,
        r#"{"fixed": [[3, true], [3, false]]}"#,
    ] {
        assert!(
            serde_json::from_str::<GenerateRequest>(wrong).is_err(),
            "{wrong}"
        );
    }
    let trace = TraceRequest {
        samples: 2..7,
        all_latents: true,
        ..TraceRequest::default()
    };
    let text = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<TraceRequest>(&text).unwrap(), trace);
    let query: QueryRequest = serde_json::from_str(r#"{"latent": 1, "position": 5}"#).unwrap();
    assert_eq!((query.window, query.top), (None, None));
}

/// What one request has loaded the next one finds, whichever thread it is on.
#[test]
fn many_threads_share_a_session() {
    let (_folder, session) = session(&SessionOptions::default());
    let session = Arc::new(session);
    let all = GenerateRequest {
        novel: Some(Novel::Finest),
        preload: Preload::All,
        ..request(&["5x5", "3x3"])
    };
    let alone = session.generate(&all, &[], &Unobserved).unwrap();
    let samples = alone.latents().unwrap();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (session, all) = (session.clone(), all.clone());
            std::thread::spawn(move || {
                let again = session.generate(&all, &[], &Unobserved).unwrap();
                essence(&again.attempts)
            })
        })
        .collect();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), essence(&alone.attempts));
    }
    for id in 0..20 {
        let held = session.index().held_latent(id).unwrap();
        assert!((0..samples.len()).all(|sample| samples.packed_latent(sample) != held.packed()));
    }
}

#[test]
fn tables_stay_within_the_memory_that_they_may_take() {
    let (_folder, session) = session(&SessionOptions::default().table_bytes(Some(1)));
    let all = GenerateRequest {
        preload: Preload::All,
        ..request(&["5x5"])
    };
    let error = session.generate(&all, &[], &Unobserved).unwrap_err();
    assert!(
        matches!(&error, EngineError::Memory(memory) if memory.available == 1),
        "{error}"
    );
    let auto = GenerateRequest {
        preload: Preload::Auto,
        ..all
    };
    assert_eq!(
        session
            .generate(&auto, &[], &Unobserved)
            .unwrap()
            .attempts
            .len(),
        40
    );
}

/// The refusal of memory in an error, wherever it was refused.
fn out_of_memory(error: EngineError) -> OutOfMemory {
    match error {
        EngineError::Memory(memory)
        | EngineError::Index(IndexError::Memory(memory))
        | EngineError::Provenance(ProvenanceError::Memory(memory))
        | EngineError::Without {
            error: IndexError::Memory(memory),
            ..
        } => memory,
        other => unreachable!("{other}"),
    }
}

/// Nothing of memory has been taken before its first stage begins.
struct NeverBegun;

impl Observer for NeverBegun {
    fn stage(&self, name: &str, _total: u64, _unit: &str) {
        unreachable!("{name} has begun");
    }

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        false
    }
}

/// Samples of a run without latents 3, 7 and 8.
fn samples_of_fewer(session: &Session) -> SampleSet {
    let without: Ids = "3,7..9".parse().unwrap();
    let options = SessionOptions::default().without(without);
    let fewer = Session::open(session.index().path(), &options).unwrap();
    let run = fewer.generate(&request(&["5x5"]), &[], &Unobserved);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.safetensors");
    run.unwrap().write(&path).unwrap();
    SampleSet::read(&path).unwrap()
}

#[test]
fn what_a_session_has_too_little_memory_for_is_refused_before_it_is_taken() {
    let (_folder, whole) = session(&SessionOptions::default());
    let path = whole.index().path();
    let fewer = samples_of_fewer(&whole);
    let tight = SessionOptions::default().memory(Budget::bytes(100));
    let session = Session::open(path, &tight).unwrap();
    let refused = |error: EngineError, what: &str| {
        let memory = out_of_memory(error);
        assert!(memory.what.contains(what), "{}, not {what}", memory.what);
        assert!(memory.needed > memory.available, "{memory}");
        assert!(memory.available <= 100, "{memory}");
    };
    let generate = |request: &GenerateRequest| session.generate(request, &[], &NeverBegun);
    refused(generate(&request(&["5x5"])).unwrap_err(), "40 samples");
    // Not kept by the session, but the digests of what they must not be are.
    let novel = GenerateRequest {
        novel: Some(Novel::Finest),
        ..request(&["5x5"])
    };
    let nobody = |_| unreachable!("a sample");
    let handed_on = session.generate_into(&novel, &[], &NeverBegun, nobody);
    refused(handed_on.unwrap_err(), "digests of 20 latents");
    let every_table = GenerateRequest {
        preload: Preload::All,
        ..request(&["5x5"])
    };
    let handed_on = session.generate_into(&every_table, &[], &NeverBegun, nobody);
    refused(handed_on.unwrap_err(), "the contexts of window 5x5");
    let every_latent = TraceRequest {
        all_latents: true,
        ..TraceRequest::default()
    };
    let tracing = session.tracing(&fewer, &every_latent, &NeverBegun);
    refused(tracing.err().unwrap(), "its 20 latents");
    refused(session.training(&NeverBegun).unwrap_err(), "its 20 latents");
    refused(
        session.verify_index(false, &Unobserved).unwrap_err(),
        "20 latents",
    );
    // Nothing is left out yet: what was generated without latents is traced and verified without them.
    let verify = VerifyRequest::default();
    for error in [
        session.verify(&fewer, &verify, &NeverBegun).unwrap_err(),
        session
            .tracing(&fewer, &TraceRequest::default(), &NeverBegun)
            .err()
            .unwrap(),
        Session::open(path, &tight.clone().without(fewer.without.clone()))
            .err()
            .unwrap(),
    ] {
        refused(error, "the contexts of 3 latents that are left out");
    }
    let plain = SampleSet {
        without: Ids::default(),
        ..fewer
    };
    let brute_force = VerifyRequest {
        brute_force: true,
        ..verify
    };
    refused(
        session
            .verify(&plain, &brute_force, &NeverBegun)
            .unwrap_err(),
        "its 20 latents",
    );
}

#[test]
fn a_session_with_enough_memory_answers_as_one_with_all_of_it() {
    let (_folder, whole) = session(&SessionOptions::default());
    let samples = samples_of_fewer(&whole);
    let novel = GenerateRequest {
        novel: Some(Novel::Finest),
        ..request(&["5x5", "3x3"])
    };
    let expected = whole.generate(&novel, &[], &Unobserved).unwrap();
    for memory in [Budget::bytes(64 << 20), Budget::share(0.25)] {
        let options = SessionOptions::default().memory(memory);
        let session = Session::open(whole.index().path(), &options).unwrap();
        for preload in [Preload::Auto, Preload::All, Preload::None] {
            let novel = GenerateRequest {
                preload,
                ..novel.clone()
            };
            let found = session.generate(&novel, &[], &Unobserved).unwrap();
            assert_eq!(essence(&found.attempts), essence(&expected.attempts));
        }
        assert_eq!(session.verify_index(true, &Unobserved).unwrap(), None);
        for brute_force in [false, true] {
            let request = VerifyRequest {
                brute_force,
                ..VerifyRequest::default()
            };
            let report = session.verify(&samples, &request, &Unobserved).unwrap();
            assert!(report.verified, "{report:?}");
        }
        let request = TraceRequest::default();
        let tracing = session.tracing(&samples, &request, &Unobserved).unwrap();
        let summary = tracing.trace(&Unobserved, |_| Ok(())).unwrap();
        assert_eq!(summary.samples, samples.latents.len() as u64);
    }
}

/// What one request has loaded is no longer there for the next.
#[test]
fn what_a_session_holds_counts_against_its_memory() {
    let (_folder, whole) = session(&SessionOptions::default());
    let samples = samples_of_fewer(&whole);
    // 20 latents of 8x8 bits, held: a word, how many bits of each of four tiles are 1, and an id each, a word for all. And what their digests can
    // take.
    let latents = 20 * (8 + 4 + 4) + 8;
    let digests = 20 * 17 * 3;
    let options = SessionOptions::default().memory(Budget::bytes(latents + digests - 1));
    let session = Session::open(whole.index().path(), &options).unwrap();
    let novel = GenerateRequest {
        novel: Some(Novel::Finest),
        ..request(&["5x5"])
    };
    let generate = || session.generate_into(&novel, &[], &Unobserved, |_| Ok(()));
    generate().unwrap();
    // The digests are there already.
    generate().unwrap();
    let every_latent = TraceRequest {
        all_latents: true,
        ..TraceRequest::default()
    };
    let tracing = session.tracing(&samples, &every_latent, &Unobserved);
    let memory = out_of_memory(tracing.err().unwrap());
    assert!(memory.what.ends_with("its 20 latents"), "{memory}");
    // The other way round: the latents fit, and their digests no longer do.
    let session = Session::open(whole.index().path(), &options).unwrap();
    let trace = || session.tracing(&samples, &every_latent, &Unobserved);
    trace().unwrap();
    trace().unwrap();
    let novel = session.generate_into(&novel, &[], &Unobserved, |_| Ok(()));
    let memory = out_of_memory(novel.unwrap_err());
    assert!(memory.what.ends_with("digests of 20 latents"), "{memory}");
    assert_eq!(memory.available, digests - 1);
}

/// Says 0.5 of everything.
struct Coin(Window);

impl Interpolator for Coin {
    fn window(&self) -> Window {
        self.0
    }

    fn probabilities(&self, contexts: &Contexts, found: &mut Vec<f32>) {
        found.clear();
        found.resize(contexts.len(), 0.5);
    }
}

#[test]
fn what_was_generated_verifies_and_traces_without_a_file_between() {
    let without: Ids = "3,7..9".parse().unwrap();
    let (folder, session) = session(&SessionOptions::default().without(without.clone()));
    let coin = Coin("5x5".parse().unwrap());
    let network = Network {
        name: "a coin",
        network: &coin,
    };
    let fallback = GenerateRequest {
        fixed: FixedBits::prefix([true; 5]),
        ..request(&["5x5"])
    };
    let generated = session
        .generate(&fallback, &[network], &Unobserved)
        .unwrap();
    let path = folder.path().join("samples.safetensors");
    generated.write(&path).unwrap();
    let samples = SampleSet::read(&path).unwrap();
    assert_eq!(generated.samples().unwrap(), samples);
    assert_eq!(samples.without, without);
    // A session of the whole index leaves out what they were generated without.
    let whole = Session::open(session.index().path(), &SessionOptions::default()).unwrap();
    for session in [&session, &whole] {
        for brute_force in [false, true] {
            let request = VerifyRequest {
                brute_force,
                ..VerifyRequest::default()
            };
            let report = session.verify(&samples, &request, &Unobserved).unwrap();
            assert!(report.verified, "{report:?}");
            let bits = report.checked + report.fixed + report.interpolated;
            assert_eq!(bits, 64 * report.samples as u64);
        }
        let request = TraceRequest {
            samples: 1..4,
            ..TraceRequest::default()
        };
        let tracing = session.tracing(&samples, &request, &Unobserved).unwrap();
        assert_eq!(tracing.header().unwrap().without.as_deref(), Some("3,7..9"));
        let mut traced = Vec::new();
        let summary = tracing.trace(&Unobserved, |sample| {
            for region in &sample.trace.quilt.regions {
                assert!(!without.contains(region.latent.into()));
            }
            traced.push(sample.sample);
            Ok(())
        });
        assert_eq!((traced, summary.unwrap().samples), (vec![1, 2, 3], 3));
    }
    let window = VerifyRequest {
        windows: vec!["3x3".parse().unwrap()],
        ..VerifyRequest::default()
    };
    let refused = session.verify(&samples, &window, &Unobserved).unwrap_err();
    assert!(
        matches!(
            refused,
            EngineError::Request {
                part: "the window",
                ..
            }
        ),
        "{refused}"
    );
}

/// Of training latents, of other ones and of ones of another size; in memory or not.
#[test]
fn a_lookup_of_every_bit_says_what_a_question_about_each_says() {
    let (_folder, session) = session(&SessionOptions::default());
    let window: Window = "3x3".parse().unwrap();
    let strangers = repetitive(EIGHT, 7, 30).set();
    for set in [session.training(&Unobserved).unwrap(), strangers] {
        let found = session.lookup(&set, Some(window), &Unobserved).unwrap();
        assert_eq!(found.len(), set.len() * 64);
        for latent in 0..set.len() {
            for position in 0..64 {
                let query = QueryRequest {
                    window: Some(window.into()),
                    latent: latent as u64,
                    position,
                    min_count: 1,
                    top: Some(0),
                };
                let report = session.query(&query, Some(&set)).unwrap();
                let own = found[latent * 64 + position];
                assert_eq!((own.n0, own.n1), (report.n0, report.n1));
            }
        }
    }
    let small = LatentSet::from_packed("4x4".parse().unwrap(), vec![0x5a; 6]).unwrap();
    let found = session.lookup(&small, Some(window), &Unobserved).unwrap();
    assert_eq!(found.len(), 3 * 16);
    assert_eq!(found[..16], found[32..], "equal latents have equal counts");
    let wrong = LatentSet::from_packed("4x4x2".parse().unwrap(), vec![0; 4]).unwrap();
    assert!(session.lookup(&wrong, Some(window), &Unobserved).is_err());
    let several = session.lookup(&small, None, &Unobserved).unwrap_err();
    assert!(
        matches!(several, EngineError::WindowNeeded { .. }),
        "{several}"
    );
}

#[test]
fn a_request_that_cannot_be_is_refused_in_the_words_of_its_parts() {
    let (_folder, session) = session(&SessionOptions::default());
    let refused = |request: &GenerateRequest| {
        let error = session.generate(request, &[], &Unobserved).unwrap_err();
        assert!(!error.to_string().contains("--"), "{error}");
        error
    };
    assert!(matches!(
        refused(&request(&[])),
        EngineError::WindowNeeded { held, .. } if held == "3x3, 5x5"
    ));
    for order in [["3x3", "5x5"], ["5x5", "5x5"]] {
        let error = refused(&request(&order));
        assert!(matches!(error, EngineError::WindowOrder { .. }), "{error}");
    }
    refused(&request(&["7x7"]));
    for timeout in [-1.0, f64::NAN, f64::INFINITY] {
        let request = GenerateRequest {
            timeout_seconds: Some(timeout),
            ..request(&["5x5"])
        };
        let error = refused(&request);
        assert!(matches!(
            error,
            EngineError::Request {
                part: "the time limit",
                ..
            }
        ));
    }
    refused(&GenerateRequest {
        temperature: 0.0.into(),
        ..request(&["5x5"])
    });
    refused(&GenerateRequest {
        samples: 0..1 << 60,
        ..request(&["5x5"])
    });
    let query = |latent, position| QueryRequest {
        window: Some("3x3".parse().unwrap()),
        latent,
        position,
        min_count: 1,
        top: None,
    };
    for wrong in [query(20, 0), query(0, 64)] {
        assert!(session.query(&wrong, None).is_err());
    }
    let other = LatentSet::new(bitquilt::Shape::new(1, 1, 1).unwrap());
    assert!(session.query(&query(0, 0), Some(&other)).is_err());
    let report = session.query(&query(4, 30), None).unwrap();
    assert_eq!(report.n0 + report.n1, report.postings.len() as u64);
    assert!(report.postings.contains(&(4, 30)));
}
