//! What an error says beside its code: kept where people read errors, nothing at all in the smallest builds, where an
//! error is then one byte.

#[cfg(feature = "words")]
mod kept {
    /// A detail of an error.
    pub type Told<T> = T;

    /// Keeps what `detail` says.
    #[inline(always)]
    pub(crate) fn told<T>(detail: impl FnOnce() -> T) -> Told<T> {
        detail()
    }
}

#[cfg(not(feature = "words"))]
mod kept {
    /// A detail of an error, left out.
    pub type Told<T> = core::marker::PhantomData<T>;

    /// Leaves out what `detail` would say.
    #[inline(always)]
    pub(crate) fn told<T>(_: impl FnOnce() -> T) -> Told<T> {
        core::marker::PhantomData
    }
}

pub use kept::Told;
pub(crate) use kept::told;
