//! What is known of the unit that is decided for.

use flagstone_evaluate::{Context, ContextError};
#[cfg(feature = "openfeature")]
use flagstone_snapshot::{Json, Value};

use crate::InForce;

/// The attributes of one unit: a person, a request, a tenant.
///
/// They are prepared for a snapshot at the first decision under it, and again after a swap; other decisions allocate nothing.
/// Attributes that are none (no JSON, no object, over the caps of docs/engine.md) are decided with reason `ERROR` and code
/// `GENERAL`; [`InForce::prepare`] says why.
#[derive(Debug, Clone)]
pub struct Unit {
    attributes: Attributes,
    context: Context,
    /// The number of the snapshot that `context` is prepared for; 0 for none.
    prepared: u64,
    /// Why it could not be.
    fault: Option<ContextError>,
}

#[derive(Debug, Clone)]
enum Attributes {
    Text(String),
    /// A packed object.
    Packed(Vec<u8>),
    /// By position, filled for one snapshot only.
    Positions,
}

impl Unit {
    fn of(attributes: Attributes) -> Self {
        Self { attributes, context: Context::default(), prepared: 0, fault: None }
    }

    /// Attributes as the JSON text of an object.
    #[must_use]
    pub fn json(text: impl Into<String>) -> Self {
        Self::of(Attributes::Text(text.into()))
    }

    /// Attributes as a packed object (docs/engine.md, *The packed context*).
    #[must_use]
    pub fn packed(bytes: Vec<u8>) -> Self {
        Self::of(Attributes::Packed(bytes))
    }

    /// Attributes one by one; of repeated names the last counts.
    #[cfg(feature = "openfeature")]
    pub(crate) fn members(members: Vec<(String, Json)>) -> Self {
        let mut packed = Vec::new();
        Value::write(&Json::Object(members), &mut packed);
        Self::packed(packed)
    }

    /// A unit without attributes, for [`Unit::refill`].
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Attributes::Positions)
    }

    /// Another unit in the room of this one: `fill` writes attributes by position (docs/engine.md) to an emptied buffer.
    /// Allocates nothing once the room is large enough. Positions hold for one snapshot: after a swap decisions are errors until
    /// this is called again.
    ///
    /// # Errors
    /// [`ContextError`]; the unit then has no attributes that can be decided for.
    pub fn refill(&mut self, of: &InForce, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), ContextError> {
        self.attributes = Attributes::Positions;
        let filled = self.context.refill(of.snapshot(), fill);
        (self.prepared, self.fault) = (of.number(), filled.err());
        filled
    }

    /// The context for a snapshot; made if need be.
    pub(crate) fn context(&mut self, of: &InForce) -> Result<&Context, ContextError> {
        if self.prepared != of.number() {
            let made = match &self.attributes {
                Attributes::Text(text) => Context::from_json(of.snapshot(), text),
                Attributes::Packed(bytes) => Context::from_packed(of.snapshot(), bytes.clone()),
                Attributes::Positions => Err(ContextError::Position),
            };
            match made {
                Ok(context) => (self.context, self.fault) = (context, None),
                Err(error) => (self.context, self.fault) = (Context::default(), Some(error)),
            }
            self.prepared = of.number();
        }
        match self.fault {
            None => Ok(&self.context),
            Some(error) => Err(error),
        }
    }
}
