//! Every limit of this crate in one place, each with its reason.
//!
//! A limit met is a typed error, never a panic and never an allocation: lengths are compared before bytes are
//! touched. Each constant names the test that hits it.

/// Bytes before the note in a sealed file: 8 magic, 4 note length, 8 payload length.
pub const HEADER_BYTES: usize = 20;

/// Note of a sealed file (statement and signatures). A statement is about 350 bytes and a signature line about
/// 130, so 16 signers with long names fit; it also keeps the statement below the 4,096 bytes that cloud key
/// services sign in one call. Test: `frame::tests::lengths_are_checked_before_bytes`.
pub const MAX_NOTE_BYTES: usize = 8_192;

/// Note of a pulse: a stage line and a halt line for some thousand planned flags with everyday names.
/// Test: `note::tests::an_oversized_note_is_refused`.
pub const MAX_PULSE_BYTES: usize = 256 << 10;

/// Note of a trust statement: [`MAX_ROLES`] roles of a few keys each at about 100 bytes a key.
/// Test: `note::tests::an_oversized_note_is_refused`.
pub const MAX_TRUST_BYTES: usize = 64 << 10;

/// Signature lines of one note. Each known one costs a curve operation (about 0.2 ms in wasm), so this bounds
/// the work an unauthenticated file can ask for to a few milliseconds.
/// Test: `note::tests::seventeen_signatures_are_refused`.
pub const MAX_SIGNATURES: usize = 16;

/// Keys of one role: no more can sign one note. Test: `statement::trust::tests::limits`.
pub const MAX_ROLE_KEYS: usize = MAX_SIGNATURES;

/// Roles of a trust statement: root, and release and pulse for 31 environments.
/// Test: `statement::trust::tests::limits`.
pub const MAX_ROLES: usize = 63;

/// Floors, revoked keys and revoked statements of a trust statement, each: a list a person still reads.
/// Test: `statement::trust::tests::limits`.
pub const MAX_TRUST_LINES: usize = 64;

/// Stage lines, and halt lines, of a pulse: every flag of a full snapshot would pass this, but its text would
/// meet [`MAX_PULSE_BYTES`] first. Test: `statement::pulse::tests::limits`.
pub const MAX_PULSE_LINES: usize = 4_096;

/// Bytes of an audience: a host name, a path and a class (`acme.example/assistant#browser`).
/// Test: `text::tests::tokens_are_plain`.
pub const MAX_AUDIENCE_BYTES: usize = 200;

/// Bytes of an environment name; it is also part of a role name. Test: `text::tests::tokens_are_plain`.
pub const MAX_ENVIRONMENT_BYTES: usize = 64;

/// Bytes of a payload type, as long as a media type gets (RFC 6838 section 4.2: 127 a side).
/// Test: `text::tests::tokens_are_plain`.
pub const MAX_PAYLOAD_TYPE_BYTES: usize = 255;

/// Bytes of a signer's name. Test: `key::tests::names_are_bounded`.
pub const MAX_NAME_BYTES: usize = 128;

/// Bytes of a flag key in a pulse; the snapshot's own limit for names.
/// Test: `statement::pulse::tests::limits`.
pub const MAX_FLAG_KEY_BYTES: usize = 256;

/// Digits of a decimal: 19 always fit a u64 and leave its top out of a forger's reach.
/// Test: `text::tests::decimals_are_canonical`.
pub const MAX_DIGITS: usize = 19;

/// Seconds a statement may be issued ahead of the reader's clock: five minutes of skew.
/// Test: `open::tests::time_is_checked`.
pub const MAX_CLOCK_SKEW: u64 = 300;

/// Longest life of a snapshot: 31 days. A longer one would let a frozen client keep it for as long.
/// Test: `open::tests::time_is_checked`.
pub const MAX_SNAPSHOT_LIFETIME: u64 = 31 * 86_400;

/// Longest life of a pulse: 15 minutes, since it is the exposure lease. Test: `pulse::tests::time_is_checked`.
pub const MAX_PULSE_LIFETIME: u64 = 15 * 60;

/// Longest life of a trust statement: 366 days, so that root keys are used, and so proven to exist, every year.
/// Test: `trust::tests::lifetime_is_capped`.
pub const MAX_TRUST_LIFETIME: u64 = 366 * 86_400;

/// Trust statements one call of `TrustRoot::advance_all` walks: a client asleep for a thousand rotations still
/// catches up, an endless chain does not hold it. Test: `trust::tests::asleep_for_forty_rotations`.
pub const MAX_TRUST_STEPS: usize = 1_024;

/// Payload cap a server should use when it has no reason for another: 4 MiB.
pub const SERVER_PAYLOAD_BYTES: u64 = 4 << 20;

/// Payload cap a browser should use when it has no reason for another: 512 KiB.
pub const BROWSER_PAYLOAD_BYTES: u64 = 512 << 10;
