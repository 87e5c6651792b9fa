//! What is asked of an instance, whichever ABI it is reached by, and the cases made of it.

use std::cell::RefCell;

use anyhow::{Result, anyhow};
use flagstone_measure::{Answer, Case, Fixtures, NOW, Part, Row, Schedule, Workload, packed};

/// The sealed files, and contexts in both forms.
pub(crate) struct Sealed {
    fixtures: Fixtures,
    w100: Vec<u8>,
    w5000: Vec<u8>,
    trivial: Vec<u8>,
    packed: Vec<Vec<u8>>,
    texts: Vec<String>,
}

impl Sealed {
    /// Reads the sealed files of W and of the trivial definition.
    pub(crate) fn new(workload: &Workload, fixtures: Fixtures) -> Result<Self> {
        Ok(Sealed {
            w100: fixtures.sealed("w100")?,
            w5000: fixtures.sealed("w5000")?,
            trivial: fixtures.sealed("trivial")?,
            packed: workload.contexts.iter().map(packed).collect(),
            texts: workload.contexts.iter().map(ToString::to_string).collect(),
            fixtures,
        })
    }
}

/// An instance, by one ABI or the other.
pub(crate) trait Instance {
    /// Verifies and validates a sealed file; once in its life.
    fn seal_open(&mut self, fixtures: &Fixtures, file: &[u8]) -> Result<()>;
    fn context_packed(&mut self, bytes: &[u8]) -> Result<u32>;
    fn context_json(&mut self, json: &str) -> Result<u32>;
    fn drop_context(&mut self, context: u32) -> Result<()>;
    fn evaluate(&mut self, context: u32, flag: u32, now: u64) -> Result<u64>;
    /// How many decisions there were.
    fn evaluate_all(&mut self, context: u32, now: u64) -> Result<usize>;
    /// Bytes of linear memory; none where the ABI does not show it.
    fn memory(&mut self) -> Option<u64>;
}

/// Instances with W in them.
pub(crate) struct Subject<I> {
    name: &'static str,
    make: Box<dyn Fn() -> Result<I>>,
    small: RefCell<I>,
    large: RefCell<I>,
    trivial: RefCell<I>,
    small_contexts: Vec<u32>,
    large_contexts: Vec<u32>,
    trivial_context: u32,
}

impl<I: Instance> Subject<I> {
    /// Opens W in instances of a door and checks every answer.
    pub(crate) fn new(
        name: &'static str,
        make: impl Fn() -> Result<I> + 'static,
        workload: &Workload,
        sealed: &Sealed,
        part: &mut Part,
    ) -> Result<Self> {
        let opened = |file: &[u8]| -> Result<I> {
            let mut instance = make()?;
            instance.seal_open(&sealed.fixtures, file)?;
            Ok(instance)
        };
        let mut small = opened(&sealed.w100)?;
        let mut large = opened(&sealed.w5000)?;
        let mut trivial = opened(&sealed.trivial)?;
        if let Some(bytes) = large.memory() {
            part.rows.push(Row::bytes(name, "memory-5000", bytes));
        }
        let contexts = |instance: &mut I| {
            sealed.packed.iter().map(|bytes| instance.context_packed(bytes)).collect::<Result<Vec<u32>>>()
        };
        let (small_contexts, large_contexts) = (contexts(&mut small)?, contexts(&mut large)?);
        let trivial_context = trivial.context_packed(&sealed.packed[0])?;
        let asked = workload.check(name, true, |context, flag| {
            let packed = small.evaluate(small_contexts[context], flag as u32, NOW)?;
            let variant = (packed & 0xffff) as usize;
            if variant == 0xffff {
                Err(anyhow!("no variant: {packed:#x}"))
            } else {
                Ok(Answer { variant, rule: None })
            }
        })?;
        part.checked.push((name.to_owned(), asked));
        let (small, large, trivial) = (RefCell::new(small), RefCell::new(large), RefCell::new(trivial));
        let make = Box::new(make);
        Ok(Subject { name, make, small, large, trivial, small_contexts, large_contexts, trivial_context })
    }

    /// All cases of the table.
    pub(crate) fn cases<'a>(&'a self, sealed: &'a Sealed, cases: &mut Vec<Case<'a>>) {
        let count = self.small_contexts.len();
        cases.push(self.each("trivial", &self.trivial, |instance| {
            instance.evaluate(self.trivial_context, 0, NOW).map(drop)
        }));
        for (task, flags, instance, contexts) in [
            ("one-flag", 100, &self.small, &self.small_contexts),
            ("one-flag-of-5000", 5_000, &self.large, &self.large_contexts),
        ] {
            let mut next = Schedule::new(count, flags);
            cases.push(self.each(task, instance, move |instance| {
                let (context, flag) = next.step();
                instance.evaluate(contexts[context], flag as u32, NOW).map(drop)
            }));
        }
        let mut next = Schedule::new(count, 100);
        cases.push(self.each("one-shot-packed", &self.small, move |instance| {
            let (_, flag) = next.step();
            let context = instance.context_packed(&sealed.packed[next.fresh()])?;
            instance.evaluate(context, flag as u32, NOW)?;
            instance.drop_context(context)
        }));
        let mut next = Schedule::new(count, 100);
        cases.push(self.each("one-shot-json", &self.small, move |instance| {
            let (_, flag) = next.step();
            let context = instance.context_json(&sealed.texts[next.fresh()])?;
            instance.evaluate(context, flag as u32, NOW)?;
            instance.drop_context(context)
        }));
        let mut next = Schedule::new(count, 1);
        cases.push(self.each("all-100", &self.small, move |instance| {
            instance.evaluate_all(self.small_contexts[next.fresh()], NOW).map(drop)
        }));
        cases.push(
            self.each("open-5000", &self.small, |_| {
                (self.make)()?.seal_open(&sealed.fixtures, &sealed.w5000)
            }),
        );
    }

    fn each<'a>(
        &'a self,
        task: &'static str,
        instance: &'a RefCell<I>,
        mut call: impl FnMut(&mut I) -> Result<()> + 'a,
    ) -> Case<'a> {
        Case::new(self.name, task, move |calls| {
            let mut instance = instance.borrow_mut();
            for _ in 0..calls {
                // What was checked before is not refused now; a trap would show in the next check.
                if let Err(error) = call(&mut instance) {
                    eprintln!("bench: {}, {task}: {error:#}", self.name);
                    std::process::exit(1);
                }
            }
        })
    }
}
