//! Where the shared test data of other projects lies, if it is there.

use std::path::PathBuf;

/// The shared folder: `FLAGSTONE_SHARED`, or `shared` beside the checkout. None when there is none; a test
/// that wants it then says so and does what it can.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("FLAGSTONE_SHARED").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}
