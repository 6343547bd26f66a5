// Simulates a rebuilt site: renames the form's nodes and leaves its behaviour unchanged. Runs in the head. The browser
// calls the observer before it paints or runs other tasks, so the old names are never visible.
"use strict";

(() => {
  const rules = self.practiceMutations.map((rule) => ({ ...rule, done: new WeakSet() }));
  const clones = new WeakSet();
  const cloneOf = new Map();

  // Returns the part of `text` that the pattern's "*" matches: `""` for an exact match, `null` without a match.
  function rest(pattern, text) {
    if (!pattern.endsWith("*")) return text === pattern ? "" : null;
    const prefix = pattern.slice(0, -1);
    return text.startsWith(prefix) ? text.slice(prefix.length) : null;
  }
  const fill = (pattern, more) => (pattern.endsWith("*") ? pattern.slice(0, -1) + more : pattern);

  // Each class is a separate value. Any other attribute is one value.
  function values(element, attribute) {
    if (!element.hasAttribute(attribute)) return [];
    return attribute === "class" ? [...element.classList] : [element.getAttribute(attribute)];
  }
  function replace(element, attribute, value, other) {
    if (attribute === "class") {
      element.classList.remove(value);
      if (other !== null) element.classList.add(other);
    } else if (other === null) element.removeAttribute(attribute);
    else element.setAttribute(attribute, other);
  }

  // Inserts a copy that looks the same, has the same value in this attribute only, and does nothing.
  function duplicate(element, attribute) {
    const clone = element.cloneNode(true);
    for (const node of [clone, ...clone.querySelectorAll("*")]) {
      clones.add(node);
      for (const name of ["id", "data-testid", "name", "data-ref", "data-field", "for"]) {
        if (node !== clone || name !== attribute) node.removeAttribute(name);
      }
    }
    // A click or a change on it must not reach the form: a radio would clear the other radios of its group.
    for (const kind of ["click", "change", "input"]) {
      clone.addEventListener(kind, (event) => {
        event.stopImmediatePropagation();
        if (kind === "click") event.preventDefault();
      }, true);
    }
    cloneOf.set(element, clone);
    element.before(clone);
  }

  function apply(rule, element) {
    if (rule.done.has(element)) return;
    for (const value of values(element, rule.attribute)) {
      const open = rest(rule.value, value);
      const back = rule.how === "swap" && open === null ? rest(rule.with || "", value) : null;
      if (open === null && back === null) continue;
      rule.done.add(element);
      if (rule.how === "drop") replace(element, rule.attribute, value, null);
      else if (rule.how === "duplicate") duplicate(element, rule.attribute);
      else if (back !== null) replace(element, rule.attribute, value, fill(rule.value, back));
      else replace(element, rule.attribute, value, rule.with ? fill(rule.with, open) : `${value}-renamed`);
      return;
    }
  }

  function visit(node) {
    if (!(node instanceof Element) || clones.has(node)) return;
    for (const rule of rules) {
      for (const element of [node, ...node.querySelectorAll("*")]) {
        if (!clones.has(element)) apply(rule, element);
      }
    }
  }

  new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.addedNodes) if (node.isConnected) visit(node);
      for (const node of record.removedNodes) {
        if (!cloneOf.has(node) || node.isConnected) continue;
        cloneOf.get(node).remove();
        cloneOf.delete(node);
      }
    }
  }).observe(document, { childList: true, subtree: true });
})();
