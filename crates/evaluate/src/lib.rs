//! (snapshot, context, now) -> decision, reason, exposure, trace; pure.
