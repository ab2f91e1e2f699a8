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

/// One block as a directory lists it: separator, entries, and those that are followed by 1.
type Listed = (Vec<u8>, u16, u16);

/// Changes what a directory says of its blocks.
fn change_directory(entries: &mut Entries, change: impl FnOnce(&mut Vec<Listed>)) {
    let [(_, value)] = &mut entries[..] else {
        panic!("one record lists up to 256 blocks");
    };
    let config = bincode::config::standard();
    let (mut blocks, _) = bincode::decode_from_slice(value, config).unwrap();
    change(&mut blocks);
    *value = bincode::encode_to_vec(blocks, config).unwrap();
}

/// Lets a separator of the directory be another one that still ascends. `change` makes one of it that may do.
fn change_separator(entries: &mut Entries, change: impl Fn(&[u8]) -> Vec<u8>) {
    change_directory(entries, |blocks| {
        let at = (1..blocks.len() - 1).find(|at| {
            let other = change(&blocks[*at].0);
            blocks[at - 1].0 < other && other < blocks[at + 1].0 && other != blocks[*at].0
        });
        let at = at.expect("a separator that can be another");
        blocks[at].0 = change(&blocks[at].0);
    });
}

/// A number of some bits in bytes, lowest bit first; put into them where `put` is some.
fn number(bytes: &mut [u8], at: usize, bits: usize, put: Option<usize>) -> usize {
    let mut number = 0;
    for bit in 0..bits {
        let (byte, mask) = ((at + bit) / 8, 1 << ((at + bit) % 8));
        if let Some(put) = put {
            bytes[byte] &= !mask;
            bytes[byte] |= if put >> bit & 1 == 1 { mask } else { 0 };
        }
        number |= usize::from(bytes[byte] & mask > 0) << bit;
    }
    number
}

/// Bits of an occurrence's number in the blocks of [`lying`].
const NUMBER: usize = 14;

/// A block of groups of one: its first two occurrences of one bit that follow one another.
fn two_alike(entries: &Entries) -> (usize, usize) {
    for (block, (_, bytes)) in entries.iter().enumerate() {
        let mut bytes = bytes.clone();
        let groups = number(&mut bytes[2..4], 0, 16, None) + 1;
        if number(&mut bytes[..2], 0, 16, None) + 1 != groups {
            continue;
        }
        let bits = 32 + groups * NUMBER;
        let mut bit = |group| number(&mut bytes, bits + group, 1, None);
        if let Some(group) = (0..groups - 1).find(|group| bit(*group) == bit(group + 1)) {
            return (block, group);
        }
    }
    panic!("no block of groups of one");
}

/// An index of a few dozen blocks, most contexts of which occur once.
fn lying() -> (tempfile::TempDir, std::path::PathBuf) {
    let mut random = Random(12);
    let mut latent = || (0..EIGHT.bits()).map(|_| random.bit()).collect();
    let latents: Vec<crate::oracle::Latent> = (0..200).map(|_| latent()).collect();
    let set = set_of(EIGHT, &latents);
    assert_eq!(
        (set.len() * set.shape().bits()).next_power_of_two(),
        1 << NUMBER
    );
    let options = bitquilt::BuildOptions {
        depth: Some("global".parse().unwrap()),
        ..build_options(&["3x3"])
    };
    let (folder, index) = built_with(&set, &options);
    assert!((20..256).contains(&index.manifest().arrays[0].blocks));
    let path = folder.path().join("index");
    (folder, path)
}

#[test]
fn an_index_that_lies_with_right_checksums_is_found_out() {
    let (folder, sound) = lying();
    type Change = fn(&mut Entries);
    let lies: [(&str, &str, Change); 17] = [
        // Every number is right, in the wrong place.
        ("blocks exchanged", "array:rings", |entries| {
            let value = std::mem::take(&mut entries[3].1);
            entries[3].1 = std::mem::replace(&mut entries[4].1, value);
        }),
        ("a block twice", "array:rings", |entries| {
            entries[5].1 = entries[9].1.clone();
        }),
        ("a block left out", "array:rings", |entries| {
            entries.pop();
        }),
        ("no block", "array:rings", Vec::clear),
        ("a block cut short", "array:rings", |entries| {
            let length = entries[2].1.len();
            entries[2].1.truncate(length / 2);
        }),
        ("entries out of order", "array:rings", |entries| {
            let (block, group) = two_alike(entries);
            let bytes = &mut entries[block].1;
            let [one, other] = [group, group + 1].map(|group| 32 + group * NUMBER);
            let first = number(bytes, one, NUMBER, None);
            let second = number(bytes, other, NUMBER, Some(first));
            assert_eq!(second, first);
            let second = number(&mut entries[block].1.clone(), other, NUMBER, None);
            assert_eq!(second, first);
        }),
        ("an entry of another place", "array:rings", |entries| {
            let (block, group) = two_alike(entries);
            let bytes = &mut entries[block].1;
            let at = 32 + group * NUMBER;
            let own = number(bytes, at, NUMBER, None);
            number(bytes, at, NUMBER, Some(own ^ 64));
        }),
        ("another next bit", "array:rings", |entries| {
            let (block, group) = two_alike(entries);
            let bytes = &mut entries[block].1;
            let groups = number(&mut bytes[2..4], 0, 16, None) + 1;
            let bits = 32 + groups * NUMBER;
            let bit = |bytes: &mut [u8], group| number(bytes, bits + group, 1, None);
            // As many ones as before.
            let own = bit(bytes, group);
            let other = (0..groups).find(|other| bit(bytes, *other) != own).unwrap();
            number(bytes, bits + group, 1, Some(1 - own));
            number(bytes, bits + other, 1, Some(own));
        }),
        ("separators exchanged", "directory:rings", |entries| {
            change_directory(entries, |blocks| {
                let separator = std::mem::take(&mut blocks[3].0);
                blocks[3].0 = std::mem::replace(&mut blocks[4].0, separator);
            });
        }),
        ("a separator too high", "directory:rings", |entries| {
            change_separator(entries, |own| [own, &[0xff; 9]].concat());
        }),
        ("a separator too low", "directory:rings", |entries| {
            change_separator(entries, |own| match own {
                [begin @ .., last] if *last > 0 => [begin, &[last - 1]].concat(),
                _ => own.to_vec(),
            });
        }),
        ("wrong counts", "directory:rings", |entries| {
            change_directory(entries, |blocks| {
                blocks[3].1 -= 1;
                blocks[3].2 = blocks[3].2.min(blocks[3].1);
                blocks[4].1 += 1;
            });
        }),
        ("wrong counts of ones", "directory:rings", |entries| {
            change_directory(entries, |blocks| {
                let fewer = blocks.iter().position(|block| block.2 > 0).unwrap();
                blocks[fewer].2 -= 1;
            });
        }),
        ("a block that is not listed", "directory:rings", |entries| {
            change_directory(entries, |blocks| drop(blocks.pop()));
        }),
        ("a list of another part", "directory:rings", |entries| {
            entries[0].0[3] ^= 1;
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
        let opened = bitquilt::Index::open_with_cache(&path, 1 << 20);
        let verified = opened.and_then(|index| index.verify(Budget::of_machine(), &Unobserved));
        assert!(
            matches!(verified, Err(bitquilt::IndexError::Damaged { .. })),
            "{name}: {verified:?}"
        );
        let output = bitquilt(folder.path(), &["verify", "lie"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        fs_err::remove_dir_all(&path).unwrap();
    }
}

/// Numbers of a manifest that could be right, and are not.
#[test]
fn a_manifest_that_counts_wrongly_is_found_out() {
    let (folder, sound) = lying();
    type Change = fn(&mut serde_json::Value);
    let lies: [(&str, Change); 3] = [
        ("distinct", |array| {
            let distinct = array["windows"][1]["distinct"].as_u64().unwrap();
            array["windows"][1]["distinct"] = (distinct - 1).into();
        }),
        ("ambiguous", |array| {
            let ambiguous = array["windows"][0]["ambiguous"].as_u64().unwrap();
            array["windows"][0]["ambiguous"] = (ambiguous - 1).into();
        }),
        ("blocks", |array| array["blocks"] = 7.into()),
    ];
    for (name, lie) in lies {
        let path = folder.path().join("lie");
        copy_folder(&sound, &path);
        crate::labels::rewrite_manifest(&path, |fields| lie(&mut fields["arrays"][0]));
        let verified = open(&path).verify(Budget::of_machine(), &Unobserved);
        assert!(
            matches!(verified, Err(bitquilt::IndexError::Damaged { .. })),
            "{name}: {verified:?}"
        );
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
    let lies: [(&str, Change); 22] = [
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
        ("a window that is not held", |fields| {
            fields["windows"][0] = "5x5".into()
        }),
        ("an array twice", |fields| {
            let arrays = fields["arrays"].as_array_mut().unwrap();
            arrays.push(arrays[0].clone());
        }),
        ("no array", |fields| {
            fields["arrays"] = serde_json::json!([])
        }),
        ("another direction", |fields| {
            fields["arrays"][0]["direction"] = "line".into()
        }),
        ("a depth that does not fit", |fields| {
            fields["arrays"][0]["depth"] = "17x17".into()
        }),
        ("a depth without its windows", |fields| {
            fields["arrays"][0]["depth"] = "5x5".into()
        }),
        ("a window of an array left out", |fields| {
            fields["arrays"][0]["windows"] = serde_json::json!([])
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
