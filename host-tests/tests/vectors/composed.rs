//! The component as other tools see it: composed with a consumer of another maker into one component, run by dynamic values, and its WIT
//! package from the published file.

use std::path::{Path, PathBuf};

use host_tests::fixture::{AUDIENCE, ENVIRONMENT};
use host_tests::vectors::{ISSUED, Vectors, files, seal};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use wasmtime::component::{Component, Linker, Val};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, WitPrinter};
use wit_parser::Resolve;

const EVALUATOR: &str = "flagstone:flags/evaluator@0.1.0";

/// What a consumer needs of the engine, and offers: one question about one flag.
const WORLD: &str = "package acme:shop@0.1.0;
world shop {
    import flagstone:%flags/evaluator@0.1.0;
    export ask: func(trust: string, file: list<u8>, audience: string, environment: string, now: u64, context: string, flag: string) -> string;
}";

/// It opens without a mark, answers the code when it is refused, and the decision otherwise. Its memory is never given back.
const CONSUMER: &str = r#"(module
    (import "flagstone:flags/evaluator@0.1.0" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i32)))
    (import "flagstone:flags/evaluator@0.1.0" "decision" (func $decision (param i32 i32 i32 i32 i64 i32)))
    (memory (export "memory") 16)
    (global $top (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (func (export "ask") (param $trust i32) (param $trusts i32) (param $file i32) (param $files i32) (param $who i32) (param $whos i32)
        (param $where i32) (param $wheres i32) (param $now i64) (param $context i32) (param $contexts i32) (param $flag i32) (param $flags i32)
        (result i32)
        (call $open (local.get $trust) (local.get $trusts) (local.get $file) (local.get $files) (local.get $who) (local.get $whos)
            (local.get $where) (local.get $wheres) (local.get $now)
            (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (return (i32.const 24))))
        (call $decision (local.get $context) (local.get $contexts) (local.get $flag) (local.get $flags) (local.get $now) (i32.const 256))
        (i32.const 256)))"#;

fn guest(name: &str) -> Vec<u8> {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guest/flagstone.component.wasm");
    let component = std::env::var_os("FLAGSTONE_COMPONENT").map_or_else(built, PathBuf::from);
    let path = component.with_file_name(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nhint: run `cargo xtask build`", path.display()))
}

/// The package as the published file has it.
fn published() -> (Resolve, wit_parser::PackageId) {
    match wit_component::decode(&guest("flagstone-flags.wit.wasm")).unwrap() {
        DecodedWasm::WitPackage(resolve, package) => (resolve, package),
        DecodedWasm::Component(..) => panic!("it is a component, not a WIT package"),
    }
}

/// The consumer as a component: it knows the engine by the published WIT alone.
fn consumer() -> Vec<u8> {
    let (mut resolve, _) = published();
    let package = resolve.push_str("shop.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], Some("shop")).unwrap();
    let mut module = wat::parse_str(CONSUMER).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

fn composed() -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut put = |name: &str, bytes: Vec<u8>| {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut()).unwrap();
        let package = graph.register_package(package).unwrap();
        graph.instantiate(package)
    };
    let (engine, consumer) =
        (put("flagstone:engine", guest("flagstone.component.wasm")), put("acme:shop", consumer()));
    let evaluator = graph.alias_instance_export(engine, EVALUATOR).unwrap();
    graph.set_instantiation_argument(consumer, EVALUATOR, evaluator).unwrap();
    let ask = graph.alias_instance_export(consumer, "ask").unwrap();
    graph.export(ask, "ask").unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}

#[test]
fn the_component_composes_and_answers_through_a_consumer() {
    let engine = wasmtime::Engine::default();
    let component = Component::new(&engine, composed()).unwrap();
    let ready = Linker::<()>::new(&engine).instantiate_pre(&component).unwrap(); // nothing is imported
    let vectors = Vectors::read(&files().unwrap()[0]).unwrap();
    let sealed = seal(&vectors.snapshot().unwrap()).unwrap();
    let ask = |file: &[u8], context: &str, flag: &str, now: u64| {
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = ready.instantiate(&mut store).unwrap();
        let ask = instance.get_func(&mut store, "ask").unwrap();
        let text = |text: &str| Val::String(text.to_owned());
        let bytes = Val::List(file.iter().copied().map(Val::U8).collect());
        let trust = text(std::str::from_utf8(&sealed.trust).unwrap());
        let arguments =
            [trust, bytes, text(AUDIENCE), text(ENVIRONMENT), Val::U64(now), text(context), text(flag)];
        let mut answer = [Val::Bool(false)];
        ask.call(&mut store, &arguments, &mut answer).unwrap();
        match answer {
            [Val::String(answer)] => answer,
            other => panic!("{other:?}"),
        }
    };
    // Those that are asked at the time at which the file is opened, without a pulse.
    let cases = vectors.cases.iter().filter(|case| case.pulse.is_none() && case.now == ISSUED);
    let mut asked = 0;
    for case in cases.take(20) {
        let told = ask(&sealed.file, case.context.get(), &case.flag, case.now);
        assert_eq!(told, case.expect, "case `{}`", case.name);
        asked += 1;
    }
    assert!(asked > 5, "{asked} cases are few");
    let mut forged = sealed.file.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(ask(&forged, "{}", "any", ISSUED), "payload-digest");
}

#[test]
fn the_published_wit_is_the_source_and_survives_every_way_through_a_tool() {
    let print = |resolve: &Resolve, package| {
        let mut printer = WitPrinter::default();
        printer.print(resolve, package, &[]).unwrap();
        printer.output.to_string()
    };
    let (resolve, package) = published();
    let text = print(&resolve, package);
    let mut again = Resolve::default();
    let read = again.push_str("again.wit", &text).unwrap();
    assert_eq!(wit_component::encode(&again, read, false).unwrap(), guest("flagstone-flags.wit.wasm"));
    let mut source = Resolve::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/flagstone-flags.wit");
    let read = source.push_str("source.wit", &std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(print(&source, read), text);
}
