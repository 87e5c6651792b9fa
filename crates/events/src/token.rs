//! Exposure tokens: what a browser is handed with a decision, to say later "I was really given this".
//!
//! A browser holds no pepper and must not learn a pseudonym, nor make up exposures. So the host seals the whole exposure
//! into an opaque text that only hosts with the same pepper can make or read. Layout before base64 (URL alphabet, no padding):
//!
//! ```text
//! 1 byte    version, 1
//! 24 bytes  nonce: the first bytes of HMAC-SHA-256(nonce key, plaintext)
//! rest      XChaCha20-Poly1305(seal key, nonce, plaintext, associated data: the version)
//! ```
//! Both keys come from the pepper, each under a label of its own. A nonce that follows from the plaintext needs no randomness and
//! cannot be used twice for different texts; it is computed again after opening, which authenticates the text a second time.
//! Redeemed twice, a token gives the same event id, and so one exposure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::{Arm, EventId, Exposure, Inclusion, Pepper, Pseudonym, SnapshotId, Stream};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// Characters of a token at most: three names of 256 bytes and the fixed part, in base64.
pub const MAX_TOKEN_BYTES: usize = 2_048;

/// Why a token is refused. `code()` is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// Not the text of a token.
    Malformed,
    /// A token of a version that this code does not read.
    Version(u8),
    /// Not made with this pepper, or altered.
    Forged,
    /// Made for another audience or environment.
    OtherAudience,
    /// Its time is over.
    Expired,
}

impl TokenError {
    /// The stable name of this class of error, in kebab case.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            TokenError::Malformed => "token-malformed",
            TokenError::Version(_) => "token-version",
            TokenError::Forged => "token-forged",
            TokenError::OtherAudience => "token-other-audience",
            TokenError::Expired => "token-expired",
        }
    }
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenError::Malformed => f.write_str("this is not the text of an exposure token"),
            TokenError::Version(found) => write!(f, "exposure token of version {found}, this reads 1"),
            TokenError::Forged => {
                f.write_str("the exposure token was altered, or made by a host with another pepper")
            }
            TokenError::OtherAudience => {
                f.write_str("the exposure token was made for another audience or environment")
            }
            TokenError::Expired => {
                f.write_str("the exposure token has expired\nhint: ask for the decision again")
            }
        }
    }
}

impl std::error::Error for TokenError {}

/// Seals and opens the tokens of one pepper, audience and environment.
#[derive(Clone)]
pub struct Tokens {
    seal: XChaCha20Poly1305,
    nonce: [u8; 32],
    audience: [u8; 16],
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(secret)")
    }
}

impl Tokens {
    /// With keys derived from the pepper.
    #[must_use]
    pub fn new(pepper: &Pepper, audience: &str, environment: &str) -> Self {
        let mut named = Sha256::new();
        for part in [audience, environment] {
            named.update((part.len() as u64).to_be_bytes());
            named.update(part.as_bytes());
        }
        Self {
            seal: XChaCha20Poly1305::new(&pepper.derive("flagstone exposure token: seal").into()),
            nonce: pepper.derive("flagstone exposure token: nonce"),
            audience: first(&named.finalize()),
        }
    }

    /// The token of an exposure, good until `expires_ms` (unix milliseconds). None when it cannot be sealed, which
    /// does not happen to an exposure that passed its check.
    #[must_use]
    pub fn seal(&self, exposure: &Exposure, expires_ms: u64) -> Option<String> {
        let text = self.write(exposure, expires_ms)?;
        let nonce = self.nonce_of(&text);
        let sealed = self.seal.encrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &[VERSION] }).ok()?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The exposure in a token, as it was sealed: same id, same time.
    ///
    /// # Errors
    /// [`TokenError`]; nothing is told of a token that does not authenticate.
    pub fn open(&self, token: &str, now_ms: u64) -> Result<Exposure, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Malformed)?;
        let (version, rest) = bytes.split_first().ok_or(TokenError::Malformed)?;
        if *version != VERSION {
            return Err(TokenError::Version(*version));
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(TokenError::Malformed)?;
        let payload = Payload { msg: sealed, aad: &[VERSION] };
        let text = self.seal.decrypt(&XNonce::from(*nonce), payload).map_err(|_| TokenError::Forged)?;
        // The nonce is no secret by now, so how long this comparison takes tells nothing.
        if self.nonce_of(&text) != *nonce {
            return Err(TokenError::Forged);
        }
        let opened = Reader(&text).token().ok_or(TokenError::Malformed)?;
        if opened.audience != self.audience {
            return Err(TokenError::OtherAudience);
        }
        if opened.expires_ms <= now_ms {
            return Err(TokenError::Expired);
        }
        opened.exposure.check().map_err(|_| TokenError::Malformed)?;
        Ok(opened.exposure)
    }

    fn nonce_of(&self, text: &[u8]) -> [u8; NONCE_BYTES] {
        let mut block = [0_u8; 64];
        for (to, from) in block.iter_mut().zip(self.nonce) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(text);
        first(&mac.finalize().into_bytes())
    }

    fn write(&self, exposure: &Exposure, expires_ms: u64) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(256);
        text.extend_from_slice(&self.audience);
        text.extend_from_slice(&expires_ms.to_be_bytes());
        text.extend_from_slice(exposure.id.as_bytes());
        text.extend_from_slice(exposure.unit.as_bytes());
        text.extend_from_slice(&exposure.at_ms.to_be_bytes());
        text.extend_from_slice(&exposure.probability.to_be_bytes());
        text.extend_from_slice(&exposure.inclusion.parts().to_be_bytes());
        text.extend_from_slice(&exposure.snapshot.epoch.to_be_bytes());
        text.extend_from_slice(&exposure.snapshot.sequence.to_be_bytes());
        text.extend_from_slice(&exposure.snapshot.digest);
        let stream = STREAMS.iter().position(|stream| *stream == exposure.stream)?;
        let arm = ARMS.iter().position(|arm| *arm == exposure.arm)?;
        text.extend([u8::try_from(stream).ok()?, u8::try_from(arm).ok()?]);
        for stage in [exposure.stage, exposure.cohort] {
            text.extend(stage.map_or([1, 0], |index| [0, index]));
        }
        for name in [&exposure.flag, &exposure.variant, &exposure.reason] {
            text.extend_from_slice(&u16::try_from(name.len()).ok()?.to_be_bytes());
            text.extend_from_slice(name.as_bytes());
        }
        Some(text)
    }
}

const STREAMS: [Stream; 3] = [Stream::Production, Stream::Evaluation, Stream::Training];
const ARMS: [Arm; 3] = [Arm::None, Arm::Treatment, Arm::Control];

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut start = [0_u8; N];
    for (to, from) in start.iter_mut().zip(bytes) {
        *to = *from;
    }
    start
}

struct Opened {
    audience: [u8; 16],
    expires_ms: u64,
    exposure: Exposure,
}

/// Reads what [`Tokens::write`] wrote. It has been authenticated by then; None can only mean another program's text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    fn parts(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn stage(&mut self) -> Option<Option<u8>> {
        match self.bytes::<2>()? {
            [0, index] => Some(Some(index)),
            [1, 0] => Some(None),
            _ => None,
        }
    }

    fn name(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.bytes()?);
        let (name, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        String::from_utf8(name.to_vec()).ok()
    }

    fn token(mut self) -> Option<Opened> {
        let (audience, expires_ms) = (self.bytes()?, self.number()?);
        let (id, unit) = (EventId::from_bytes(self.bytes()?), Pseudonym::from_bytes(self.bytes()?));
        let at_ms = self.number()?;
        let (probability, inclusion) = (self.parts()?, Inclusion::new(self.parts()?).ok()?);
        let snapshot = SnapshotId { epoch: self.number()?, sequence: self.number()?, digest: self.bytes()? };
        let [stream, arm] = self.bytes()?;
        let stream = *STREAMS.get(usize::from(stream))?;
        let arm = *ARMS.get(usize::from(arm))?;
        let (stage, cohort) = (self.stage()?, self.stage()?);
        let (flag, variant, reason) = (self.name()?, self.name()?, self.name()?);
        let exposure = Exposure {
            id,
            stream,
            flag,
            variant,
            arm,
            stage,
            cohort,
            probability,
            unit,
            snapshot,
            reason,
            at_ms,
            inclusion,
        };
        self.0.is_empty().then_some(Opened { audience, expires_ms, exposure })
    }
}
