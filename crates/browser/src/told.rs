//! What JavaScript is told: JSON texts that `JSON.parse` reads once, when something is opened.

use alloc::string::String;

use flagstone_seal::{Mark, PulseStatement};
use flagstone_snapshot::json_text::{write_string, write_whole};
use flagstone_snapshot::{Flag, FlagKind};

use crate::engine::{Engine, Opening};

/// A JSON text in the making.
#[derive(Default)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    /// Begins a member; `open` is what stands before it.
    fn member(&mut self, open: char, name: &str) -> &mut Self {
        self.0.push(open);
        write_string(name, &mut self.0);
        self.0.push(':');
        self
    }

    fn number(&mut self, number: u64) {
        write_whole(number, &mut self.0);
    }

    fn text(&mut self, text: &str) {
        write_string(text, &mut self.0);
    }

    fn truth(&mut self, truth: bool) {
        self.0.push_str(if truth { "true" } else { "false" });
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.0.push('[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            each(self, item);
        }
        self.0.push(']');
    }

    fn mark(&mut self, mark: &Mark) {
        self.member('{', "epoch").number(mark.epoch);
        self.member(',', "sequence").number(mark.sequence);
        self.member(',', "digest").text(&hexadecimal(&mark.digest));
        self.0.push('}');
    }
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `{info: {mark, flagSet, issued, expires, flags, signers}, flags: [...], attributes: [path]}`.
pub(crate) fn opened(engine: &Engine, opening: &Opening) -> String {
    let snapshot = engine.snapshot();
    let mut out = Text::default();
    out.member('{', "info").member('{', "mark").mark(&engine.mark);
    out.member(',', "flagSet").text(snapshot.flag_set());
    out.member(',', "issued").number(opening.issued);
    out.member(',', "expires").number(opening.expires);
    out.member(',', "flags").number(snapshot.flag_count().into());
    out.member(',', "signers").list(opening.signers.iter(), |out, name| out.text(name));
    out.0.push('}');
    out.member(',', "flags").list(snapshot.flags(), flag);
    let paths = (0..snapshot.attribute_count()).filter_map(|index| snapshot.attribute(index));
    out.member(',', "attributes").list(paths, Text::text);
    out.0.push('}');
    out.0
}

fn flag(out: &mut Text, flag: Flag<'_>) {
    let kind = match flag.kind() {
        FlagKind::Boolean => "boolean",
        FlagKind::Text => "string",
        FlagKind::Number => "number",
        FlagKind::Object => "object",
    };
    out.member('{', "key").text(flag.key());
    out.member(',', "kind").text(kind);
    out.member(',', "client").truth(flag.client());
    out.member(',', "planned").truth(flag.plan().is_some());
    if let Some(unit) = flag.unit() {
        out.member(',', "unit").text(unit);
    }
    if let Some(version) = flag.parts().and_then(|parts| parts.sticky()) {
        out.member(',', "sticky").number(version.into());
    }
    let names = (0..flag.variant_count()).filter_map(|at| flag.variant(at)).map(|variant| variant.name);
    out.member(',', "variants").list(names, Text::text);
    out.0.push('}');
}

/// `{number, issued, expires, snapshot: mark}`.
pub(crate) fn pulsed(pulse: &PulseStatement) -> String {
    let mut out = Text::default();
    out.member('{', "number").number(pulse.number);
    out.member(',', "issued").number(pulse.issued);
    out.member(',', "expires").number(pulse.expires);
    out.member(',', "snapshot").mark(&pulse.snapshot);
    out.0.push('}');
    out.0
}
