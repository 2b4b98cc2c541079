//! The models that are here.

use masklet::hub::CacheContents;
use serde_json::json;

use super::check::Check;
use crate::fetching;
use crate::progress::megabytes;

/// What is in the cache, complete or not.
pub(super) fn check() -> Check {
    let hub = match fetching::hub(false) {
        Ok(hub) => hub,
        Err(failure) => {
            let advice = "correct it, or pass models with --weights FILE";
            return Check::fail("models", failure.to_string(), advice);
        }
    };
    let contents = hub.contents();
    let folder = hub.cache().display();
    let values = json!({
        "cache": hub.cache().to_string_lossy(),
        "offline": hub.is_offline(),
        "models": contents.models.iter().map(|model| json!({
            "name": model.preset.name(), "file": model.file.to_string_lossy(), "bytes": model.bytes,
        })).collect::<Vec<_>>(),
        "incomplete": contents.incomplete.iter().map(|partial| json!({
            "name": partial.preset.name(), "file": partial.file.to_string_lossy(), "bytes": partial.bytes,
        })).collect::<Vec<_>>(),
    });
    let found = format!("{} in {folder}", describe(&contents));
    let check = match (&*contents.models, &*contents.incomplete) {
        (_, [partial, ..]) => Check::note(
            "models",
            found,
            format!(
                "`masklet models fetch {}` continues the download",
                partial.preset
            ),
        ),
        ([], []) => Check::note(
            "models",
            found,
            "`masklet models fetch sam2.1-tiny` gets the smallest",
        ),
        _ => Check::ok("models", found),
    };
    check.with_values(values)
}

fn describe(contents: &CacheContents) -> String {
    let complete = contents
        .models
        .iter()
        .map(|model| format!("{} ({})", model.preset, megabytes(model.bytes)));
    let partial = contents.incomplete.iter().map(|partial| {
        let bytes = megabytes(partial.bytes);
        format!("{} (incomplete, {bytes} so far)", partial.preset)
    });
    let all: Vec<String> = complete.chain(partial).collect();
    match all.as_slice() {
        [] => "none".to_owned(),
        all => all.join(", "),
    }
}
