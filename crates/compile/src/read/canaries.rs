//! Canaries of a flag: questions whose answers the author knows, asked of every engine before it serves the snapshot.

use flagstone_snapshot::FlagError;

use crate::model::{Canary, Variant};
use crate::read::{Fields, Reader};
use crate::tree::{Node, Value};

impl Reader<'_> {
    /// `canaries: [{ context: {…}, variant: name, at: time }, …]`.
    pub(super) fn canaries(&mut self, node: &Node, variants: &[Variant]) -> Vec<Canary> {
        let Some(items) = node.as_list() else {
            self.wrong_kind("canaries", "a list", node);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.canary(item, variants)).collect()
    }

    fn canary(&mut self, item: &Node, variants: &[Variant]) -> Option<Canary> {
        // A canary that cannot be read says nothing of the flag itself, which stays in use.
        let broken = self.broken;
        let canary = self.read_canary(item, variants);
        self.broken = broken;
        canary
    }

    fn read_canary(&mut self, item: &Node, variants: &[Variant]) -> Option<Canary> {
        let mut fields = Fields::open(self, "a canary", item)?;
        let context = fields.need(self, "a canary", "context");
        let at = fields.take("at").map(|node| self.time("at", node).ok_or(FlagError::Parse)).transpose();
        // Null is an answer: the caller's own default. So the member must be there.
        let variant = match fields.raw("variant").map(|member| &member.value) {
            Some(node) if node.value == Value::Null => Some(None),
            Some(node) => self.variant_name("variant", node, variants).map(Some),
            None => {
                fields.need(self, "a canary", "variant");
                None
            }
        };
        fields.finish(self, "a canary", true);
        let context = context?;
        if context.as_object().is_none() {
            self.wrong_kind("context", "an object", context);
            return None;
        }
        Some(Canary {
            context: context.clone(),
            at: at.ok()?.unwrap_or_default(),
            variant: variant?,
            span: item.span,
        })
    }
}
