// A text field with line numbers and marks under what is wrong: the browser's own field for typing, selecting and undoing,
// a copy of its text behind it for the marks, and the numbers beside it.

import { h } from "./dom.js";

const SIGNS = { error: "✕", warning: "!" };
/** Characters up to which marks are drawn under the text; beyond, the lines alone are marked. */
const MARKED = 200_000;

export class Editor {
  #field;
  #lines;
  #mirror;
  #numbered = 0;
  #marks = [];

  /** `box` has `.lines`, `.mirror` and a textarea; `changed` is called after each change by a person. */
  constructor(box, changed) {
    this.#field = box.querySelector("textarea");
    this.#lines = box.querySelector(".lines");
    this.#mirror = box.querySelector(".mirror");
    this.#field.addEventListener("input", () => {
      this.#draw([]); // until the next answer: marks of another text would lie in wrong places
      changed();
    });
    this.#field.addEventListener("scroll", () => this.#scroll());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#scroll()).observe(this.#field);
  }

  get text() { return this.#field.value; }

  set text(text) {
    if (this.#field.value !== text) this.#field.value = text;
    this.#draw([]);
    this.#field.scrollTop = this.#field.scrollLeft = 0;
  }

  /** Marks `[{line, start, end, severity}]`: lines from 1, places in UTF-16 units. */
  mark(marks) {
    this.#field.setAttribute("aria-invalid", String(marks.some(({ severity }) => severity === "error")));
    this.#draw(marks);
  }

  /** Puts the cursor at a place, the text there selected and in sight. */
  go({ line, start, end }) {
    const first = this.text.slice(start, end).split("\n", 1)[0];
    this.#field.focus();
    this.#field.setSelectionRange(start, start + first.length);
    const height = parseFloat(getComputedStyle(this.#field).lineHeight);
    this.#field.scrollTop = Math.max(0, (line - 3) * height);
    this.#field.scrollIntoView({ block: "nearest" });
  }

  /** The next mark after the cursor, the first one after the last. */
  next() {
    const at = this.#field.selectionStart;
    const mark = this.#marks.find(({ start }) => start > at) ?? this.#marks[0];
    if (mark) this.go(mark);
  }

  #key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "F8") {
      event.preventDefault();
      this.next();
    } else if (event.key === "Enter") {
      // The next line begins where this one does. `insertText` is the only way that undo knows of.
      const before = this.text.slice(0, this.#field.selectionStart);
      const indent = /[^\n]*$/.exec(before)[0].match(/^ */)[0];
      if (indent && document.execCommand("insertText", false, `\n${indent}`)) event.preventDefault();
    }
  }

  #draw(marks) {
    const text = this.text;
    this.#marks = marks;
    const lines = text.split("\n").length;
    if (lines !== this.#numbered || marks.length || this.#lines.childElementCount) {
      this.#numbered = lines;
      const worst = new Map();
      for (const { line, severity } of marks) if (worst.get(line) !== "error") worst.set(line, severity);
      const numbers = h("span", {}, Array.from({ length: lines }, (_, at) => at + 1).join("\n"));
      const signs = [...worst].map(([line, severity]) => h(`span.sign.${severity}`, { "--line": line - 1 }, SIGNS[severity]));
      this.#lines.replaceChildren(numbers, ...signs);
    }
    const parts = [];
    let at = 0;
    for (const { start, end, severity } of text.length > MARKED ? [] : marks) {
      if (start < at) continue; // marks do not nest; the list below tells of both
      const marked = text.slice(start, Math.max(end, start + 1)).split("\n", 1)[0] || " ";
      parts.push(text.slice(at, start), h(`mark.${severity}`, {}, marked));
      at = start + (text.startsWith(marked, start) ? marked.length : 0);
    }
    if (parts.length) parts.push(text.slice(at), "\n");
    this.#mirror.replaceChildren(...parts);
    this.#scroll();
  }

  #scroll() {
    const { scrollTop, scrollLeft } = this.#field;
    this.#mirror.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
    for (const child of this.#lines.children) child.style.transform = `translateY(${-scrollTop}px)`;
  }
}

/** Byte places of a text as UTF-16 places. */
export function places(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length === text.length) return (at) => at; // ASCII
  const decoder = new TextDecoder();
  return (at) => decoder.decode(bytes.subarray(0, at)).length;
}
