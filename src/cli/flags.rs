//! Messages of the library → the command's: the library names an option as its callers write it, `grid=16x16` or
//! `` `grid` ``, and here it becomes `--grid 16x16` or `--grid`.

use std::collections::HashSet;
use std::sync::OnceLock;

use clap::{Command, CommandFactory};

use super::Cli;

/// Rewrites the options that a message of the library names as flags of the command.
///
/// `name=value` becomes `--name value`, `name=true` becomes `--name`, and a name in backticks becomes `--name`,
/// where `name` (with `-` for `_`) is a long option of some verb, and stands behind a space or a bracket: what users
/// wrote stands at the start of a message or in quotes, and stays as they wrote it.
pub(super) fn as_flags(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    let mut begins = false;
    while let Some(letter) = rest.chars().next() {
        if let Some(option) = begins.then(|| Flag::at_start_of(rest)).flatten() {
            text.push_str("--");
            text.push_str(&option.name);
            if option.has_value {
                text.push(' ');
            }
            rest = &rest[option.length..];
            begins = false;
            continue;
        }
        text.push(letter);
        begins = letter.is_whitespace() || matches!(letter, '(' | '[');
        rest = &rest[letter.len_utf8()..];
    }
    text
}

/// An option as the library names it.
struct Flag {
    /// As the command has it, without its dashes.
    name: String,
    /// Bytes of the message that it replaces; its value, if it has one, follows them.
    length: usize,
    has_value: bool,
}

impl Flag {
    /// Returns the option with which a text begins.
    fn at_start_of(text: &str) -> Option<Self> {
        let quoted = text.starts_with('`');
        let word = if quoted { &text[1..] } else { text };
        let end = word.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())?;
        let (name, behind) = word.split_at(end);
        let name = name.replace('_', "-");
        if !long_options().contains(&name) {
            return None;
        }
        if quoted {
            return behind.starts_with('`').then_some(Self {
                name,
                length: end + 2,
                has_value: false,
            });
        }
        let value = behind.strip_prefix('=')?;
        let is_true = value.strip_prefix("true").is_some_and(|after| {
            let next = after.chars().next();
            next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
        });
        if is_true {
            let length = end + "=true".len();
            return Some(Self {
                name,
                length,
                has_value: false,
            });
        }
        let has_value = value
            .chars()
            .next()
            .is_some_and(|first| !first.is_whitespace());
        has_value.then_some(Self {
            name,
            length: end + 1,
            has_value,
        })
    }
}

/// Returns the long options of all verbs.
fn long_options() -> &'static HashSet<String> {
    static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = HashSet::new();
        collect(&Cli::command(), &mut names);
        names
    })
}

fn collect(command: &Command, names: &mut HashSet<String>) {
    let own = command
        .get_arguments()
        .filter_map(|option| option.get_long());
    names.extend(own.map(str::to_owned));
    for verb in command.get_subcommands() {
        collect(verb, names);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::as_flags;

    #[test]
    fn options_of_the_library_become_flags() {
        for (message, expected) in [
            (
                "c.npy: expected layout=nhw (3x5 sites), or layout=nlk grid=HxW (H·W = 3)",
                "c.npy: expected --layout nhw (3x5 sites), or --layout nlk --grid HxW (H·W = 3)",
            ),
            (
                "found index_bits={bits} and neither",
                "found --index-bits {bits} and neither",
            ),
            (
                "say msb_first=true or lsb_first=true.",
                "say --msb-first or --lsb-first.",
            ),
            (
                "over black (background=COLOUR for another)",
                "over black (--background COLOUR for another)",
            ),
            (
                "or pass force=true to replace it",
                "or pass --force to replace it",
            ),
            ("leave force=true", "leave --force"),
            ("leave `index_bits` out", "leave --index-bits out"),
            ("smaller ones (`scale`)", "smaller ones (--scale)"),
            (
                "build an index with window=7x7",
                "build an index with --window 7x7",
            ),
        ] {
            assert_eq!(as_flags(message), expected);
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for message in [
            "--fix 'prefix=111': 3 bits",
            "--fix 'label=1': expected one bit",
            "label=3/grid.npy: expected layout and grid",
            "in data/size=3/x: 4",
            "a grid, H*W=L, of K=1 with prefix=111 and format=bitquilt",
            "the grid= of it, `grid, grid` and `ulimit -n 1024`",
            "my_grid=3 regrid=4 grid-layout=5 `regrid` `bitquilt import`",
            "trailing grid",
            "",
            "naïve größe=3 ＝ ａｂｃ",
        ] {
            assert_eq!(as_flags(message), message);
        }
    }

    #[test]
    fn only_the_word_true_is_no_value() {
        assert_eq!(as_flags("or labels=truest"), "or --labels truest");
        assert_eq!(as_flags("or gray=true, or not"), "or --gray, or not");
    }

    #[test]
    fn the_library_names_no_flag_itself() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![source.clone()];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // In a style sheet two dashes begin the names of its own; the explorer tells of the command that does the same.
                let others = ["cli", "page", "serve/page", "serve/openapi.json"];
                if others.iter().any(|other| path == source.join(other)) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                read += 1;
                for line in fs_err::read_to_string(&path).unwrap().lines() {
                    let flag = line
                        .split("--")
                        .skip(1)
                        .any(|after| after.starts_with(|first: char| first.is_ascii_lowercase()));
                    assert!(!flag, "{}: {line}", path.display());
                }
            }
        }
        assert!(read > 100, "{read} files under {}", source.display());
    }
}
