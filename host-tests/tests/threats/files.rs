//! Altered, old, misdirected and outlived sealed files.

use flagstone_compile::{Audience, Options, Source, compile};
use flagstone_seal::{
    Clock, Floor, Mark, OpenPolicy, Opened, Role, RoleKind, SealError, SecretKey, Signer,
    SnapshotStatementDraft, TrustDraft, TrustRoot, open, seal_snapshot, seal_trust,
};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, PAYLOAD_TYPE, World, snapshot};

use super::chance::Chance;

const DEFINITION: &str = include_str!("../../browser-page/definition.yaml");
const CAP: u64 = 1 << 20;

fn policy(now: u64, mark: Option<Mark>) -> OpenPolicy<'static> {
    OpenPolicy { audience: AUDIENCE, environment: ENVIRONMENT, now, mark, max_payload: CAP }
}

/// A file changed in one of the ways in which disks, caches and attackers change files.
fn mutated(chance: &mut Chance, file: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len());
        match chance.below(8) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = chance.next() as u8,
            2 => bytes.truncate(at + 1),
            3 => bytes.insert(at, chance.next() as u8),
            4 => drop(bytes.remove(at)),
            // A piece of the other file in its place.
            5 => {
                let end = (at + chance.below(64)).min(bytes.len()).min(other.len());
                if at < end {
                    bytes[at..end].copy_from_slice(&other[at..end]);
                }
            }
            // The head of one, the tail of the other.
            6 => {
                bytes.truncate(at + 1);
                bytes.extend_from_slice(other.get(at + 1..).unwrap_or_default());
            }
            _ => {
                let (one, two) = (chance.below(bytes.len()), chance.below(bytes.len()));
                bytes.swap(one, two);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Threat 1: 100,000 changed files, none accepted. The flips of every single bit are in `sealed.rs`.
#[test]
fn of_a_hundred_thousand_altered_files_none_opens() {
    let world = World::new(ISSUED).unwrap();
    let payload = snapshot("definition.yaml", DEFINITION).unwrap();
    let (file, other) = (world.seal(&payload, 7).unwrap(), world.seal(b"another payload", 8).unwrap());
    let trust = world.pinned().unwrap();
    let refuse = |seed: u64| {
        let mut chance = Chance(seed);
        let mut codes = std::collections::BTreeMap::new();
        let mut tried = 0;
        while tried < 50_000 {
            let (one, two) = if chance.one_in(2) { (&file, &other) } else { (&other, &file) };
            let bytes = mutated(&mut chance, one, two);
            if bytes == file || bytes == other {
                continue; // it was put back together
            }
            tried += 1;
            match open(&bytes, &trust, &policy(ISSUED + 60, None)) {
                Ok(_) => panic!("an altered file was accepted (seed {seed}, number {tried})"),
                Err(error) => *codes.entry(error.code()).or_insert(0) += 1,
            }
        }
        codes
    };
    let codes = std::thread::scope(|scope| {
        let halves = [1, 2].map(|seed| scope.spawn(move || refuse(seed)));
        halves.map(|half| half.join().unwrap())
    });
    for code in ["bad-signature", "payload-digest", "truncated", "trailing-bytes", "bad-magic", "threshold"] {
        assert!(codes.iter().all(|codes| codes.contains_key(code)), "none was refused as {code}: {codes:?}");
    }
}

/// Threat 2: each of 50 past files, shown to a reader at the head, and to one that lost its disk.
#[test]
fn of_fifty_past_files_none_opens_again() {
    let world = World::new(ISSUED).unwrap();
    let files: Vec<_> = (1..=50)
        .map(|sequence| world.seal(format!("payload {sequence}").as_bytes(), sequence).unwrap())
        .collect();
    let trust = world.pinned().unwrap();
    let mut mark = None;
    for file in &files {
        mark = Some(open(file, &trust, &policy(ISSUED, mark)).unwrap().mark);
    }
    for old in &files[..49] {
        assert_eq!(open(old, &trust, &policy(ISSUED, mark)).unwrap_err(), SealError::Rollback);
    }
    // The head itself may be read again, by this reader as by one that just starts.
    assert!(open(&files[49], &trust, &policy(ISSUED, mark)).is_ok());

    let floor = Floor { environment: ENVIRONMENT.into(), epoch: 1, sequence: 50 };
    let next = next_trust(&world, |draft| draft.floors.push(floor));
    let wiped = TrustRoot::pin(&next, ISSUED).unwrap();
    for old in &files[..49] {
        assert_eq!(open(old, &wiped, &policy(ISSUED, None)).unwrap_err().code(), "below-floor");
    }
    assert!(open(&files[49], &wiped, &policy(ISSUED, None)).is_ok());
}

/// The next trust note of a world.
fn next_trust(world: &World, change: impl FnOnce(&mut TrustDraft)) -> Vec<u8> {
    let statement = world.pinned().unwrap().statement().clone();
    let mut draft = TrustDraft {
        version: 2,
        epoch: statement.epoch,
        issued: statement.issued,
        expires: statement.expires,
        roles: statement.roles,
        floors: statement.floors,
        revoked_keys: statement.revoked_keys,
        revoked_statements: statement.revoked_statements,
    };
    change(&mut draft);
    seal_trust(&draft, &[&world.root as &dyn Signer]).unwrap()
}

/// Threat 5: every file with every reader. Only what was sealed for a reader opens for it.
#[test]
fn files_open_for_their_own_readers_only() {
    let root = SecretKey::from_seed("flagstone.example/root", [11; 32]).unwrap();
    let key = |number: u8| {
        SecretKey::from_seed(&format!("flagstone.example/release-{number}"), [number; 32]).unwrap()
    };
    let environments = [("production", key(21)), ("staging", key(22))];
    let products = ["acme.example/assistant", "acme.example/search"];
    let audiences: Vec<String> = products
        .iter()
        .flat_map(|product| [format!("{product}#server"), format!("{product}#browser")])
        .collect();
    let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
    let draft = TrustDraft {
        version: 1,
        epoch: 1,
        issued: ISSUED,
        expires: ISSUED + 86_400,
        roles: std::iter::once(role(RoleKind::Root, &root))
            .chain(environments.iter().map(|(name, key)| role(RoleKind::Release((*name).into()), key)))
            .collect(),
        floors: Vec::new(),
        revoked_keys: Vec::new(),
        revoked_statements: Vec::new(),
    };
    let trust = TrustRoot::pin(&seal_trust(&draft, &[&root as &dyn Signer]).unwrap(), ISSUED).unwrap();
    let mut files = Vec::new();
    for audience in &audiences {
        for (environment, _) in &environments {
            // Sealed by the right key, and by the other environment's.
            for (signer, key) in &environments {
                let draft = SnapshotStatementDraft {
                    audience: audience.clone(),
                    environment: (*environment).into(),
                    epoch: 1,
                    sequence: 1,
                    issued: ISSUED,
                    expires: ISSUED + 3_600,
                    parent: [0; 32],
                    payload_type: PAYLOAD_TYPE.into(),
                };
                let file = seal_snapshot(&draft, b"payload", &[key as &dyn Signer]).unwrap();
                files.push((audience, environment, signer, file));
            }
        }
    }
    let mut opened = 0;
    for audience in &audiences {
        for (environment, _) in &environments {
            for (meant, place, signer, file) in &files {
                let policy = OpenPolicy { audience, environment, now: ISSUED, mark: None, max_payload: CAP };
                let mine = *meant == audience && *place == environment && *signer == environment;
                let answer = open(file, &trust, &policy);
                assert_eq!(
                    answer.is_ok(),
                    mine,
                    "{meant} {place} by {signer}, read by {audience} {environment}: {answer:?}"
                );
                opened += usize::from(mine);
            }
        }
    }
    assert_eq!((files.len(), opened), (16, 8));
}

/// Threat 5 again: what only a server may know is not in a browser's file at all.
#[test]
fn a_browser_payload_has_no_names_of_people() {
    let text = "
segments: { testers: { include: [ana-the-tester], when: { '==': [{ var: team }, secret-team] }, store: hashes } }
flags:
  shown: { state: ENABLED, client: true, variants: { 'on': true, 'off': false }, defaultVariant: 'off', canaries: [{ context: { targetingKey: canary-person }, variant: 'off' }] }
  hidden: { state: ENABLED, owner: owner-of-it, variants: { 'on': secret-prompt, 'off': '' }, defaultVariant: 'off', overrides: { 'on': [ben-the-boss] }, targeting: { if: [{ segment: testers }, 'on'] } }
";
    let payload = |audience| {
        let options =
            Options { environment: ENVIRONMENT.into(), strict: true, audience, ..Options::default() };
        let outcome = compile(&Source::new("flags.yaml", text), &options);
        let draft = outcome.draft.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
        flagstone_snapshot::encode(&draft).unwrap()
    };
    let holds = |bytes: &[u8], name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    let names = ["hidden", "secret-team", "secret-prompt", "ben-the-boss", "canary-person"];
    let (server, browser) = (payload(Audience::Server), payload(Audience::Browser));
    assert!(names.iter().all(|name| holds(&server, name)));
    let found: Vec<_> = names
        .iter()
        .chain(&["ana-the-tester", "owner-of-it", "testers"])
        .filter(|name| holds(&browser, name))
        .collect();
    assert!(found.is_empty() && holds(&browser, "shown"), "{found:?}");
}

/// Threat 10: a clock wound back a year brings nothing to life.
#[test]
fn what_has_expired_stays_expired_when_the_clock_is_wound_back() {
    let old = World::new(ISSUED).unwrap();
    let year = 365 * 86_400;
    let trust = old.pinned().unwrap();
    let (first, second) = (
        old.seal(b"one", 1).unwrap(),
        World { issued: ISSUED + 20 * 86_400, ..World::new(ISSUED).unwrap() }.seal(b"two", 2).unwrap(),
    );
    let mut clock = Clock::default();
    let read = |file: &[u8], clock: &Clock, machine: u64| {
        open(file, &trust, &policy(clock.now(machine), None)).map(|Opened { statement, .. }| statement.issued)
    };
    clock.saw(read(&first, &clock, ISSUED).unwrap());
    clock.saw(read(&second, &clock, ISSUED + 20 * 86_400).unwrap());
    for machine in [ISSUED + 20 * 86_400, ISSUED, ISSUED - year, 0] {
        assert_eq!(read(&first, &clock, machine).unwrap_err().code(), "expired", "at {machine}");
        assert!(read(&second, &clock, machine).is_ok());
    }
    // A jump ahead makes things stale, never newer than they are.
    assert_eq!(read(&second, &clock, ISSUED + year).unwrap_err().code(), "trust-expired");
}
