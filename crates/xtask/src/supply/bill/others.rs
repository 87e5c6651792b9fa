//! What npm and pip add: the packages that ours ask for.
//!
//! npm's lock file says which bytes; the Python package locks nothing, so only names and ranges are known.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Component, Hash, Parts, Property, WHOLE, expression, hexadecimal};
use crate::places::Places;
use crate::supply::locks::{NpmLock, NpmPackage};

/// Where the npm package lies, and which crate's build it carries.
const NPM: (&str, &str) = ("providers/js", "crates/browser");
/// The same of the Python package.
const PYTHON: (&str, &str) = ("providers/python", "crates/component");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PackageJson {
    name: String,
    version: String,
    license: String,
    #[serde(default)]
    peer_dependencies: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Pyproject {
    project: Project,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Project {
    name: String,
    version: String,
    license: String,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<String>>,
}

/// The npm package: what it needs from its lock file, and what it works with when it is there.
pub(super) fn npm(places: &Places, parts: &mut Parts) -> Result<()> {
    let (folder, engine) = NPM;
    let path = places.below(folder).join("package.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let package: PackageJson =
        serde_json::from_slice(&text).with_context(|| format!("`{}` is no package", path.display()))?;
    ours(parts, folder, engine, &package.name, &package.version, &package.license)?;
    for (name, locked) in NpmLock::read(&places.below(folder).join("package-lock.json"))?.installed() {
        // What only we build and test with is not inside.
        if !locked.dev {
            let component = npm_component(name, locked)?;
            parts.need(folder, &component.reference);
            parts.add(component);
        }
    }
    for (name, range) in &package.peer_dependencies {
        asked(parts, folder, &npm_purl(name), name, range, true);
    }
    Ok(())
}

fn npm_component(name: &str, locked: &NpmPackage) -> Result<Component> {
    let version =
        locked.version.clone().with_context(|| format!("{name} has no version in npm's lock file"))?;
    let digest = locked.integrity.as_deref().and_then(|text| text.strip_prefix("sha512-"));
    let digest = digest.with_context(|| format!("{name} has no SHA-512 checksum in npm's lock file"))?;
    let digest =
        STANDARD.decode(digest).map_err(|error| anyhow!("the checksum of {name} is no base64: {error}"))?;
    let purl = format!("{}@{version}", npm_purl(name));
    Ok(Component {
        kind: "library",
        reference: purl.clone(),
        name: name.to_owned(),
        version: Some(version),
        hashes: vec![Hash { alg: "SHA-512", content: hexadecimal(&digest) }],
        licenses: locked.license.as_deref().map(expression).transpose()?.into_iter().collect(),
        purl: Some(purl),
        ..Component::default()
    })
}

/// A scope's `@` is written as its percent code.
fn npm_purl(name: &str) -> String {
    format!("pkg:npm/{}", name.replace('@', "%40"))
}

/// The Python package: names and ranges of what it needs, and of what its extras need.
pub(super) fn python(places: &Places, parts: &mut Parts) -> Result<()> {
    let (folder, engine) = PYTHON;
    let path = places.below(folder).join("pyproject.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let Pyproject { project } =
        toml::from_str(&text).with_context(|| format!("`{}` is no project", path.display()))?;
    ours(parts, folder, engine, &project.name, &project.version, &project.license)?;
    let extras = project.optional_dependencies.values().flatten().map(|text| (text, true));
    for (text, optional) in project.dependencies.iter().map(|text| (text, false)).chain(extras) {
        let (name, range) = requirement(text);
        asked(
            parts,
            folder,
            &format!("pkg:pypi/{}", name.to_lowercase().replace('_', "-")),
            name,
            range,
            optional,
        );
    }
    Ok(())
}

/// `wasmtime>=50,<51` is a name and a range.
fn requirement(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter)));
    let (name, range) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
    (name, range.trim())
}

/// One of our packages in another language, around an engine that cargo built.
fn ours(
    parts: &mut Parts,
    folder: &str,
    engine: &str,
    name: &str,
    version: &str,
    license: &str,
) -> Result<()> {
    parts.add(Component {
        kind: "library",
        reference: folder.to_owned(),
        name: name.to_owned(),
        version: Some(version.to_owned()),
        licenses: vec![expression(license)?],
        ..Component::default()
    });
    parts.need(WHOLE, folder);
    parts.need(folder, engine);
    Ok(())
}

/// Something that is asked for by a range: which version it will be is decided where it is installed.
fn asked(parts: &mut Parts, by: &str, purl: &str, name: &str, range: &str, optional: bool) {
    parts.add(Component {
        kind: "library",
        reference: purl.to_owned(),
        name: name.to_owned(),
        scope: optional.then_some("optional"),
        purl: Some(purl.to_owned()),
        properties: vec![Property { name: "flagstone:range", value: range.to_owned() }],
        ..Component::default()
    });
    parts.need(by, purl);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_names_and_ranges() {
        assert_eq!(requirement("wasmtime>=50.0.1,<51"), ("wasmtime", ">=50.0.1,<51"));
        assert_eq!(requirement("openfeature-sdk >=0.10"), ("openfeature-sdk", ">=0.10"));
        assert_eq!(requirement("plain"), ("plain", ""));
        assert_eq!(npm_purl("@noble/ciphers"), "pkg:npm/%40noble/ciphers");
    }
}
