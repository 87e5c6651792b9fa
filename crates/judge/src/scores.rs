//! Scores between 0 and 1 (a judge's grade, a satisfaction): is their mean above a bar that was fixed beforehand?
//!
//! [`betting`] answers for one bar with a few numbers of state; [`interval`] draws the whole confidence sequence for a
//! reader. Exact at every moment and for every distribution on \[0, 1\]; no minimum of data. Source: Waudby-Smith & Ramdas,
//! arXiv:2010.09686.

pub mod betting;
pub mod interval;
