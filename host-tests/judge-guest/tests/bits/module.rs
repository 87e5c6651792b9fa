//! The judge as a core module, called by its flat door.

use std::path::Path;

use wasmtime::{Config, Engine, Instance, Memory, OptLevel, Store, TypedFunc};

/// A running module.
pub(super) struct Module {
    store: Store<()>,
    memory: Memory,
    room: TypedFunc<u32, u32>,
    judge: TypedFunc<(), u64>,
    report: TypedFunc<(), u64>,
}

impl Module {
    /// The module that `cargo xtask build` made. It imports nothing.
    pub(super) fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guest/flagstone.judge.wasm");
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}\nhint: run `cargo xtask build`", path.display()));
        // Compiled plainly: it runs for a second or two.
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config).unwrap();
        let module = wasmtime::Module::new(&engine, bytes).unwrap();
        assert_eq!(module.imports().count(), 0, "the judge imports something");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let room = instance.get_typed_func(&mut store, "room").unwrap();
        let judge = instance.get_typed_func(&mut store, "judge").unwrap();
        let report = instance.get_typed_func(&mut store, "report").unwrap();
        Self { store, memory, room, judge, report }
    }

    pub(super) fn judge(&mut self, request: &[u8]) -> String {
        let judge = self.judge.clone();
        self.ask(&judge, request)
    }

    pub(super) fn report(&mut self, request: &[u8]) -> String {
        let report = self.report.clone();
        self.ask(&report, request)
    }

    fn ask(&mut self, door: &TypedFunc<(), u64>, request: &[u8]) -> String {
        let room = self.room.call(&mut self.store, request.len().try_into().unwrap()).unwrap();
        self.memory.write(&mut self.store, room as usize, request).unwrap();
        let answer = door.call(&mut self.store, ()).unwrap();
        let (at, length) = ((answer >> 32) as usize, (answer & u64::from(u32::MAX)) as usize);
        String::from_utf8(self.memory.data(&self.store)[at..at + length].to_vec()).unwrap()
    }
}
