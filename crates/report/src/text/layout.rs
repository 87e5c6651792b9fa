//! Lines, wrapped paragraphs, tables and bars of a page.

/// A page that is being written.
pub(super) struct Page {
    width: usize,
    text: String,
}

/// Widest label of [`Page::item`].
const LABEL: usize = 7;

/// A box of a checklist.
pub(super) fn ticked(met: bool) -> &'static str {
    if met { "[x]" } else { "[ ]" }
}

/// How far a number is towards its threshold, as a bar of ten places: `[####......]`.
pub(super) fn gauge(log_e: f64, log_threshold: f64) -> String {
    let part = if log_threshold > 0.0 { (log_e / log_threshold).clamp(0.0, 1.0) } else { 0.0 };
    let full = (part * 10.0).floor() as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(10_usize.saturating_sub(full)))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

impl Page {
    pub(super) fn new(width: usize) -> Self {
        Self { width, text: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph.
    pub(super) fn line(&mut self, text: &str) {
        self.hanging("", text);
    }

    /// A title, and what is below it in a few words.
    pub(super) fn title(&mut self, title: &str, about: &str) {
        self.blank();
        self.hanging("", &format!("{title}  ({about})"));
    }

    /// A paragraph behind a label.
    pub(super) fn item(&mut self, label: &str, text: &str) {
        self.hanging(&format!("  {label:<LABEL$} "), text);
    }

    /// A paragraph whose first line begins with `lead`, the others as far in.
    pub(super) fn hanging(&mut self, lead: &str, text: &str) {
        let (indent, room) = (length(lead), self.width.saturating_sub(length(lead)).max(20));
        let mut line = String::new();
        let mut first = true;
        let put = |text: &mut String, line: &mut String, first: &mut bool| {
            let start = if *first { lead.to_owned() } else { " ".repeat(indent) };
            text.push_str(format!("{start}{line}").trim_end());
            text.push('\n');
            line.clear();
            *first = false;
        };
        for word in text.split_whitespace() {
            if !line.is_empty() && length(&line) + 1 + length(word) > room {
                put(&mut self.text, &mut line, &mut first);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        put(&mut self.text, &mut line, &mut first);
    }

    /// A table; columns named in `right` are flushed right. A table that is too wide for the page is told row by row instead.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>], right: &[usize]) {
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell));
                cells.chain(head.get(column).map(|cell| length(cell))).max().unwrap_or(0)
            })
            .collect();
        if widths.iter().sum::<usize>() + 2 * head.len() > self.width {
            for row in rows {
                let told = head.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty());
                let told: Vec<String> = told.map(|(name, cell)| format!("{name} {cell}")).collect();
                let name = row.first().map_or("", String::as_str);
                self.hanging("    ", &format!("{name}: {}", told.join("; ")));
            }
            return;
        }
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        for row in std::iter::once(&head).chain(rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width.saturating_sub(length(cell)));
                let cell =
                    if right.contains(&column) { format!("{space}{cell}") } else { format!("{cell}{space}") };
                line.push_str("  ");
                line.push_str(&cell);
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_page() {
        let mut page = Page::new(60);
        page.item("next", &"some words that go on and on ".repeat(9));
        page.title("A title", &"about many things ".repeat(6));
        let wide = vec![vec!["a".repeat(30), "b".repeat(30), "c".repeat(30)]];
        page.table(&["one", "two", "three"], &wide, &[2]);
        page.table(&["name", "n"], &[vec!["x".into(), "12".into()]], &[1]);
        let text = page.finish();
        assert!(text.lines().all(|line| length(line) <= 60 && !line.ends_with(' ')), "{text}");
        assert!(text.ends_with("  name   n\n  x     12\n"), "{text}");
    }

    #[test]
    fn a_full_bar_is_at_the_threshold() {
        assert_eq!(
            [gauge(-3.0, 3.0), gauge(1.5, 3.0), gauge(9.0, 3.0)],
            ["[..........]", "[#####.....]", "[##########]"]
        );
    }
}
