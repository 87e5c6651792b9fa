//! Reads definitions and prints what there is to say: `cargo run -p flagstone-compile --example check FILE…`

use std::time::Instant;

use flagstone_compile::{Options, Source, compile};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let source = Source::new(path.as_str(), std::fs::read_to_string(&path)?);
        let start = Instant::now();
        let outcome = compile(&source, &Options { strict: true, ..Options::default() });
        let took = start.elapsed();
        print!("{}", outcome.diagnostics.render(&source, false));
        let flags = outcome.draft.map_or(0, |draft| draft.flags.len());
        println!("{path}: {flags} flags in {took:.1?}");
    }
    Ok(())
}
