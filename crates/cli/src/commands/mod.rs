//! One file a command.

pub(crate) mod compile;
pub(crate) mod evaluate;
pub(crate) mod govern;
pub(crate) mod host;
pub(crate) mod host_status;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod ledger_show;
pub(crate) mod open;
pub(crate) mod operate;
pub(crate) mod plan;
pub(crate) mod publish;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod reporting;
pub(crate) mod seal;
pub(crate) mod sign;
pub(crate) mod simulate;
pub(crate) mod snapshot_words;
pub(crate) mod trust;
pub(crate) mod up;
