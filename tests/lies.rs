//! Verification proves content, not only files: an index whose every checksum is right, but which says
//! something that is not so, is found out.

use std::path::Path;

use bitquilt::{Anchor, Budget, Unobserved};
use rocksdb::{DB, IteratorMode, Options};
use xxhash_rust::xxh3::xxh3_128;

use crate::labels::built_with_labels;
use crate::support::*;

/// The entries of one column family.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Changes a column family of an index and makes every checksum right again.
fn rewrite(path: &Path, family: &str, change: &dyn Fn(&mut Entries)) {
    let database = path.join("db");
    let mut options = Options::default();
    options.set_disable_auto_compactions(true);
    let families = DB::list_cf(&options, &database).unwrap();
    let db = DB::open_cf(&options, &database, families).unwrap();
    let handle = db.cf_handle(family).unwrap();
    let entries = db.iterator_cf(handle, IteratorMode::Start);
    let mut entries: Entries = entries
        .map(|entry| entry.unwrap())
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect();
    for (key, _) in &entries {
        db.delete_cf(handle, key).unwrap();
    }
    change(&mut entries);
    for (key, value) in entries {
        db.put_cf(handle, key, value).unwrap();
    }
    db.flush_cf(handle).unwrap();
    drop(db);

    let manifest = path.join("manifest.json");
    let text = fs_err::read(&manifest).unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let files = files_of(&database).into_iter();
    let files: Vec<_> = files
        .filter(|(file, _)| !file.ends_with("LOCK"))
        .map(|(file, bytes)| {
            serde_json::json!({
                "name": file.strip_prefix(path).unwrap(),
                "bytes": bytes.len(),
                "xxh3_128": format!("{:032x}", xxh3_128(&bytes)),
            })
        })
        .collect();
    let fields = document.as_object_mut().unwrap();
    fields["files"] = files.into();
    fields.remove("checksum");
    let checksum = xxh3_128(&serde_json::to_vec(fields).unwrap());
    fields.insert("checksum".to_owned(), format!("{checksum:032x}").into());
    fs_err::write(&manifest, serde_json::to_vec(fields).unwrap()).unwrap();
}

#[test]
fn an_index_that_lies_with_right_checksums_is_found_out() {
    let set = repetitive(EIGHT, 30, 12).set();
    let (folder, index) = built(&set, &["3x3".parse().unwrap()], Anchor::None);
    drop(index);
    let sound = folder.path().join("index");
    type Change = fn(&mut Entries);
    let lies: [(&str, &str, Change); 10] = [
        // Two blocks in each other's place: every occurrence is there, most where they do not belong.
        ("exchanged blocks", "array:rings", |entries| {
            let (first, others) = entries.split_at_mut(1);
            std::mem::swap(&mut first[0].1, &mut others[0].1);
        }),
        ("a block left out", "array:rings", |entries| {
            entries.pop();
        }),
        ("a block cut short", "array:rings", |entries| {
            entries[0].1.truncate(3);
        }),
        ("another occurrence", "array:rings", |entries| {
            entries[0].1[4] ^= 2;
        }),
        ("a block of nothing but ones", "array:rings", |entries| {
            entries[1].1[4..].fill(0xff);
        }),
        ("a directory of nothing", "directory:rings", Vec::clear),
        // The last byte of the first separator that has any: where the block after the first begins.
        ("a separator moved", "directory:rings", |entries| {
            let value = &mut entries[0].1;
            // Blocks, length of the first separator (0), two numbers below 251 or of three bytes, length of the second.
            let skip = |at: usize| if value[at] == 251 { at + 3 } else { at + 1 };
            let length = skip(skip(2));
            let last = length + usize::from(value[length]);
            // One more is larger than every entry that begins with it.
            value[last] += 1;
        }),
        ("a directory cut short", "directory:rings", |entries| {
            entries[0].1.pop();
        }),
        ("a bit of a latent", "latents", |entries| {
            entries[7].1[3] ^= 16;
        }),
        ("a latent left out", "latents", |entries| {
            entries.remove(7);
        }),
    ];
    for (name, family, lie) in lies {
        let path = folder.path().join("lie");
        copy_folder(&sound, &path);
        // Written anew without a change it is still an index: what follows is the lie's doing.
        rewrite(&path, family, &|_| ());
        open(&path)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        rewrite(&path, family, &lie);
        let verified = bitquilt::Index::open(&path)
            .and_then(|index| index.verify(Budget::of_machine(), &Unobserved));
        assert!(verified.is_err(), "{name}: not found out");
        let output = bitquilt(folder.path(), &["verify", "lie"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        fs_err::remove_dir_all(&path).unwrap();
    }
}

/// Where contexts are bound to labels, a latent's label is content like its bits.
#[test]
fn an_index_that_lies_about_labels_is_found_out() {
    let sample = repetitive(EIGHT, 30, 12);
    let labels: Vec<_> = (0..30).map(|id| id % 3 * 10).collect();
    let (folder, index) =
        built_with_labels(&sample, &labels, &["3x3".parse().unwrap()], Anchor::None);
    drop(index);
    let sound = folder.path().join("index");
    type Change = fn(&mut Entries);
    // The label is the last 8 bytes, little endian.
    let lies: [(&str, Change); 4] = [
        ("another label of the index", |entries| {
            entries[7].1[8] = 20;
        }),
        // Of a latent that had the first label, which an unknown one must not pass for.
        ("a label that the index does not hold", |entries| {
            entries[6].1[8] = 11;
        }),
        ("two labels exchanged", |entries| {
            (entries[3].1[8], entries[4].1[8]) = (entries[4].1[8], entries[3].1[8]);
        }),
        ("no label", |entries| {
            entries[7].1.truncate(8);
        }),
    ];
    for (name, lie) in lies {
        let path = folder.path().join("lie");
        copy_folder(&sound, &path);
        rewrite(&path, "latents", &|_| ());
        open(&path)
            .verify(Budget::of_machine(), &Unobserved)
            .unwrap();
        rewrite(&path, "latents", &lie);
        let index = open(&path);
        let verified = index.verify(Budget::of_machine(), &Unobserved);
        assert!(verified.is_err(), "{name}: not found out");
        let recounted = index.verify_by_recount(Budget::of_machine(), &Unobserved);
        assert!(
            recounted.is_err(),
            "{name}: not found out by counting again"
        );
        drop(index);
        let output = bitquilt(folder.path(), &["verify", "lie"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        fs_err::remove_dir_all(&path).unwrap();
    }
}

/// Numbers of a manifest are believed only as far as they can be: no memory is taken and nothing is removed by others.
#[test]
fn a_manifest_with_numbers_that_cannot_be_is_refused() {
    let set = repetitive(EIGHT, 30, 12).set();
    let (folder, index) = built(&set, &["3x3".parse().unwrap()], Anchor::None);
    drop(index);
    let sound = folder.path().join("index");
    type Change = fn(&mut serde_json::Map<String, serde_json::Value>);
    let lies: [(&str, Change); 15] = [
        ("no latents", |fields| fields["latents"] = 0.into()),
        ("latents", |fields| fields["latents"] = (1u64 << 40).into()),
        ("all latents", |fields| fields["latents"] = u64::MAX.into()),
        ("height", |fields| fields["height"] = u32::MAX.into()),
        ("no width", |fields| fields["width"] = 0.into()),
        ("channels", |fields| {
            fields["channels"] = (1u64 << 62).into()
        }),
        ("distinct", |fields| {
            fields["arrays"][0]["windows"][0]["distinct"] = (1u64 << 50).into()
        }),
        ("ambiguous", |fields| {
            fields["arrays"][0]["windows"][0]["ambiguous"] = u64::MAX.into()
        }),
        ("contexts", |fields| {
            fields["arrays"][0]["windows"][0]["contexts"] = 1.into()
        }),
        ("excluded", |fields| {
            fields.insert("excluded".into(), serde_json::json!([[40, 1u64 << 60]]));
        }),
        ("excluded backwards", |fields| {
            fields.insert("excluded".into(), serde_json::json!([[9, 3]]));
        }),
        ("excluded twice", |fields| {
            fields.insert("excluded".into(), serde_json::json!([[30, 40], [30, 40]]));
        }),
        ("a window twice", |fields| {
            let windows = fields["windows"].as_array_mut().unwrap();
            windows.push(windows[0].clone());
        }),
        ("a database elsewhere", |fields| {
            fields["database"] = "../index/db".into()
        }),
        ("a file elsewhere", |fields| {
            fields["files"][0]["name"] = "db/../manifest.json".into()
        }),
    ];
    for (name, lie) in lies {
        let path = folder.path().join("lie");
        copy_folder(&sound, &path);
        crate::labels::rewrite_manifest(&path, lie);
        let opened = bitquilt::Index::open(&path).map(|_| ());
        assert!(
            matches!(opened, Err(bitquilt::IndexError::Damaged { .. })),
            "{name}: {opened:?}"
        );
        for verb in [
            &["info", "lie"][..],
            &["generate", "lie", "-o", "samples"],
            &["verify", "lie", "--brute-force"],
        ] {
            let output = bitquilt(folder.path(), verb);
            let code = if verb[0] == "verify" { 1 } else { 2 };
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{name}: {verb:?}: {stderr}"
            );
        }
        // It is an index's manifest all the same: a rebuild may replace it.
        fs_err::remove_dir_all(&path).unwrap();
    }
}

/// Ids that latents on disk have are believed no further than the manifest's; no memory is taken by them.
#[test]
fn a_manifest_of_more_latents_than_memory_holds_is_refused_in_words() {
    let set = repetitive(EIGHT, 30, 12).set();
    let (folder, index) = built(&set, &["3x3".parse().unwrap()], Anchor::None);
    drop(index);
    crate::labels::rewrite_manifest(&folder.path().join("index"), |fields| {
        // Within four bytes of id, and 64 TB of latents.
        fields["height"] = 1024.into();
        fields["width"] = 1024.into();
        fields.insert("excluded".into(), serde_json::json!([[30, 1u64 << 32]]));
        fields["sources"] = serde_json::json!([]);
        let contexts = 30u64 << 20;
        fields["arrays"][0]["windows"][0]["contexts"] = contexts.into();
    });
    let output = bitquilt(folder.path(), &["verify", "index"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{stderr}");
    assert!(
        said.contains("memory") || said.contains("damaged"),
        "{said}"
    );
}
