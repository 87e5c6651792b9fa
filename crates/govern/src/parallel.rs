//! Work on many things at once, where it holds up nobody: judging, and writing what was judged down for people.

use rayon::prelude::*;

use crate::GovernError;

/// Does the same with each, on all cores, and gives the answers in the same order. `each` must be pure: who is done first
/// decides nothing.
///
/// # Errors
/// [`GovernError::Interrupted`] when the work ended without an answer.
pub(crate) async fn map<T, R>(
    items: Vec<T>,
    each: impl Fn(T) -> R + Send + Sync + 'static,
) -> Result<Vec<R>, GovernError>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let work = move || items.into_par_iter().map(each).collect();
    tokio::task::spawn_blocking(work).await.map_err(|error| GovernError::Interrupted(error.to_string()))
}

/// Lets go of something large where it holds up nobody.
pub(crate) fn forget<T: Send + 'static>(large: T) {
    drop(tokio::task::spawn_blocking(move || drop(large)));
}
