//! P7 past one machine with the real binary: tasks as processes, killed at any instant; what the command says.

use std::process::Child;
use std::time::Duration;

use bitquilt::{Anchor, Budget, Index, IndexError, Unobserved};

use crate::oracle::Grid;
use crate::support::*;

/// As a shell loop runs it, each task in a process of its own, killed at random instants: whatever is there opens as nothing until all of it
/// is there, and then it is the index of one machine.
#[test]
fn processes_killed_in_every_phase_leave_nothing_half_built() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let grid = Grid {
        height: 16,
        width: 16,
        channels: 1,
    };
    let set = repetitive(grid, 1_200, 9).set();
    set.write(&folder.join("latents.safetensors")).unwrap();
    succeeds(
        folder,
        &split("build latents.safetensors -o alone --depth 7x7 --window seq:9"),
    );
    let expected: Vec<_> = open(&folder.join("alone"))
        .manifest()
        .arrays
        .iter()
        .map(|array| array.content)
        .collect();
    let mut random = Random(4);
    let (mut kills, mut phases) = (0, [0; 4]);
    let rounds = if long() { 20 } else { 3 };
    for round in 0..rounds {
        for name in ["work", "index"] {
            let _ = fs_err::remove_dir_all(folder.join(name));
        }
        let plan =
            "part plan latents.safetensors -o work --depth 7x7 --window seq:9 --maps 3 --parts 3";
        let mut steps = vec![(0, plan.to_owned())];
        steps.extend((0..3).map(|number| (1, format!("part map work {number} --memory 40MiB"))));
        steps.extend((0..6).map(|number| (2, format!("part reduce work {number}"))));
        steps.push((3, "part publish work -o index".to_owned()));
        for (phase, step) in steps {
            // Killed until it is not.
            while !ends(
                start(folder, &split(&step)),
                Duration::from_millis(random.below(60) + 5),
            ) {
                (kills, phases[phase]) = (kills + 1, phases[phase] + 1);
                match Index::open(&folder.join("index")) {
                    // The kill came between the rename and the end.
                    Ok(_) => assert_eq!(phase, 3),
                    Err(error) => assert!(
                        matches!(error, IndexError::NotAnIndex { .. }),
                        "round {round}: {error}"
                    ),
                }
                if random.below(3) == 0 {
                    break;
                }
            }
            // Also where it is published already: that takes away what a kill behind the rename has left.
            succeeds(folder, &split(&step));
        }
        let index = open(&folder.join("index"));
        index.verify(Budget::of_machine(), &Unobserved).unwrap();
        let found: Vec<_> = index
            .manifest()
            .arrays
            .iter()
            .map(|array| array.content)
            .collect();
        assert_eq!(found, expected);
        assert!(!folder.join("index/building").exists());
    }
    assert!(kills >= rounds, "{kills} kills: {phases:?}");
}

/// Waits for a process for so long, then kills it; whether it had ended well.
fn ends(mut child: Child, after: Duration) -> bool {
    let until = std::time::Instant::now() + after;
    while std::time::Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_command_says_what_is_left_and_refuses_what_cannot_be() {
    let desk = house();
    let folder = desk.path();
    let set = repetitive(EIGHT, 30, 2).set();
    set.write(&folder.join("few.safetensors")).unwrap();
    let plan = "part plan few.safetensors -o work --depth 3x3 --maps 5 --parts 2";
    let planned = succeeds(folder, &split(plan));
    assert!(
        planned.contains("map tasks 0 to 4, reduce tasks 0 to 1"),
        "{planned}"
    );
    // The same plan again goes on.
    assert_eq!(succeeds(folder, &split(plan)), planned);
    for number in [1, 2, 4] {
        succeeds(folder, &split(&format!("part map work {number}")));
    }
    let status = succeeds(folder, &split("part status work"));
    assert!(
        status.contains("map tasks: 3 of 5 have ended; left: 0,3"),
        "{status}"
    );
    refuses(
        folder,
        &split("part reduce work 0"),
        2,
        &["map task 0, map task 3 have not ended"],
    );
    refuses(
        folder,
        &split("part publish work -o made"),
        2,
        &["map task 0, map task 3 have not ended"],
    );
    assert!(!folder.join("made").exists());
    refuses(
        folder,
        &split("part map work 5"),
        2,
        &["the plan has map tasks 0 to 4"],
    );
    refuses(
        folder,
        &split("part map work 0 --memory 1kB"),
        2,
        &["memory limit of 1000 bytes is too small"],
    );
    refuses(
        folder,
        &split("part map nowhere 0"),
        2,
        &["nowhere", "plan it first"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o work --depth 5x5"),
        2,
        &["another build", "--force"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o w --maps 0"),
        2,
        &["--maps"],
    );
    refuses(
        folder,
        &split("part plan few.safetensors -o w --condition label"),
        2,
        &["no labels"],
    );
    for number in [0, 3] {
        succeeds(folder, &split(&format!("part map work {number}")));
    }
    for number in [0, 1] {
        succeeds(folder, &split(&format!("part reduce work {number}")));
    }
    let again = succeeds(folder, &split("part reduce work 1"));
    assert!(again.contains("had ended before"), "{again}");
    succeeds(folder, &split("part publish work -o made"));
    succeeds(folder, &split("part publish work -o made"));
    succeeds(folder, &split("build few.safetensors -o other --depth 5x5"));
    refuses(
        folder,
        &split("part publish work -o other"),
        2,
        &["holds an index already", "--force"],
    );
    succeeds(folder, &split("verify made"));
    let anchor = open(&folder.join("made")).manifest().anchor;
    assert_eq!(anchor, Anchor::None);
}
