//! `cargo xtask supply`, whole, over small checkouts with packages and advisories of our own making.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bill;
mod fixture;

use fixture::{Checkout, POLICY};

/// The policy with more in it.
fn policy(more: &str) -> String {
    format!("{POLICY}{more}")
}

#[test]
fn what_is_allowed_passes_and_what_cannot_be_known_is_said() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("MIT OR GPL-3.0-only"), "");
    checkout.lock("");
    insta::assert_snapshot!("allowed", checkout.supply(&[]).whole());
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let checkout =
        Checkout::new("left = \"1\"\nright = \"2\"\nold = { package = \"right\", version = \"1\" }\n");
    checkout.registry("left", "1.2.3", Some("GPL-3.0-only"), "");
    checkout.registry("right", "1.0.0", Some("MIT"), "");
    checkout.registry("right", "2.0.0", None, "");
    checkout.lock("");
    checkout
        .write("package/package-lock.json", r#"{"packages":{"":{},"node_modules/up":{"version":"1.0.0"}}}"#);
    checkout.advisory("RUSTSEC-2026-9001", "left", "", "[\">= 1.2.4\"]");
    checkout.advisory("RUSTSEC-2026-9002", "right", "informational = \"unmaintained\"", "[]");
    checkout.write(
        "supply.toml",
        &policy("[[refused]]\nreason = \"no\"\ncrates = [\"left\"]\n[[duplicates]]\nreason = \"gone\"\ncrates = [\"down 1\"]\n"),
    );
    insta::assert_snapshot!("wrong", checkout.supply(&["--advisories", "advisories"]).whole());
}

#[test]
fn a_vulnerable_version_fails_and_a_patched_one_passes() {
    let vulnerable = Checkout::new("left = \"1\"\n");
    vulnerable.registry("left", "1.2.3", Some("MIT"), "");
    vulnerable.lock("");
    vulnerable.advisory("RUSTSEC-2026-9001", "left", "", "[\">= 1.2.4\"]");
    vulnerable.supply(&["--advisories", "advisories"]).wrong(&[
        "advisories: left 1.2.3",
        "RUSTSEC-2026-9001",
        ">=1.2.4",
    ]);

    let patched = Checkout::new("left = \"1\"\n");
    patched.registry("left", "1.2.4", Some("MIT"), "");
    patched.lock("");
    patched.advisory("RUSTSEC-2026-9001", "left", "", "[\">= 1.2.4\"]");
    let object = patched.supply(&["--advisories", "advisories", "--json"]).passed().object();
    assert_eq!(object["passed"], true);
    assert_eq!(object["findings"], serde_json::json!([]));
    assert_eq!(
        object["advisories"],
        serde_json::json!({ "count": 1, "newest": "RUSTSEC-2026-9001", "newestDate": "2026-11-20", "days": 7 })
    );
}

#[test]
fn a_vulnerable_version_fails_in_a_workspace_of_its_own_too() {
    let checkout = Checkout::new("");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.own("lab", "lab", "left = \"1\"\n[workspace]\n");
    checkout.lock("lab");
    checkout.lock("");
    checkout.advisory("RUSTSEC-2026-9001", "left", "", "[]");
    checkout
        .supply(&["--advisories", "advisories"])
        .wrong(&["left 1.2.3 in lab/Cargo.lock", "patched in no version"]);
}

#[test]
fn an_advisory_is_set_aside_until_its_day() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.lock("");
    checkout.advisory("RUSTSEC-2026-9001", "left", "", "[\">= 1.2.4\"]");
    let aside = |id: &str, until: &str| {
        let ignore =
            format!("[[advisories.ignore]]\nid = \"{id}\"\nreason = \"not called\"\nuntil = \"{until}\"\n");
        checkout.write("supply.toml", &policy(&ignore));
    };
    aside("RUSTSEC-2026-9001", "2026-11-27");
    checkout.supply(&["--advisories", "advisories"]).passed();

    // The day after, the exception is wrong, and the advisory again.
    let after = checkout.run(&["--advisories", "advisories", "--today", "2026-11-28"]).text();
    assert!(
        after.contains("WRONG: advisories: RUSTSEC-2026-9001: was set aside until 2026-11-27 (not called)"),
        "{after}"
    );
    assert!(after.contains("WRONG: advisories: left 1.2.3"), "{after}");

    // That it has run out is known without a copy.
    aside("RUSTSEC-2026-9001", "2026-11-26");
    checkout.supply(&[]).wrong(&["RUSTSEC-2026-9001", "decide again"]);

    // One that touches nothing is told, and hides nothing.
    aside("RUSTSEC-2026-9002", "2026-12-31");
    let other = checkout.supply(&["--advisories", "advisories"]);
    other.wrong(&["RUSTSEC-2026-9001"]);
    assert!(
        other.text().contains("warning: advisories: RUSTSEC-2026-9002: is set aside"),
        "{}",
        other.text()
    );
}

#[test]
fn unmaintained_and_unsound_crates_and_an_old_copy_are_told() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.lock("");
    checkout.advisory("RUSTSEC-2026-9001", "left", "informational = \"unmaintained\"", "[]");
    checkout.advisory("RUSTSEC-2026-9002", "left", "informational = \"unsound\"", "[\">= 2\"]");
    checkout.advisory("RUSTSEC-2026-9003", "left", "withdrawn = \"2026-11-21\"", "[]");
    checkout.write("supply.toml", &policy("[advisories]\nold-after-days = 6\n"));
    let text = checkout.supply(&["--advisories", "advisories"]).passed().text();
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 3, "{text}");
    for word in ["(unmaintained)", "(unsound)", "7 days old"] {
        assert!(warnings.concat().contains(word), "no {word} in {text}");
    }
}

#[test]
fn a_folder_that_is_no_copy_is_not_taken_for_an_empty_one() {
    let checkout = Checkout::new("");
    checkout.lock("");
    let answer = checkout.supply(&["--advisories", "crates"]).whole();
    assert!(answer.starts_with("exit 1\nerror: `crates` is no copy of the advisory database"), "{answer}");
    checkout.write("advisories/crates/left/RUSTSEC-2026-9001.md", "not an advisory");
    let answer = checkout.supply(&["--advisories", "advisories"]).whole();
    assert!(answer.starts_with("exit 1\nerror: the advisories in `advisories` cannot be read"), "{answer}");
}

#[test]
fn a_licence_that_is_not_allowed_is_refused() {
    for (licence, words) in [
        (Some("GPL-3.0-only"), "needs GPL-3.0-only"),
        (Some("MIT AND GPL-3.0-only"), "needs GPL-3.0-only"),
        (Some("Apache-2.0 WITH LLVM-exception"), "needs Apache-2.0 WITH LLVM-exception"),
        (Some("Mine"), "is no licence expression"),
        (None, "has no licence expression"),
    ] {
        let checkout = Checkout::new("left = \"1\"\n");
        checkout.registry("left", "1.2.3", licence, "");
        checkout.lock("");
        checkout.supply(&[]).wrong(&["licences: left 1.2.3", words]);
    }
}

#[test]
fn a_second_version_is_refused_unless_it_is_listed() {
    let checkout = Checkout::new("left = \"2\"\nolder = { package = \"left\", version = \"0.9\" }\n");
    checkout.registry("left", "0.9.5", Some("MIT"), "");
    checkout.registry("left", "2.0.0", Some("MIT"), "");
    checkout.lock("");
    checkout.supply(&[]).wrong(&["duplicates: left 0.9.5: 2.0.0 is locked too", "list `left 0.9`"]);
    checkout.write(
        "supply.toml",
        &policy("[[duplicates]]\nreason = \"own is of two minds\"\ncrates = [\"left 0.9\"]\n"),
    );
    checkout.supply(&[]).passed();
    checkout.write("supply.toml", &policy("[[duplicates]]\nreason = \" \"\ncrates = [\"left 0.9\"]\n"));
    let answer = checkout.supply(&[]).whole();
    assert!(answer.contains("an exception without a reason"), "{answer}");
}

#[test]
fn an_origin_that_is_not_the_registry_is_refused() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.lock("");
    let lock = std::fs::read_to_string(checkout.path("Cargo.lock")).unwrap();
    let source = lock.lines().find(|line| line.starts_with("source = ")).unwrap();
    let elsewhere =
        "source = \"git+https://example.invalid/left?rev=0123456#0123456789012345678901234567890123456789\"";
    checkout.change_lock(source, elsewhere);
    let answer = checkout.supply(&[]).text();
    assert!(
        answer.contains(
            "WRONG: sources: left 1.2.3 in Cargo.lock: comes from git+https://example.invalid/left"
        ),
        "{answer}"
    );
    checkout.change_lock(elsewhere, "source = \"registry+https://example.invalid/index\"");
    let answer = checkout.supply(&[]).text();
    assert!(
        answer.contains(
            "WRONG: sources: left 1.2.3 in Cargo.lock: comes from registry+https://example.invalid"
        ),
        "{answer}"
    );
}

#[test]
fn a_package_without_a_checksum_is_refused() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.lock("");
    checkout.change_lock(&format!("checksum = \"{}\"\n", fixture::checksum("left", "1.2.3")), "");
    let answer = checkout.supply(&[]).text();
    assert!(answer.contains("WRONG: sources: left 1.2.3 in Cargo.lock: has no checksum"), "{answer}");
}

#[test]
fn a_folder_outside_of_the_checkout_is_refused() {
    let checkout = Checkout::new("outside = { path = \"../../../outside\" }\n");
    checkout.own("../outside", "outside", "");
    checkout.lock("");
    checkout.supply(&[]).wrong(&["manifests: outside 0.1.0: lies outside of the checkout"]);
}

#[test]
fn a_lock_file_that_is_behind_its_manifests_is_refused() {
    let checkout = Checkout::new("");
    checkout.registry("left", "1.2.3", Some("MIT"), "");
    checkout.lock("");
    checkout.own("crates/own", "own", "left = \"1\"\n");
    checkout.supply(&[]).wrong(&["manifests: Cargo.lock: its manifests ask for something else"]);
}

#[test]
fn a_workspace_whose_packages_are_not_here_is_not_compared_and_that_is_said() {
    let checkout = Checkout::new("");
    checkout.registry("left", "1.2.3", Some("GPL-3.0-only"), "");
    checkout.own("lab", "lab", "left = \"1\"\n[workspace]\n");
    checkout.lock("lab");
    checkout.lock("");
    std::fs::remove_dir_all(checkout.path("../registry/left-1.2.3")).unwrap();
    let text = checkout.supply(&[]).passed().text();
    assert!(
        text.contains(
            "unknown  folders and licences of lab/Cargo.lock: its packages are not on this machine"
        ),
        "{text}"
    );
}

#[test]
fn a_root_whose_packages_are_not_here_does_not_pass_for_compared() {
    let checkout = Checkout::new("left = \"1\"\n");
    checkout.registry("left", "1.2.3", Some("GPL-3.0-only"), "");
    checkout.lock("");
    std::fs::remove_dir_all(checkout.path("../registry/left-1.2.3")).unwrap();
    let answer = checkout.supply(&[]);
    answer.wrong(&["manifests: Cargo.lock: cargo knows not all of its packages", "cargo fetch --locked"]);
    assert!(answer.text().contains("unknown  the features of wasmtime"), "{}", answer.text());
}

#[test]
fn the_runtime_has_long_term_support_and_the_features_that_are_listed() {
    const FEATURES: &str = "\n[features]\none = []\nother = []\n";
    let runtime = |version: &str| {
        let checkout =
            Checkout::new(&format!("wasmtime = {{ version = \"{version}\", features = [\"one\"] }}\n"));
        checkout.registry("wasmtime", version, Some("MIT"), FEATURES);
        checkout.lock("");
        checkout
    };
    let with = |features: &str| POLICY.replace("features = []", &format!("features = {features}"));

    let good = runtime("48.0.8");
    good.write("supply.toml", &with("[\"one\"]"));
    good.supply(&[]).passed();
    // A feature more in the build than in the policy, and one less.
    good.write("supply.toml", &with("[]"));
    good.supply(&[]).wrong(&["sandbox: wasmtime: its feature `one` is on"]);
    good.write("supply.toml", &with("[\"one\", \"other\"]"));
    good.supply(&[]).wrong(&["sandbox: wasmtime: its feature `other` is listed"]);
    // Two years later.
    good.write("supply.toml", &with("[\"one\"]"));
    good.run(&["--today", "2028-08-20"]).passed();
    good.run(&["--today", "2028-08-21"]).wrong(&["sandbox: wasmtime: its support ended on 2028-08-20"]);

    let short = runtime("49.0.2");
    short.write("supply.toml", &with("[\"one\"]"));
    short
        .supply(&[])
        .wrong(&["sandbox: wasmtime 49.0.2 in Cargo.lock: is no version with long-term support"]);
}
