//! What cargo builds: our artefacts, the crates inside each, and which needs which.
//!
//! `cargo tree` resolves features for each artefact and its platform by itself; the whole workspace's would put the keys' tools
//! into the component. A crate has one place in the bill, where what it needs in any artefact is listed; its property
//! `flagstone:inside` names the artefacts that it is really in. What only runs while building (build scripts, macros) is not inside, and not listed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use cargo_metadata::Package;

use super::{Component, Hash, Parts, Property, WHOLE, expression, hexadecimal};
use crate::artefacts::TARGET;
use crate::places::Places;
use crate::run::{cargo, output};
use crate::supply::locks::{self, Lock, shown};
use crate::supply::workspace;

/// One of our crates as it ships.
struct Artefact {
    package: &'static str,
    kind: &'static str,
    /// `all`: programs and libraries are built for any platform.
    platform: &'static str,
    features: &'static [&'static str],
}

const ARTEFACTS: [Artefact; 5] = [
    Artefact { package: "flagstone-cli", kind: "application", platform: "all", features: &[] },
    Artefact { package: "flagstone", kind: "library", platform: "all", features: &[] },
    Artefact { package: "flagstone-component", kind: "library", platform: TARGET, features: &[] },
    Artefact { package: "flagstone-browser", kind: "library", platform: TARGET, features: &["tools"] },
    Artefact { package: "flagstone-playground", kind: "application", platform: TARGET, features: &[] },
];

/// Name and version.
type Key = (String, String);

/// Adds the artefacts and what is inside; returns our version.
pub(super) fn collect(places: &Places, parts: &mut Parts) -> Result<String> {
    let locks = locks::find(places)?;
    let root = locks.first().context("there is no lock file")?;
    let known = workspace::read(places, std::slice::from_ref(root))?;
    let metadata = known.first().and_then(|one| one.metadata()).context(
        "cargo cannot read the workspace without the network\nhint: `cargo fetch --locked` gets all packages",
    )?;
    let packages: BTreeMap<Key, &Package> = metadata
        .packages
        .iter()
        .map(|package| ((package.name.to_string(), package.version.to_string()), package))
        .collect();
    let mut version = None;
    for artefact in &ARTEFACTS {
        let edges = tree(places, artefact)?;
        let mut keys: BTreeSet<&Key> = edges.keys().collect();
        keys.extend(edges.values().flatten());
        for key in keys {
            let package =
                packages.get(key).with_context(|| format!("cargo does not know {} {}", key.0, key.1))?;
            let component = component(places, package, root)?;
            let reference = component.reference.clone();
            parts.needs.entry(reference.clone()).or_default();
            let part = parts.parts.entry(reference.clone()).or_insert(component);
            part.properties.push(Property { name: "flagstone:inside", value: artefact.package.to_owned() });
            if *package.name == artefact.package {
                part.kind = artefact.kind;
                version = Some(package.version.to_string());
                parts.need(WHOLE, &reference);
            }
            for needed in edges.get(key).into_iter().flatten() {
                let needed =
                    packages.get(needed).with_context(|| format!("cargo does not know {}", needed.0))?;
                parts.need(&reference, &reference_of(places, needed));
            }
        }
    }
    version.context("no artefact has a version")
}

fn component(places: &Places, package: &Package, lock: &Lock) -> Result<Component> {
    let reference = reference_of(places, package);
    let purl = package.source.is_some().then(|| reference.clone());
    let locked = lock.content.packages.iter().find(|locked| {
        locked.name.as_str() == *package.name && locked.version.to_string() == package.version.to_string()
    });
    let digest = locked.and_then(|locked| locked.checksum.as_ref()?.as_sha256());
    if package.source.is_some() && digest.is_none() {
        bail!("{} {} has no checksum in {}", package.name, package.version, lock.name);
    }
    let licence = package.license.as_deref().map(expression).transpose()?;
    Ok(Component {
        kind: "library",
        reference,
        name: package.name.to_string(),
        version: Some(package.version.to_string()),
        description: if purl.is_none() { package.description.clone() } else { None },
        scope: None,
        hashes: digest
            .map(|digest| Hash { alg: "SHA-256", content: hexadecimal(&digest) })
            .into_iter()
            .collect(),
        licenses: licence.into_iter().collect(),
        purl,
        properties: Vec::new(),
    })
}

/// A package of the registry is known by its package URL, one of ours by its folder.
fn reference_of(places: &Places, package: &Package) -> String {
    match package.source {
        // A `+` in a version is written as its percent code.
        Some(_) => format!("pkg:cargo/{}@{}", package.name, package.version.to_string().replace('+', "%2B")),
        None => {
            let manifest = package.manifest_path.as_std_path();
            shown(places, manifest.parent().unwrap_or(manifest))
        }
    }
}

/// Which crates need which inside one artefact.
fn tree(places: &Places, artefact: &Artefact) -> Result<BTreeMap<Key, BTreeSet<Key>>> {
    let mut command = cargo(places);
    command.args(["tree", "--offline", "--locked", "--package", artefact.package]);
    command.args(["--edges", "normal,no-proc-macro", "--target", artefact.platform]);
    command.args(["--prefix", "depth", "--format", " {p}"]);
    if !artefact.features.is_empty() {
        command.args(["--features", &artefact.features.join(",")]);
    }
    let told =
        output(&mut command).context("hint: `cargo fetch --locked` gets the packages of all platforms")?;
    edges(&told).with_context(|| format!("`cargo tree` of `{}` cannot be read", artefact.package))
}

/// Reads lines like `2 serde v1.0.229 (*)`: the depth, the name, the version.
fn edges(told: &str) -> Result<BTreeMap<Key, BTreeSet<Key>>> {
    let mut edges: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    let mut path: Vec<Key> = Vec::new();
    for line in told.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let depth = words.next().and_then(|word| word.parse::<usize>().ok());
        let name = words.next().map(str::to_owned);
        let version = words.next().and_then(|word| word.strip_prefix('v')).map(str::to_owned);
        let (Some(depth), Some(name), Some(version)) = (depth, name, version) else {
            bail!("`{line}` has no depth, name and version");
        };
        anyhow::ensure!(depth <= path.len(), "`{line}` lies deeper than its parent");
        path.truncate(depth);
        let key = (name, version);
        if let Some(parent) = path.last() {
            edges.entry(parent.clone()).or_default().insert(key.clone());
        }
        edges.entry(key.clone()).or_default();
        path.push(key);
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_read_from_depths() {
        let told = "0 a v1.0.0 (/somewhere)\n1 b v2.0.0\n2 c v0.1.0+x\n1 c v0.1.0+x (*)\n";
        let read = edges(told).unwrap();
        let key = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(read[&key("a", "1.0.0")], BTreeSet::from([key("b", "2.0.0"), key("c", "0.1.0+x")]));
        assert_eq!(read[&key("b", "2.0.0")], BTreeSet::from([key("c", "0.1.0+x")]));
        assert!(read[&key("c", "0.1.0+x")].is_empty());
        assert!(edges("0 a v1\n2 b v1\n").is_err());
        assert!(edges("warning: something\n").is_err());
    }
}
