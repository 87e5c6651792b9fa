//! The bill of materials: what is inside of what ships, as CycloneDX 1.6 (docs/supply-chain.md).
//!
//! The same sources give the same bytes: everything is sorted, there is no moment in it unless one is given, and its serial number
//! is a digest of the rest.

mod crates;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::places::Places;
use crate::run::{say, write_if_new};

/// What the whole is called in the bill.
const WHOLE: &str = "flagstone-release";

/// Parts by their references, and which part needs which.
#[derive(Default)]
struct Parts {
    parts: BTreeMap<String, Component>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Parts {
    fn add(&mut self, component: Component) {
        self.needs.entry(component.reference.clone()).or_default();
        self.parts.insert(component.reference.clone(), component);
    }

    fn need(&mut self, from: &str, to: &str) {
        self.needs.entry(from.to_owned()).or_default().insert(to.to_owned());
    }
}

/// The document; members in the order that the specification shows them in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    component: Component,
}

#[derive(Default, Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: String,
    /// None where only a range is asked for, and the one who installs gets what is newest then.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
struct License {
    expression: String,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

/// Writes the bill to `file`.
pub(crate) fn write(
    places: &Places,
    file: &Path,
    moment: Option<jiff::Timestamp>,
    json: bool,
) -> Result<ExitCode> {
    let mut parts = Parts::default();
    let version = crates::collect(places, &mut parts)?;
    others::npm(places, &mut parts)?;
    others::python(places, &mut parts)?;
    let bill = bill(parts, version, moment)?;
    let (components, dependencies) = (bill.components.len(), bill.dependencies.len());
    let mut text = serde_json::to_vec_pretty(&bill)?;
    text.push(b'\n');
    write_if_new(file, &text)?;
    say(&format!("{}: {components} components", file.display()));
    if json {
        let object = serde_json::json!({
            "written": file.display().to_string(),
            "components": components,
            "dependencies": dependencies,
            "sha256": hexadecimal(&Sha256::digest(&text)),
        });
        println!("{object}");
    }
    Ok(ExitCode::SUCCESS)
}

fn bill(parts: Parts, version: String, moment: Option<jiff::Timestamp>) -> Result<Bill> {
    let component = Component {
        kind: "application",
        reference: WHOLE.to_owned(),
        name: WHOLE.to_owned(),
        version: Some(version),
        ..Component::default()
    };
    let mut bill = Bill {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: String::new(),
        version: 1,
        metadata: Metadata { timestamp: None, component },
        components: parts.parts.into_values().collect(),
        dependencies: parts
            .needs
            .into_iter()
            .map(|(reference, needs)| Dependency { reference, depends_on: needs.into_iter().collect() })
            .collect(),
    };
    bill.serial_number = serial(&serde_json::to_vec(&bill)?).context("a digest has 32 bytes")?;
    bill.metadata.timestamp = moment.map(|moment| moment.to_string());
    Ok(bill)
}

/// A UUID of version 8 (whatever its maker likes) from a digest of the content.
fn serial(content: &[u8]) -> Option<String> {
    let mut bytes: [u8; 16] = Sha256::digest(content).first_chunk().copied()?;
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hexadecimal(&bytes);
    let (first, rest) = text.split_at_checked(8)?;
    let (second, rest) = rest.split_at_checked(4)?;
    let (third, rest) = rest.split_at_checked(4)?;
    let (fourth, fifth) = rest.split_at_checked(4)?;
    Some(format!("urn:uuid:{first}-{second}-{third}-{fourth}-{fifth}"))
}

/// An expression as the SPDX list writes it: `MIT OR Apache-2.0` for `MIT/Apache-2.0`.
fn expression(text: &str) -> Result<License> {
    let canonical = spdx::Expression::canonicalize(text)
        .map_err(|error| anyhow::anyhow!("`{text}` is no licence expression: {}", error.reason))?;
    Ok(License { expression: canonical.unwrap_or_else(|| text.to_owned()) })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_is_a_version_8_identifier_of_the_content() {
        let (one, other) = (serial(b"a").unwrap(), serial(b"b").unwrap());
        assert_ne!(one, other);
        assert_eq!(one, serial(b"a").unwrap());
        let digits = one.strip_prefix("urn:uuid:").unwrap();
        let lengths: Vec<usize> = digits.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(digits.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&digits.as_bytes()[19]));
    }

    #[test]
    fn older_expressions_are_written_anew() {
        assert_eq!(expression("MIT/Apache-2.0").unwrap().expression, "MIT OR Apache-2.0");
        assert_eq!(expression("MIT").unwrap().expression, "MIT");
    }
}
