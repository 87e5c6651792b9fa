//! Key files: a public key, a plain secret key, or a secret key encrypted with a passphrase.
//!
//! An encrypted file is the public key on a line of its own, so that it can be shown without the passphrase, and then
//! PEM of PKCS#8 `EncryptedPrivateKeyInfo`: PBES2 (RFC 8018) with scrypt and AES-256-GCM.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use ed25519::KeypairBytes;
use flagstone_seal::{SecretKey, VerifierKey};
use pkcs8::der::pem::LineEnding;
use pkcs8::der::{Decode, Encode};
use pkcs8::{EncodePrivateKey, EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef, SecretDocument};
use zeroize::{Zeroize, Zeroizing};

use crate::files;
use crate::passphrase::Passphrase;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// What scrypt costs by default: 2^17 blocks of 1 KiB, 128 MiB and some tenths of a second for each guess.
pub(crate) const WORK_FACTOR: u8 = 17;
/// More would take gigabytes: a file that asks for it is not ours.
const LARGEST_WORK_FACTOR: u8 = 20;
/// Less is no protection at all.
const SMALLEST_WORK_FACTOR: u8 = 10;
/// scrypt's block size, in 128 bytes.
const BLOCKS: u32 = 8;

/// What a key file holds.
pub(crate) enum KeyFile {
    Public(VerifierKey),
    Plain(SecretKey),
    Encrypted { public: VerifierKey, pem: String },
}

impl KeyFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = Zeroizing::new(files::read_text(path)?);
        Self::parse(&text).with_context(|| {
            format!("`{}` holds no key\nhint: `flagstone keys new` makes one", path.display())
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((first, rest)) = text.split_once('\n') {
            let pem = rest.trim_start().starts_with(&format!("-----BEGIN {LABEL}-----"));
            let public = VerifierKey::parse(first.trim()).ok().filter(|_| pem)?;
            return Some(Self::Encrypted { public, pem: rest.trim().to_owned() });
        }
        let plain = SecretKey::from_text(text).map(Self::Plain);
        plain.or_else(|_| VerifierKey::parse(text).map(Self::Public)).ok()
    }

    /// The public half, which no passphrase is needed for.
    pub(crate) fn public(&self) -> VerifierKey {
        match self {
            Self::Public(public) | Self::Encrypted { public, .. } => public.clone(),
            Self::Plain(secret) => secret.verifying_key(),
        }
    }

    /// The secret key, with its passphrase when it needs one.
    pub(crate) fn secret(self, path: &Path, passphrase: &Passphrase) -> Result<SecretKey> {
        match self {
            Self::Plain(secret) => Ok(secret),
            Self::Encrypted { public, pem } => {
                let passphrase = passphrase.of(&public, path)?;
                decrypt(&public, &pem, &passphrase).with_context(|| format!("`{}`", path.display()))
            }
            Self::Public(_) => bail!(
                "`{}` holds a public key, and a secret one is needed\n\
                 hint: where a key service holds the secret one, name it with `--signer-command`",
                path.display()
            ),
        }
    }
}

/// The secret key in a file of either form.
pub(crate) fn secret_key(path: &Path, passphrase: &Passphrase) -> Result<SecretKey> {
    KeyFile::read(path)?.secret(path, passphrase)
}

/// The text of a file that holds `secret` encrypted with `passphrase`; `work` is the logarithm of scrypt's cost.
pub(crate) fn encrypt(secret: &SecretKey, passphrase: &str, work: u8) -> Result<Zeroizing<String>> {
    let mut salt = [0; 16];
    let mut nonce = [0; 12];
    for bytes in [salt.as_mut_slice(), nonce.as_mut_slice()] {
        getrandom::fill(bytes).map_err(|error| anyhow!("the system gave no randomness: {error}"))?;
    }
    let cost = Some(work).filter(|work| (SMALLEST_WORK_FACTOR..=LARGEST_WORK_FACTOR).contains(work));
    let cost = cost.and_then(|work| scrypt::Params::new(work, BLOCKS, 1).ok()).with_context(|| {
        format!("a work factor lies between {SMALLEST_WORK_FACTOR} and {LARGEST_WORK_FACTOR}, not {work}")
    })?;
    let failed = |error: pkcs8::Error| anyhow!("the key cannot be encrypted: {error}");
    let scheme = pkcs8::pkcs5::pbes2::Parameters::scrypt_aes256gcm(cost, &salt, nonce)
        .map_err(|error| anyhow!("the key cannot be encrypted: {error}"))?;
    let mut pair = KeypairBytes { secret_key: *secret.seed(), public_key: None };
    let plain = pair.to_pkcs8_der();
    pair.secret_key.zeroize();
    let plain = plain.map_err(failed)?;
    let data = scheme
        .encrypt(passphrase, plain.as_bytes())
        .map_err(|error| anyhow!("the key cannot be encrypted: {error}"))?;
    let encrypted = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: scheme.into(),
        encrypted_data: pkcs8::der::asn1::OctetString::new(data).map_err(|error| failed(error.into()))?,
    };
    let document = SecretDocument::try_from(encrypted.to_der().map_err(|error| failed(error.into()))?)
        .map_err(|error| failed(error.into()))?;
    let pem = document.to_pem(LABEL, LineEnding::LF).map_err(|error| failed(error.into()))?;
    Ok(Zeroizing::new(format!("{}\n{}", secret.verifying_key(), pem.trim_end()) + "\n"))
}

/// The other way. No error tells more than that passphrase and file do not belong together.
fn decrypt(public: &VerifierKey, pem: &str, passphrase: &str) -> Result<SecretKey> {
    let damaged = "the encrypted key is damaged, or of a form that this program does not write";
    let (_, document) = SecretDocument::from_pem(pem).ok().context(damaged)?;
    let encrypted = EncryptedPrivateKeyInfoOwned::from_der(document.as_bytes()).ok().context(damaged)?;
    let scheme = encrypted.encryption_algorithm.pbes2().context(damaged)?;
    let cost = scheme.kdf.scrypt().context(damaged)?;
    // Before any memory is taken: a file from elsewhere must not ask for all of it.
    let (least, most) = (1u64 << SMALLEST_WORK_FACTOR, 1u64 << LARGEST_WORK_FACTOR);
    let sane = (least..=most).contains(&cost.cost_parameter)
        && u32::from(cost.block_size) == BLOCKS
        && cost.parallelization == 1;
    if !sane {
        bail!(damaged);
    }
    let plain = encrypted.decrypt(passphrase).ok().context(
        "this passphrase does not open it (or the file was changed)\n\
         hint: give the passphrase that `flagstone keys new` was given for this file",
    )?;
    let plain = PrivateKeyInfoRef::try_from(plain.as_bytes()).ok().context(damaged)?;
    let mut pair = KeypairBytes::try_from(plain).ok().context(damaged)?;
    let secret = SecretKey::from_seed(public.name(), pair.secret_key);
    pair.secret_key.zeroize();
    let secret = secret.ok().context(damaged)?;
    if secret.verifying_key() != *public {
        bail!("the public key on its first line is not that of the secret key in it: the file was changed");
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed("acme.example/release-ana", [7; 32]).unwrap()
    }

    #[test]
    fn a_key_comes_back_with_its_passphrase_only() {
        let text = encrypt(&key(), "four words of prose", SMALLEST_WORK_FACTOR).unwrap();
        assert!(text.starts_with("acme.example/release-ana+"), "{}", *text);
        assert!(!text.contains("PRIVATE+KEY"));
        let Some(KeyFile::Encrypted { public, pem }) = KeyFile::parse(&text) else { panic!("{}", *text) };
        assert_eq!(public, key().verifying_key());
        let back = decrypt(&public, &pem, "four words of prose").unwrap();
        assert_eq!(back.to_text(), key().to_text());
        let wrong = decrypt(&public, &pem, "four words of verse").unwrap_err().to_string();
        assert!(wrong.contains("passphrase") && !wrong.contains("verse"), "{wrong}");
        let again = encrypt(&key(), "four words of prose", SMALLEST_WORK_FACTOR).unwrap();
        assert_ne!(*again, *text, "salt and nonce are fresh");
    }

    #[test]
    fn a_changed_file_gives_no_key() {
        let text = encrypt(&key(), "four words of prose", SMALLEST_WORK_FACTOR).unwrap();
        let Some(KeyFile::Encrypted { public, pem }) = KeyFile::parse(&text) else { panic!("{}", *text) };
        let other = SecretKey::from_seed("acme.example/release-ben", [7; 32]).unwrap().verifying_key();
        let swapped = SecretKey::from_seed("acme.example/release-ana", [8; 32]).unwrap().verifying_key();
        assert!(decrypt(&swapped, &pem, "four words of prose").is_err(), "another key on the first line");
        // A name is not secret and not authenticated: signatures under it would be a stranger's.
        assert_eq!(decrypt(&other, &pem, "four words of prose").unwrap().verifying_key(), other);
        let (_, document) = SecretDocument::from_pem(&pem).unwrap();
        for at in (0..document.as_bytes().len()).step_by(7) {
            let mut bytes = document.as_bytes().to_vec();
            bytes[at] ^= 1;
            let Ok(bent) = SecretDocument::try_from(bytes) else { continue };
            let bent = bent.to_pem(LABEL, LineEnding::LF).unwrap();
            assert!(decrypt(&public, &bent, "four words of prose").is_err(), "byte {at}");
        }
    }

    #[test]
    fn greedy_and_weak_costs_are_refused() {
        for work in [0, 9, 21, 63, 255] {
            assert!(encrypt(&key(), "four words of prose", work).is_err(), "{work}");
        }
    }
}
