//! What to do about an error, in the words of the command line: the library names things, this the options for them.

use super::flags::as_flags;
use bitquilt::base::OutOfMemory;
use bitquilt::engine::EngineError;
use bitquilt::index::IndexError;
use bitquilt::picture::PictureError;
use bitquilt::search::SearchError;

/// Returns the message of an error, its options as flags, with the option that mends it where there is one.
pub(super) fn with_advice(error: &anyhow::Error) -> String {
    let message = as_flags(&format!("{error:#}"));
    let of_engine = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<EngineError>());
    if let Some(advice) = of_engine.and_then(advice) {
        return format!("{message}: {advice}");
    }
    let of_index = error.chain().find_map(|cause| {
        let engine = cause.downcast_ref::<EngineError>();
        match engine {
            Some(EngineError::Index(error)) => Some(error),
            _ => cause.downcast_ref::<IndexError>(),
        }
    });
    if let Some(IndexError::Version { path, found, .. }) = of_index
        && found == "1"
    {
        let index = path.parent().unwrap_or(path).display();
        return format!("{message}: as `bitquilt build LATENTS -o {index} --force`");
    }
    let memory = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<OutOfMemory>());
    if memory.is_some_and(|memory| memory.what.starts_with("updates of")) {
        return format!("{message}: ask for a smaller --batch, --width or --depth");
    }
    // The operating system's own words, from wherever a file is opened.
    if message.contains("Too many open files") && !message.contains("ulimit") {
        return format!("{message}: raise the limit of open files (`ulimit -n 1024` in a shell)");
    }
    message
}

fn advice(error: &EngineError) -> Option<String> {
    Some(match error {
        EngineError::WindowNeeded { last, .. } => format!("say which one, as --window {last}"),
        EngineError::WindowOrder { first, second } => {
            format!("as --window {second} --window {first}")
        }
        EngineError::LabelNeeded { .. } => "say which one, as --label L".to_owned(),
        EngineError::Memory(memory) if memory.what.ends_with("samples") => {
            "generate fewer at a time (--samples), with another --seed for each run".to_owned()
        }
        EngineError::Memory(memory) if memory.what.starts_with("the contexts of window") => {
            "raise --preload-memory, or leave it to --preload auto".to_owned()
        }
        EngineError::Request {
            part: "the window", ..
        } => "without --window".to_owned(),
        EngineError::Search(SearchError::Count { .. }) => "--all does".to_owned(),
        EngineError::Picture(PictureError::Map { .. }) => {
            "draw fewer samples (--png-limit) or sources (--png-sources)".to_owned()
        }
        _ => return None,
    })
}
