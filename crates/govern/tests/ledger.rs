//! The ledger: append-only by the database, tamper-evident by its chain, and every decision in it can be replayed.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use common::{FLAG, Traffic, World, definition};
use flagstone_govern::{Govern, GovernError, LedgerHead};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

/// A store with a history: published, started, halted by evidence.
async fn history(world: &World) -> LedgerHead {
    let govern = world.start().await;
    let release = world.release(1, &definition("everyone", "answer@15"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut traffic = Traffic::new("edge-1", 1_000, 5_000);
    for round in 0..6 {
        traffic.round(world, &govern, &release, round * 1_000..(round + 1) * 1_000).await;
    }
    let audit = govern.audit(None).await.expect("a sound ledger");
    assert!(audit.head.entries >= 7 && audit.decisions == 1, "{audit:?}");
    govern.shutdown().await;
    audit.head
}

async fn open(world: &World) -> SqliteConnection {
    SqliteConnectOptions::new().filename(world.database()).connect().await.expect("the file")
}

/// What an insider with the file can do: without the triggers.
async fn tamper(world: &World, sql: &'static str) {
    let mut file = open(world).await;
    file.execute("DROP TRIGGER ledger_is_never_changed").await.expect("dropped");
    file.execute("DROP TRIGGER ledger_is_never_deleted").await.expect("dropped");
    let done = file.execute(sql).await.expect("done");
    assert!(done.rows_affected() > 0, "{sql}");
}

async fn first_bad(world: &World, remembered: Option<LedgerHead>) -> u64 {
    match Govern::audit_file(&world.database(), remembered).await {
        Err(GovernError::Ledger(fault)) => fault.entry,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_database_itself_refuses_changes() {
    let world = World::new();
    history(&world).await;
    let mut file = open(&world).await;
    for sql in ["UPDATE ledger SET kind = 'nothing'", "DELETE FROM ledger WHERE entry = 1"] {
        let error = file.execute(sql).await.expect_err("refused").to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn every_kind_of_tampering_names_the_first_bad_entry() {
    let cases: [(&'static str, u64); 6] = [
        (
            "UPDATE ledger SET record = replace(record, '\"actor\":\"person\"', '\"actor\":\"nobody\"') WHERE kind = 'started'",
            9,
        ),
        ("UPDATE ledger SET kind = 'resumed' WHERE entry = 2", 2),
        ("UPDATE ledger SET hash = zeroblob(32) WHERE entry = 3", 3),
        ("UPDATE ledger SET previous = zeroblob(32) WHERE entry = 4", 4),
        ("DELETE FROM ledger WHERE entry = 5", 5),
        ("UPDATE decision_inputs SET inputs = replace(inputs, '\"treatedBad\"', '\"treatedbad\"')", 11),
    ];
    for (sql, entry) in cases {
        let world = World::new();
        history(&world).await;
        tamper(&world, sql).await;
        assert_eq!(first_bad(&world, None).await, entry, "{sql}");
        if !sql.contains("inputs") {
            let error =
                Govern::start(world.config()).await.err().expect("it does not go on over a broken ledger");
            assert!(error.to_string().contains(&format!("ledger entry {entry} ")), "{error}");
        }
    }
}

#[tokio::test]
async fn a_head_remembered_elsewhere_shows_a_cut_and_a_rewrite() {
    let world = World::new();
    let head = history(&world).await;
    Govern::audit_file(&world.database(), Some(head)).await.expect("it only grew");
    let lie = LedgerHead { entries: head.entries - 1, hash: [7; 32] };
    assert_eq!(first_bad(&world, Some(lie)).await, head.entries - 1);
    tamper(&world, "DELETE FROM ledger WHERE entry = (SELECT max(entry) FROM ledger)").await;
    assert_eq!(first_bad(&world, Some(head)).await, head.entries);
}

#[tokio::test]
async fn one_file_holds_one_environment() {
    let world = World::new();
    history(&world).await;
    let mut config = world.config();
    config.audience = "acme.example/other".into();
    let error = Govern::start(config).await.err().expect("refused");
    assert!(matches!(error, GovernError::OtherEnvironment { what: "audience", .. }), "{error}");
}
