//! Embedders, conformance runners, budgets, architecture test.
