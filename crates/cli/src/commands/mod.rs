//! One file a command.

pub(crate) mod compile;
pub(crate) mod evaluate;
pub(crate) mod govern;
pub(crate) mod host;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod operate;
pub(crate) mod publish;
pub(crate) mod reporting;
pub(crate) mod seal;
pub(crate) mod trust;
pub(crate) mod up;
