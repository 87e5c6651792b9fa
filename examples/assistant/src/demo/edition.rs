//! The definition as people edit it: the operator approves a stage by changing one line and signing the result.

use anyhow::{Context as _, Result};

/// The definition as it is before anything was approved beyond its own ceilings.
pub const DEFINITION: &str = include_str!("../../definition.yaml");

/// Sets a flag's `ceiling` line to a stage; `None` removes the line, which withdraws every approval.
///
/// # Errors
/// The flag or its `ceiling` line is not in the text.
pub fn with_ceiling(source: &str, flag: &str, stage: Option<&str>) -> Result<String> {
    let heading = format!("  {flag}:");
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let start =
        lines.iter().position(|line| *line == heading).with_context(|| format!("no flag `{flag}`"))?;
    let below = lines.iter().skip(start + 1);
    let length = below.take_while(|line| line.starts_with("   ") || line.trim().is_empty()).count();
    let (at, line) = lines
        .iter_mut()
        .enumerate()
        .skip(start + 1)
        .take(length)
        .find(|(_, line)| line.trim_start().starts_with("ceiling:"))
        .with_context(|| format!("the flag `{flag}` has no `ceiling` line"))?;
    match stage {
        Some(stage) => {
            let indent: String = line.chars().take_while(|c| *c == ' ').collect();
            *line = format!("{indent}ceiling: {stage}");
        }
        None => {
            lines.remove(at);
        }
    }
    let mut out = lines.join("\n");
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceilings(source: &str) -> Vec<&str> {
        source.lines().map(str::trim).filter(|line| line.starts_with("ceiling:")).collect()
    }

    #[test]
    fn only_the_named_flags_ceiling_changes() {
        assert_eq!(ceilings(DEFINITION), ["ceiling: 5%", "ceiling: 5%"]);
        let raised = with_ceiling(DEFINITION, "chat-answers", Some("50%")).unwrap();
        assert_eq!(ceilings(&raised), ["ceiling: 50%", "ceiling: 5%"]);
        let withdrawn = with_ceiling(&raised, "email-drafts", None).unwrap();
        assert_eq!(ceilings(&withdrawn), ["ceiling: 50%"]);
        assert_eq!(withdrawn.lines().count() + 1, DEFINITION.lines().count());
    }

    #[test]
    fn what_is_not_there_cannot_be_changed() {
        assert!(with_ceiling(DEFINITION, "chat", Some("1%")).is_err());
        let withdrawn = with_ceiling(DEFINITION, "email-drafts", None).unwrap();
        assert!(with_ceiling(&withdrawn, "email-drafts", Some("1%")).is_err());
    }
}
