//! The WIT package for people and for programs: `docs/wit.md`, and the package as one file of its binary form, both made of
//! `wit/flagstone-flags.wit`.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use wit_parser::{
    Docs, Function, Interface, PackageId, Resolve, Type, TypeDef, TypeDefKind, World, WorldItem, WorldKey,
};

use crate::places::Places;
use crate::run::{say, write_if_new};

/// The source of the package.
const SOURCE: &str = "wit/flagstone-flags.wit";
/// The page made of it.
const PAGE: &str = "docs/wit.md";

/// Writes the page.
pub(crate) fn document(places: &Places) -> Result<()> {
    let (resolve, package) = read(places)?;
    let wrote = write_if_new(&places.below(PAGE), page(&resolve, package)?.as_bytes())?;
    say(&format!("{PAGE}: {}", if wrote { "written" } else { "up to date" }));
    Ok(())
}

/// The package in its binary form, which `wkg`, `wasm-tools component wit`, jco and binding generators take.
pub(crate) fn package(places: &Places) -> Result<Vec<u8>> {
    let (resolve, package) = read(places)?;
    wit_component::encode(&resolve, package, false).context("the WIT package cannot be encoded")
}

fn read(places: &Places) -> Result<(Resolve, PackageId)> {
    let text =
        std::fs::read_to_string(places.below(SOURCE)).with_context(|| format!("cannot read `{SOURCE}`"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str(SOURCE, &text).with_context(|| format!("in `{SOURCE}`"))?;
    Ok((resolve, package))
}

fn page(resolve: &Resolve, id: PackageId) -> Result<String> {
    let package = &resolve.packages[id];
    let mut out = format!("# The WIT package `{}`\n\n", package.name);
    out.push_str("Made of `wit/flagstone-flags.wit` by `cargo xtask wit`; change it there. ");
    out.push_str(
        "`target/guest/flagstone-flags.wit.wasm` (`cargo xtask build`) is the package as one file,\n",
    );
    out.push_str("for `wasm-tools component wit`, `wkg` and binding generators. [engine.md](engine.md) has the formats.\n\n");
    out.push_str(&paragraphs(&package.docs));
    for id in package.interfaces.values() {
        interface(resolve, &resolve.interfaces[*id], &mut out)?;
    }
    for id in package.worlds.values() {
        world(resolve, &resolve.worlds[*id], &mut out)?;
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(out)
}

fn interface(resolve: &Resolve, interface: &Interface, out: &mut String) -> Result<()> {
    writeln!(out, "## Interface `{}`\n", interface.name.as_deref().unwrap_or_default())?;
    out.push_str(&paragraphs(&interface.docs));
    out.push_str("| function | |\n| --- | --- |\n");
    for function in interface.functions.values() {
        writeln!(out, "| `{}` | {} |", signature(resolve, function), cell(&function.docs))?;
    }
    out.push('\n');
    for (name, id) in &interface.types {
        described(resolve, name, &resolve.types[*id], out)?;
    }
    Ok(())
}

fn described(resolve: &Resolve, name: &str, definition: &TypeDef, out: &mut String) -> Result<()> {
    writeln!(out, "### {} `{name}`\n", definition.kind.as_str())?;
    out.push_str(&paragraphs(&definition.docs));
    let rows: Vec<(String, String, &Docs)> = match &definition.kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .map(|field| (field.name.clone(), named(resolve, &field.ty), &field.docs))
            .collect(),
        TypeDefKind::Enum(cases) => {
            cases.cases.iter().map(|case| (case.name.clone(), String::new(), &case.docs)).collect()
        }
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .map(|case| {
                let holds = case.ty.as_ref().map(|ty| named(resolve, ty));
                (case.name.clone(), holds.unwrap_or_default(), &case.docs)
            })
            .collect(),
        other => {
            writeln!(out, "`{}`\n", kind(resolve, other))?;
            return Ok(());
        }
    };
    let typed = rows.iter().any(|(_, ty, _)| !ty.is_empty());
    out.push_str(if typed { "| | type | |\n| --- | --- | --- |\n" } else { "| | |\n| --- | --- |\n" });
    for (name, ty, docs) in rows {
        let ty = if typed { format!(" `{ty}` |") } else { String::new() };
        writeln!(out, "| `{name}` |{ty} {} |", cell(docs))?;
    }
    out.push('\n');
    Ok(())
}

fn world(resolve: &Resolve, world: &World, out: &mut String) -> Result<()> {
    writeln!(out, "## World `{}`\n", world.name)?;
    out.push_str(&paragraphs(&world.docs));
    for (word, items) in [("imports", &world.imports), ("exports", &world.exports)] {
        let names: Vec<String> = items.iter().map(|(key, item)| item_name(resolve, key, item)).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        writeln!(out, "It {word} {names}.\n")?;
    }
    Ok(())
}

fn item_name(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> String {
    let inside = match item {
        WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.clone(),
        _ => None,
    };
    format!("`{}`", inside.unwrap_or_else(|| resolve.name_world_key(key)))
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> =
        function.params.iter().map(|one| format!("{}: {}", one.name, named(resolve, &one.ty))).collect();
    let result = function.result.map(|ty| format!(" -> {}", named(resolve, &ty)));
    format!("{}({}){}", function.name, parameters.join(", "), result.unwrap_or_default())
}

/// A type as it is written in WIT.
fn named(resolve: &Resolve, ty: &Type) -> String {
    let name = match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            return definition.name.clone().unwrap_or_else(|| kind(resolve, &definition.kind));
        }
    };
    name.to_owned()
}

/// A type without a name of its own.
fn kind(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let side = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), |ty| named(resolve, ty));
    match kind {
        TypeDefKind::Option(ty) => format!("option<{}>", named(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", named(resolve, ty)),
        TypeDefKind::Result(sides) => format!("result<{}, {}>", side(&sides.ok), side(&sides.err)),
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<String> = tuple.types.iter().map(|ty| named(resolve, ty)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Type(ty) => named(resolve, ty),
        other => other.as_str().to_owned(),
    }
}

fn paragraphs(docs: &Docs) -> String {
    docs.contents.as_deref().map_or_else(String::new, |text| format!("{}\n\n", text.trim()))
}

/// Documentation in a cell of a table.
fn cell(docs: &Docs) -> String {
    let text = docs.contents.as_deref().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_up_to_date() {
        let places = Places::find();
        let (resolve, package) = read(&places).unwrap();
        let made = page(&resolve, package).unwrap();
        let there = std::fs::read_to_string(places.below(PAGE)).unwrap_or_default();
        assert!(made == there, "`{PAGE}` is not what `{SOURCE}` says\nhint: `cargo xtask wit`");
    }

    #[test]
    fn every_item_is_documented() {
        let (resolve, _) = read(&Places::find()).unwrap();
        let mut bare = Vec::new();
        let mut see = |name: &str, docs: &Docs| {
            if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
                bare.push(name.to_owned());
            }
        };
        for (_, interface) in resolve.interfaces.iter() {
            see(interface.name.as_deref().unwrap_or_default(), &interface.docs);
            interface.functions.values().for_each(|function| see(&function.name, &function.docs));
        }
        for (_, definition) in resolve.types.iter().filter(|(_, definition)| definition.name.is_some()) {
            see(definition.name.as_deref().unwrap_or_default(), &definition.docs);
            match &definition.kind {
                TypeDefKind::Record(record) => {
                    record.fields.iter().for_each(|field| see(&field.name, &field.docs))
                }
                TypeDefKind::Enum(cases) => cases.cases.iter().for_each(|case| see(&case.name, &case.docs)),
                _ => {}
            }
        }
        assert!(bare.is_empty(), "without documentation: {bare:?}");
    }

    #[test]
    fn the_binary_package_is_the_same_package() {
        let places = Places::find();
        let bytes = package(&places).unwrap();
        let decoded = wit_component::decode(&bytes).unwrap();
        let (resolve, id) = (decoded.resolve(), decoded.package());
        // What binding generators read from the file is what people read on the page, documentation included.
        let (source, own) = read(&places).unwrap();
        assert_eq!(page(resolve, id).unwrap(), page(&source, own).unwrap());
    }
}
