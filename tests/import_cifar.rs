//! CIFAR-100, and what tells it from CIFAR-10.

use crate::support::desk::{Desk, bits, shape};
use crate::support::files::{cifar, cifar100, idx};

/// Values innermost, thresholded.
fn pixels_of(records: &[u8], record: usize) -> Vec<bool> {
    let each = records.chunks(record).flat_map(|one| {
        let planes = &one[record - 3072..];
        (0..3072).map(|at| planes[at % 3 * 1024 + at / 3] >= 128)
    });
    each.collect()
}

#[test]
fn cifar_100_comes_with_its_fine_or_its_coarse_labels() {
    let desk = Desk::new();
    let records = cifar100(&[[19, 99], [0, 0], [3, 12]], 40);
    desk.write("cifar-100-binary/train.bin", &records);
    desk.write("cifar-100-binary/test.bin", cifar100(&[[7, 70]], 50));
    desk.write("cifar-100-binary/fine_label_names.txt", "apple\n");
    for (input, labels) in [
        ("cifar-100-binary", [99, 0, 12]),
        ("cifar-100-binary/train.bin", [99, 0, 12]),
        ("cifar-100-binary --labels fine", [99, 0, 12]),
        ("cifar-100-binary --labels coarse", [19, 0, 3]),
    ] {
        let (set, outcome) = desk.import(input);
        assert_eq!((set.len(), set.shape()), (3, shape(32, 32, 3)));
        assert_eq!(bits(&set), pixels_of(&records, 3074), "{input}");
        assert_eq!(set.labels().unwrap(), labels, "{input}");
        assert_eq!(set.source(), "train.bin, threshold 0.5");
        let told = outcome
            .stderr
            .contains("fine labels, 0 to 99 (--labels coarse");
        assert_eq!(told, !input.contains("--labels"), "{outcome:?}");
    }
    let (set, _) = desk.import("cifar-100-binary/test.bin cifar-100-binary/train.bin --gray");
    assert_eq!(set.labels().unwrap(), [70, 99, 0, 12]);
    assert_eq!(desk.import("cifar-100-binary --no-labels").0.labels(), None);
    // A file of that name is a file when it is given as one.
    desk.write("fine", idx(&[3], &[5, 6, 7]));
    assert_eq!(
        desk.import("cifar-100-binary --labels fine")
            .0
            .labels()
            .unwrap(),
        [99, 0, 12]
    );
    assert_eq!(
        desk.import("cifar-100-binary --labels ./fine")
            .0
            .labels()
            .unwrap(),
        [5, 6, 7]
    );
    // For another input it is nothing but a file.
    desk.write("i", idx(&[3, 2, 2], &[0; 12]));
    assert_eq!(
        desk.import("i --labels fine").0.labels().unwrap(),
        [5, 6, 7]
    );
    desk.refused_import(
        "i --labels coarse",
        &["coarse", "CIFAR-100", "no file of that name"],
    );
    desk.write("a.bin", cifar(&[1, 2, 3], 1));
    desk.refused_import("a.bin --labels coarse", &["coarse", "CIFAR-100"]);
    desk.refused_import("cifar-100-binary/train.bin a.bin", &["a.bin", "one input"]);
}

#[test]
fn what_is_no_cifar_100_batch_is_refused() {
    let desk = Desk::new();
    let good = cifar100(&[[1, 2], [3, 4]], 60);
    desk.write("fine.bin", cifar100(&[[1, 2], [3, 100]], 60));
    desk.refused_import(
        "fine.bin",
        &["fine.bin", "CIFAR-100", "label 100 in record 1"],
    );
    desk.write("coarse.bin", cifar100(&[[1, 2], [20, 4]], 60));
    desk.refused_import("coarse.bin", &["label 20 in record 1"]);
    desk.write("f/train.bin", &good[..5000]);
    desk.write("f/fine_label_names.txt", "");
    desk.refused_import(
        "f",
        &["train.bin", "CIFAR-100 records of 3074", "1926 left over"],
    );
    desk.write("g/train.bin", "");
    desk.write("g/fine_label_names.txt", "");
    desk.refused_import("g", &["train.bin", "empty"]);
    // A folder with some other train.bin is no CIFAR-100.
    desk.write("h/train.bin", "weights");
    desk.refused_import("h", &["h: expected images"]);
}

#[test]
fn a_length_that_fits_both_data_sets_is_told_apart_by_all_labels() {
    let desk = Desk::new();
    // 3,074 records of CIFAR-10 are as long as 3,073 of CIFAR-100.
    let ten = cifar(&[5; 3074], 1);
    let hundred = cifar100(&[[5, 55]; 3073], 1);
    assert_eq!(ten.len(), hundred.len());
    desk.write("ten.bin", &ten);
    desk.write("hundred.bin", &hundred);
    let (set, _) = desk.import("ten.bin");
    assert_eq!((set.len(), bits(&set)), (3074, pixels_of(&ten, 3073)));
    assert_eq!(set.labels().unwrap(), [5; 3074]);
    let (set, _) = desk.import("hundred.bin");
    assert_eq!((set.len(), bits(&set)), (3073, pixels_of(&hundred, 3074)));
    assert_eq!(set.labels().unwrap(), [55; 3073]);
    // Nothing but 0 may be either, unless its name tells.
    for (name, latents) in [("data_batch_1.bin", 3074), ("test.bin", 3073)] {
        desk.write(name, vec![0; ten.len()]);
        assert_eq!(desk.import(name).0.len(), latents);
    }
    desk.write("black.bin", vec![0; ten.len()]);
    desk.refused_import("black.bin", &["CIFAR-10 or of CIFAR-100", "either"]);
}
