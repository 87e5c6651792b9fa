//! Exposures, outcomes, pseudonyms, batches; where privacy is enforced.
