//! The bill of materials: what is in it, and that it has the shape of CycloneDX 1.6.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fixture::{Checkout, checksum};

/// A checkout with every artefact, a crate that each kind of dependency leads to, and the packages of other languages.
fn checkout() -> Checkout {
    let checkout = Checkout::new("");
    checkout.registry("left", "1.2.3+build", Some("MIT/Apache-2.0"), "deep = \"1\"\n");
    checkout.registry("deep", "1.0.0", Some("MIT"), "");
    checkout.registry("builder", "1.0.0", Some("MIT"), "");
    checkout.registry("windows", "1.0.0", Some("MIT"), "");
    checkout.own(
        "crates/own",
        "own",
        "left = { version = \"1\", optional = true }\n[features]\nsign = [\"dep:left\"]\n",
    );
    checkout.own(
        "crates/cli",
        "flagstone-cli",
        "own = { path = \"../own\", features = [\"sign\"] }\n[build-dependencies]\nbuilder = \"1\"\n\
         [target.'cfg(windows)'.dependencies]\nwindows = \"1\"\n",
    );
    checkout.write("crates/cli/build.rs", "fn main() {}\n");
    checkout.own("crates/flagstone", "flagstone", "[dev-dependencies]\nleft = \"1\"\n");
    checkout.own("crates/component", "flagstone-component", "deep = \"1\"\nown = { path = \"../own\" }\n");
    checkout.own("crates/browser", "flagstone-browser", "[features]\ntools = []\n");
    checkout.own(
        "crates/playground",
        "flagstone-playground",
        "[target.'cfg(windows)'.dependencies]\nwindows = \"1\"\n",
    );
    checkout.write(
        "providers/js/package.json",
        r#"{"name":"@own/flags","version":"0.1.0","license":"MIT","peerDependencies":{"@open/core":"^1.0.0"}}"#,
    );
    checkout.write(
        "providers/js/package-lock.json",
        r#"{"packages":{"":{},
            "node_modules/@up/down":{"version":"2.0.0","integrity":"sha512-AAECAw==","license":"MIT"},
            "node_modules/only-we-test":{"version":"1.0.0","integrity":"sha512-AAECAw==","dev":true}}}"#,
    );
    checkout.write(
        "providers/python/pyproject.toml",
        "[project]\nname = \"own\"\nversion = \"0.1.0\"\nlicense = \"MIT\"\ndependencies = [\"Runtime_x>=50,<51\"]\n\
         [project.optional-dependencies]\nopen = [\"open-sdk>=0.10\"]\n",
    );
    checkout.lock("");
    checkout
}

fn read(checkout: &Checkout, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(checkout.path(name)).unwrap()).unwrap()
}

#[test]
fn the_bill_lists_what_ships_and_who_needs_it() {
    let checkout = checkout();
    let object = checkout.run(&["--sbom", "bill.json", "--json"]).passed().object();
    let bill = read(&checkout, "bill.json");
    shape(&bill);
    assert_eq!(object["components"], bill["components"].as_array().unwrap().len());
    assert!(bill["metadata"].get("timestamp").is_none());

    let needs: BTreeMap<&str, Vec<&str>> = bill["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ref"].as_str().unwrap(), strings(&one["dependsOn"])))
        .collect();
    assert_eq!(
        needs["flagstone-release"],
        [
            "crates/browser",
            "crates/cli",
            "crates/component",
            "crates/flagstone",
            "crates/playground",
            "providers/js",
            "providers/python"
        ]
    );
    // Programs are built for every platform, the engine for one; what runs while building or testing is not inside.
    assert_eq!(needs["crates/cli"], ["crates/own", "pkg:cargo/windows@1.0.0"]);
    assert_eq!(needs["crates/own"], ["pkg:cargo/left@1.2.3%2Bbuild"]);
    assert_eq!(needs["crates/component"], ["crates/own", "pkg:cargo/deep@1.0.0"]);
    assert!(needs["crates/playground"].is_empty() && needs["crates/flagstone"].is_empty());
    assert_eq!(needs["pkg:cargo/left@1.2.3%2Bbuild"], ["pkg:cargo/deep@1.0.0"]);
    assert_eq!(needs["providers/js"], ["crates/browser", "pkg:npm/%40open/core", "pkg:npm/%40up/down@2.0.0"]);
    assert_eq!(needs["providers/python"], ["crates/component", "pkg:pypi/open-sdk", "pkg:pypi/runtime-x"]);
    assert!(!needs.keys().any(|name| name.contains("builder") || name.contains("only-we-test")));

    let named = |name: &str| {
        bill["components"].as_array().unwrap().iter().find(|one| one["bom-ref"] == name).unwrap().clone()
    };
    let left = named("pkg:cargo/left@1.2.3%2Bbuild");
    assert_eq!(left["version"], "1.2.3+build");
    assert_eq!(left["licenses"], serde_json::json!([{ "expression": "MIT OR Apache-2.0" }]));
    assert_eq!(
        left["hashes"],
        serde_json::json!([{ "alg": "SHA-256", "content": checksum("left", "1.2.3+build") }])
    );
    // A feature that one artefact has on puts nothing into another.
    let inside = |name: &str| -> Vec<String> {
        let named = named(name);
        let properties = named["properties"].as_array().unwrap();
        properties.iter().map(|one| one["value"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(inside("pkg:cargo/left@1.2.3%2Bbuild"), ["flagstone-cli"]);
    assert_eq!(inside("crates/own"), ["flagstone-cli", "flagstone-component"]);
    assert_eq!(inside("pkg:cargo/deep@1.0.0"), ["flagstone-cli", "flagstone-component"]);
    assert_eq!(named("crates/cli")["type"], "application");
    assert_eq!(named("crates/own")["type"], "library");
    assert_eq!(named("pkg:npm/%40up/down@2.0.0")["hashes"][0]["content"], "00010203");
    let sdk = named("pkg:pypi/open-sdk");
    assert_eq!(sdk["scope"], "optional");
    assert_eq!(sdk["properties"], serde_json::json!([{ "name": "flagstone:range", "value": ">=0.10" }]));
}

#[test]
fn the_same_sources_give_the_same_bill() {
    let checkout = checkout();
    let bytes = |arguments: &[&str]| {
        checkout.run(&[&["--sbom", "bill.json"], arguments].concat()).passed();
        std::fs::read(checkout.path("bill.json")).unwrap()
    };
    let (one, other) = (bytes(&[]), bytes(&[]));
    assert_eq!(one, other);
    // A moment is what it is told, and changes nothing else.
    bytes(&["--sbom-time", "2026-11-27T12:00:00Z"]);
    let mut timed = read(&checkout, "bill.json");
    shape(&timed);
    let metadata = timed["metadata"].as_object_mut().unwrap();
    assert_eq!(metadata.remove("timestamp").unwrap(), "2026-11-27T12:00:00Z");
    assert_eq!(timed, serde_json::from_slice::<Value>(&one).unwrap());
    // Another version of anything is another bill.
    checkout.write(
        "providers/python/pyproject.toml",
        "[project]\nname = \"own\"\nversion = \"0.1.1\"\nlicense = \"MIT\"\n",
    );
    bytes(&[]);
    assert_ne!(read(&checkout, "bill.json")["serialNumber"], timed["serialNumber"]);
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

/// What the specification asks of the members that are used here; anything else in them is a mistake.
fn shape(bill: &Value) {
    members(
        bill,
        &[
            "$schema",
            "bomFormat",
            "specVersion",
            "serialNumber",
            "version",
            "metadata",
            "components",
            "dependencies",
        ],
    );
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["specVersion"], "1.6");
    assert_eq!(bill["version"], 1);
    let serial = bill["serialNumber"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap();
    let lengths: Vec<usize> = serial.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(serial.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')));
    members(&bill["metadata"], &["timestamp", "component"]);

    let components = bill["components"].as_array().unwrap();
    let mut references = BTreeSet::new();
    for component in components.iter().chain([&bill["metadata"]["component"]]) {
        members(
            component,
            &[
                "type",
                "bom-ref",
                "name",
                "version",
                "description",
                "scope",
                "hashes",
                "licenses",
                "purl",
                "properties",
            ],
        );
        assert!(["application", "library"].contains(&component["type"].as_str().unwrap()));
        assert!(!component["name"].as_str().unwrap().is_empty());
        assert!(references.insert(component["bom-ref"].as_str().unwrap()), "{component} twice");
        for hash in component.get("hashes").into_iter().flat_map(|list| list.as_array().unwrap()) {
            members(hash, &["alg", "content"]);
            assert!(["SHA-256", "SHA-512"].contains(&hash["alg"].as_str().unwrap()));
            assert!(hash["content"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        // One expression, or licences one by one; here always one expression, in the list's own spelling.
        if let Some(licenses) = component.get("licenses") {
            let [license] = licenses.as_array().unwrap().as_slice() else { panic!("{licenses}") };
            members(license, &["expression"]);
            spdx::Expression::parse(license["expression"].as_str().unwrap()).unwrap();
        }
        if let Some(purl) = component.get("purl") {
            let purl = purl.as_str().unwrap();
            assert!(
                ["pkg:cargo/", "pkg:npm/", "pkg:pypi/"].iter().any(|start| purl.starts_with(start)),
                "{purl}"
            );
            assert!(!purl.contains(['+', ' ']), "{purl}");
        }
        assert!(component.get("scope").is_none_or(|scope| scope == "optional"));
    }
    // Every component has its line, every line's end is a component, and everything is reached from the whole.
    let mut edges = BTreeMap::new();
    for one in bill["dependencies"].as_array().unwrap() {
        members(one, &["ref", "dependsOn"]);
        let needed = strings(&one["dependsOn"]);
        assert_eq!(needed.len(), needed.iter().collect::<BTreeSet<_>>().len());
        assert!(edges.insert(one["ref"].as_str().unwrap(), needed).is_none());
    }
    assert_eq!(edges.keys().copied().collect::<BTreeSet<_>>(), references);
    let (mut reached, mut next) = (BTreeSet::new(), vec!["flagstone-release"]);
    while let Some(one) = next.pop() {
        if reached.insert(one) {
            next.extend(&edges[one]);
        }
    }
    assert_eq!(reached, references);
}

fn members(value: &Value, known: &[&str]) {
    for name in value.as_object().unwrap().keys() {
        assert!(known.contains(&name.as_str()), "{name} in {value}");
    }
}
