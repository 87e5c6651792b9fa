//! The log over a real governor's folder: what is done to the files is found and named, and the governor does not go on
//! over a log that is not its own.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod common;

use std::path::Path;

use common::logs::{copy, edit, partial, places};
use common::{FLAG, World};
use flagstone_govern::log::{self, Checkpoint, LogError, tiles};
use flagstone_govern::{Govern, GovernError};
use serde_json::{Value, json};

/// A log of more than 256 entries: a full tile of each kind, and partial ones.
async fn grown() -> World {
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    world.fill(&govern, 262).await;
    govern.shutdown().await;
    world
}

fn entry(error: &LogError) -> Option<u64> {
    error.entry()
}

/// What an insider can do to the files, and the entry that is to be named.
#[tokio::test]
async fn every_kind_of_damage_names_the_entry() {
    type Damage = fn(&Path);
    let world = grown().await;
    let size = world.verify(&world.log_folder()).unwrap().checkpoint.size;
    let full = |folder: &Path| folder.join("tile/entries/000");
    assert!(size > 258 && full(&world.log_folder()).exists());
    let cases: [(&str, Damage, Option<u64>); 11] = [
        ("a byte of entry 100", |folder| flip_in_entry(&folder.join("tile/entries/000"), 99), Some(100)),
        ("a byte of entry 258", |folder| flip_in_entry(&partial(folder, "entries", "001"), 1), Some(258)),
        ("entries 10 and 20 swapped", |folder| swap(&folder.join("tile/entries/000"), 9, 19), Some(10)),
        ("entry 50 gone", |folder| remove_entry(&folder.join("tile/entries/000"), 49), Some(50)),
        ("the last entry gone", |folder| remove_last(&partial(folder, "entries", "001")), None),
        ("a hash of entry 7", |folder| edit(&folder.join("tile/0/000"), |tile| tile[6 * 32] ^= 1), None),
        ("a hash of level 1", |folder| edit(&partial(folder, "1", "000"), |tile| tile[5] ^= 1), None),
        (
            "the first bundle gone",
            |folder| std::fs::remove_file(folder.join("tile/entries/000")).unwrap(),
            Some(1),
        ),
        ("the checkpoint gone", |folder| std::fs::remove_file(folder.join("checkpoint")).unwrap(), None),
        (
            "another size",
            |folder| {
                edit(&folder.join("checkpoint"), |note| *note = text(note).replacen("\n2", "\n1", 1).into())
            },
            None,
        ),
        ("entry 100 and its hash alike", forge_entry_and_hash, Some(1)),
    ];
    for (what, damage, wanted) in cases {
        let other = tempfile::tempdir().unwrap();
        copy(&world.log_folder(), other.path());
        world.verify(other.path()).unwrap();
        damage(other.path());
        let error = world.verify(other.path()).err().unwrap_or_else(|| panic!("{what}: not noticed"));
        println!("{what}: {error}");
        assert!(error.is_bad(), "{what}: {error}");
        let wanted = if what == "the last entry gone" { Some(size) } else { wanted };
        assert_eq!(entry(&error), wanted, "{what}: {error}");
        match what {
            "entries 10 and 20 swapped" => {
                assert!(error.to_string().contains("entry 20 stands there"), "{error}")
            }
            "a hash of entry 7" => {
                assert!(
                    error.to_string().contains("`tile/0/000` does not fit the entries from entry 7"),
                    "{error}"
                );
            }
            "a hash of level 1" => assert!(error.to_string().contains("tile/1/000"), "{error}"),
            // Only the tile above is left to tell.
            "entry 100 and its hash alike" => assert!(error.to_string().contains("255 after it"), "{error}"),
            _ => {}
        }
    }
    // Another key has not signed it.
    let keys = [world.pulse.verifying_key()];
    let error = log::verify(log::folder(world.log_folder()), &keys, &mut |_, _| {}).err().unwrap();
    assert!(error.to_string().contains("not signed by the pinned key"), "{error}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn flip_in_entry(bundle: &Path, index: usize) {
    edit(bundle, |bytes| {
        let at = places(bytes)[index] + 20;
        bytes[at] ^= 1;
    });
}

fn swap(bundle: &Path, left: usize, right: usize) {
    edit(bundle, |bytes| {
        let at = places(bytes);
        let mut entries: Vec<Vec<u8>> = at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect();
        entries.swap(left, right);
        *bytes = entries.concat();
    });
}

fn remove_entry(bundle: &Path, index: usize) {
    edit(bundle, |bytes| {
        let at = places(bytes);
        bytes.drain(at[index]..at[index + 1]);
    });
}

fn remove_last(bundle: &Path) {
    edit(bundle, |bytes| {
        let at = places(bytes);
        bytes.truncate(at[at.len() - 2]);
    });
}

/// A cleverer insider, without the log key: entry 100 and its hash in the tile, alike.
fn forge_entry_and_hash(folder: &Path) {
    let bundle = folder.join("tile/entries/000");
    flip_in_entry(&bundle, 99);
    let bytes = std::fs::read(bundle).unwrap();
    let at = places(&bytes);
    let hash = log::merkle::leaf_hash(&bytes[at[99] + 2..at[100]]);
    edit(&folder.join("tile/0/000"), |tile| tile[99 * 32..100 * 32].copy_from_slice(&hash));
}

/// The governor's own fork, signed with its own key: only who remembered the other branch can tell, and names the entry.
#[tokio::test]
async fn a_fork_and_a_cut_are_noticed_by_who_remembers() {
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    world.fill(&govern, 20).await;
    govern.shutdown().await;
    let common = world.verify(&world.log_folder()).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &two] {
        copy(world.folder.path(), folder.path());
    }
    let branch = async |folder: &Path, orders: &[&str]| {
        let govern = Govern::start(world.config_in(folder)).await.unwrap();
        for ask in orders {
            assert_eq!(world.order(&govern, FLAG, ask).await.0, 200);
        }
        govern.shutdown().await;
        world.verify(&folder.join("govern.ledger")).unwrap()
    };
    let first = branch(one.path(), &["halt", "resume", "halt"]).await;
    world.pass(10);
    let second = branch(two.path(), &["halt", "resume", "halt", "resume"]).await;
    let fork = common.checkpoint.size + 1;
    for (old, new) in [(&common, &first), (&common, &second), (&first, &first)] {
        log::compare(&old.checkpoint, &old.leaves, new).unwrap();
        log::compare(&old.checkpoint, &[], new).unwrap();
    }
    let error = log::compare(&first.checkpoint, &first.leaves, &second).unwrap_err();
    assert_eq!(error.entry(), Some(fork), "{error}");
    // Who kept the checkpoint alone knows that there is a fork, and can name the last entry that was remembered.
    let error = log::compare(&first.checkpoint, &[], &second).unwrap_err();
    assert_eq!(error.entry(), Some(first.checkpoint.size), "{error}");
    // Cut back to the common part: an older checkpoint in place of the newer.
    let error = log::compare(&first.checkpoint, &first.leaves, &common).unwrap_err();
    assert_eq!(error.entry(), Some(fork), "{error}");
    assert!(error.to_string().contains("is missing"), "{error}");
}

/// The governor stops with a message that names the entry, and does not publish.
#[tokio::test]
async fn the_governor_stops_over_a_log_that_is_not_its_databases() {
    type Damage = fn(&World, &Path);
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    world.fill(&govern, 20).await;
    govern.shutdown().await;
    let older = tempfile::tempdir().unwrap();
    copy(world.folder.path(), older.path());
    let size = world.verify(&world.log_folder()).unwrap().checkpoint.size;
    let govern = world.start().await;
    world.fill(&govern, size + 2).await;
    govern.shutdown().await;
    let cases: [(&str, Damage, &str); 5] = [
        ("an older database", |_, _| {}, "is not in the database: the log has"),
        ("a changed entry", |_, log| flip_in_entry(&partial(log, "entries", "000"), 6), "entry 7 of the log"),
        (
            "a changed hash",
            |_, log| edit(&partial(log, "0", "000"), |tile| tile[7 * 32] ^= 1),
            "entry 8 of the log",
        ),
        ("a missing tile", |_, log| std::fs::remove_file(partial(log, "0", "000")).unwrap(), "is missing"),
        (
            "somebody else's checkpoint",
            |world, log| {
                let note = std::fs::read(log.join("checkpoint")).unwrap();
                let mut checkpoint = Checkpoint::open(&note, &[world.log.verifying_key()]).unwrap();
                checkpoint.origin = "acme.example/pulse".into();
                std::fs::write(log.join("checkpoint"), checkpoint.sign(&world.pulse).unwrap()).unwrap();
            },
            "not signed by the pinned key",
        ),
    ];
    for (what, damage, wanted) in cases {
        let folder = tempfile::tempdir().unwrap();
        copy(world.folder.path(), folder.path());
        if what == "an older database" {
            std::fs::copy(older.path().join("govern.sqlite"), folder.path().join("govern.sqlite")).unwrap();
        }
        damage(&world, &folder.path().join("govern.ledger"));
        let error =
            Govern::start(world.config_in(folder.path())).await.err().unwrap_or_else(|| panic!("{what}"));
        assert!(matches!(error, GovernError::Log(_)), "{what}: {error}");
        assert!(error.to_string().contains(wanted), "{what}: {error}");
        if what == "an older database" {
            assert!(error.to_string().starts_with(&format!("entry {} of the log", size + 1)), "{error}");
        }
    }
}

/// Without the folder the governor writes it anew from the database: the same tree, signed alike.
#[tokio::test]
async fn a_lost_log_is_written_anew() {
    let world = grown().await;
    let before = world.verify(&world.log_folder()).unwrap();
    let remembered = tempfile::tempdir().unwrap();
    copy(&world.log_folder(), remembered.path());
    std::fs::remove_dir_all(world.log_folder()).unwrap();
    let govern = world.start().await;
    let after = world.verify(&world.log_folder()).unwrap();
    log::compare(&before.checkpoint, &before.leaves, &after).unwrap();
    govern.shutdown().await;
    for tile in tiles(before.checkpoint.size).filter(log::Tile::is_full) {
        let read = |folder: &Path| std::fs::read(folder.join(tile.path())).unwrap();
        assert!(read(remembered.path()) == read(&world.log_folder()), "{}", tile.path());
    }
}

/// Over HTTP: the same files, for ever cacheable but for the checkpoint, and every width that was ever signed for.
#[tokio::test]
async fn the_log_is_served_as_static_files() {
    let world = grown().await;
    let govern = world.start().await;
    let get = async |path: &str| {
        world.client.get(world.url(&govern, &format!("/log/{path}"))).send().await.unwrap()
    };
    let header = |response: &reqwest::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let checkpoint = get("checkpoint").await;
    assert_eq!(header(&checkpoint, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&checkpoint, "cache-control"), "no-cache");
    let size = world.verify(&world.log_folder()).unwrap().checkpoint.size;
    for tile in tiles(size) {
        let response = get(&tile.path()).await;
        assert_eq!(response.status(), 200, "{}", tile.path());
        assert_eq!(header(&response, "content-type"), "application/octet-stream");
        assert!(header(&response, "cache-control").contains("immutable"));
        let bytes = response.bytes().await.unwrap();
        assert!(bytes == std::fs::read(world.log_folder().join(tile.path())).unwrap());
    }
    // Partial tiles of sizes long past are cut out of the wider ones.
    let wide = get("tile/0/000").await.bytes().await.unwrap();
    for width in [1, 9, 255] {
        let bytes = get(&format!("tile/0/000.p/{width}")).await.bytes().await.unwrap();
        assert!(bytes == wide.slice(..width * 32));
        assert_eq!(get(&format!("tile/entries/000.p/{width}")).await.status(), 200);
    }
    assert_eq!(get("tile/0/001.p/1").await.status(), 200);
    for path in [
        "tile/0/001",
        "tile/0/001.p/255",
        "tile/0/000.part",
        "tile/7/000",
        "govern.sqlite",
        "tile/0/..%2F000",
    ] {
        assert_eq!(get(path).await.status(), 404, "{path}");
    }
    let folders: Vec<_> = std::fs::read_dir(world.log_folder().join("tile/0/001.p")).unwrap().collect();
    assert!(folders.len() <= 2, "partial tiles of two checkpoints are kept: {folders:?}");
    govern.shutdown().await;
}

/// Everything that matters is an entry; who ordered it and why is not.
#[tokio::test]
async fn what_is_logged_and_what_is_not() {
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    world.order(&govern, FLAG, "halt").await;
    let release = world.release(2, &common::definition("5%", "answer@15"));
    let posted = world.post_file(&govern, &release.file).await;
    assert_eq!(posted.0, 201, "{}", posted.1);
    world.pass(1_000);
    govern.tick().await.unwrap();
    let mut kinds = Vec::new();
    let mut bytes = Vec::new();
    let keys = [world.log.verifying_key()];
    log::verify(log::folder(world.log_folder()), &keys, &mut |number, entry| {
        let record: Value = serde_json::from_slice(entry).unwrap();
        assert_eq!(record["entry"], number);
        kinds.push(record["kind"].as_str().unwrap().to_owned());
        bytes.extend_from_slice(entry);
    })
    .unwrap();
    let wanted = [
        "log-key",
        "trust",
        "snapshot-posted",
        "definition-posted",
        "attempt-begun",
        "snapshot-adopted",
        "ceiling-raised",
        "pulse",
        "started",
        "pulse",
        "halted",
        "pulse",
        "snapshot-posted",
        "outage",
    ];
    assert_eq!(kinds, wanted);
    let logged = text(&bytes);
    for personal in ["ana", "because of a test"] {
        assert!(!logged.contains(&format!("\"{personal}\"")), "{personal} is in the log");
    }
    // The ledger shows the words, until they are erased; then the record stands and the audit is content.
    let entries = world.ledger(&govern).await;
    let halted = entries.iter().find(|entry| entry["record"]["kind"] == "halted").unwrap();
    assert_eq!(halted["words"], json!({"actor": "ana", "reason": "because of a test"}));
    assert_eq!(govern.audit(None).await.map(|audit| (audit.words, audit.erased)).unwrap(), (2, 0));
    govern.shutdown().await;
    let mut file = open(&world).await;
    use sqlx::Executor;
    file.execute("UPDATE ledger_words SET words = replace(words, 'ana', 'ben') WHERE entry = 9")
        .await
        .unwrap();
    let error = Govern::audit_file(&world.database(), None).await.unwrap_err();
    assert!(error.to_string().starts_with("ledger entry 9 has words"), "{error}");
    file.execute("DELETE FROM ledger_words").await.unwrap();
    let audit = Govern::audit_file(&world.database(), None).await.unwrap();
    assert_eq!((audit.words, audit.erased), (0, 2));
}

/// An approval is an entry of its own, with who signed it, and only when the ceiling rose.
#[tokio::test]
async fn a_raised_ceiling_is_an_entry() {
    let world = World::new();
    let govern = world.start().await;
    for (sequence, ceiling) in [(1, "20%"), (2, "20%"), (3, "everyone"), (4, "5%")] {
        world.publish(&govern, &world.release(sequence, &common::definition(ceiling, "answer@15"))).await;
    }
    let entries = world.ledger(&govern).await;
    let raises =
        entries.iter().map(|entry| &entry["record"]).filter(|record| record["kind"] == "ceiling-raised");
    let told: Vec<Value> = raises
        .map(|record| {
            json!([
                record["actor"],
                record["data"]["from"],
                record["data"]["to"],
                record["data"]["snapshot"]["sequence"]
            ])
        })
        .collect();
    let by = "acme.example/release";
    assert_eq!(told, [json!([by, null, 1, 1]), json!([by, 1, 3, 3])]);
    govern.shutdown().await;
}

async fn open(world: &World) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions;
    sqlx::sqlite::SqliteConnectOptions::new().filename(world.database()).connect().await.unwrap()
}

/// A new log key keeps the name, and the old key's checkpoint is taken over; another name is another log.
#[tokio::test]
async fn the_log_key_can_be_changed() {
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    govern.shutdown().await;
    let before = world.verify(&world.log_folder()).unwrap();
    let name = world.log.verifying_key().name().to_owned();
    let next = flagstone_seal::SecretKey::from_seed(&name, [5; 32]).unwrap();
    let mut config = world.config();
    config.log_signer = std::sync::Arc::new(next.clone());
    let govern = Govern::start(config).await.unwrap();
    govern.shutdown().await;
    let keys = [next.verifying_key()];
    let after = log::verify(log::folder(world.log_folder()), &keys, &mut |_, _| {}).unwrap();
    log::compare(&before.checkpoint, &before.leaves, &after).unwrap();
    let mut config = world.config();
    config.log_signer = std::sync::Arc::new(flagstone_seal::SecretKey::from_seed("other", [5; 32]).unwrap());
    let error = Govern::start(config).await.err().unwrap();
    assert!(error.to_string().contains("the log is named"), "{error}");
    let mut config = world.config();
    config.log_signer = std::sync::Arc::new(world.pulse.clone());
    let error = Govern::start(config).await.err().unwrap();
    assert!(error.to_string().contains("is the pulse key"), "{error}");
}

/// An entry's proof, made from the folder, verifies offline; a damaged log gives none.
#[tokio::test]
async fn entries_are_proven() {
    let world = grown().await;
    let keys = [world.log.verifying_key()];
    let size = world.verify(&world.log_folder()).unwrap().checkpoint.size;
    for number in (1..=size).step_by(7).chain([256, 257, size]) {
        let (proof, entry) = log::prove(log::folder(world.log_folder()), &keys, number).unwrap();
        assert_eq!(proof.verify(&entry, &keys).unwrap().size, size);
        let mut other = entry.clone();
        other[10] ^= 1;
        assert!(proof.verify(&other, &keys).is_err());
    }
    for number in [0, size + 1] {
        assert!(log::prove(log::folder(world.log_folder()), &keys, number).is_err());
    }
    flip_in_entry(&world.log_folder().join("tile/entries/000"), 99);
    let error = log::prove(log::folder(world.log_folder()), &keys, 100).unwrap_err();
    assert_eq!(error.entry(), Some(100), "{error}");
    log::prove(log::folder(world.log_folder()), &keys, 101).unwrap();
}

/// Figures for `docs/ledger.md`: what orders and ticks cost with the log, and how long entries are.
#[tokio::test]
#[ignore = "prints figures, asserts nothing new"]
async fn figures() {
    let world = World::new();
    let govern = world.start().await;
    let release = world.release(1, &common::definition("everyone", "answer@15"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut times = Vec::new();
    for turn in 0..100 {
        let begun = std::time::Instant::now();
        let ask = if turn % 2 == 0 { "halt" } else { "resume" };
        assert_eq!(world.order(&govern, FLAG, ask).await.0, 200);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("an order with its pulse, over HTTP: median {:.1} ms", times[50]);
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        govern.tick().await.unwrap();
    }
    println!("a tick without news: {:.1} ms", begun.elapsed().as_secs_f64() * 10.0);
    let mut traffic = common::Traffic::new("edge-1", 1_000, 5_000);
    for round in 0..6 {
        traffic.round(&world, &govern, &release, round * 1_000..(round + 1) * 1_000).await;
    }
    govern.shutdown().await;
    let mut sizes: std::collections::BTreeMap<String, Vec<usize>> = std::collections::BTreeMap::new();
    log::verify(log::folder(world.log_folder()), &[world.log.verifying_key()], &mut |_, entry| {
        let record: Value = serde_json::from_slice(entry).unwrap();
        sizes.entry(record["kind"].as_str().unwrap().to_owned()).or_default().push(entry.len());
    })
    .unwrap();
    for (kind, sizes) in sizes {
        println!("{kind}: {} entries of {} bytes", sizes.len(), sizes.iter().sum::<usize>() / sizes.len());
    }
}
