// Shared by the parts of the form: nodes, drop-down lists, warnings, the overlay of a rehearsed challenge.
//
// Nodes are held in variables and not looked up, because a rehearsal may rename them at any time.

export const { texts, data } = practice;
export const generation = data.generation;
export const api = "/api/v2/item_upload";

// Every field's section, by the name that the site's refusals use.
export const sections = new Map();
for (const name of ["photos", "title", "description", "category", "price", "bump", "form"]) {
  sections.set(name, practice.ref(`field-${name}`));
}

export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function loader(base) {
  return make("p", { class: "loader", "data-testid": `${base}--loader` }, texts.loading);
}

// Makes one row of a list: a list item, or, in older generations, a cell inside a list item.
export function row(attributes, ...children) {
  const more = attributes.class ? ` ${attributes.class}` : "";
  const cell = make(generation.piles ? "div" : "li", { ...attributes, class: `web_ui__Cell__cell${more}` }, ...children);
  return generation.piles ? make("li", { class: "pile__element" }, cell) : cell;
}

// Drop-down lists. At most one is open. A click outside closes it.
let open = null;
export function close() {
  if (open) open.content.remove();
  open = null;
}
export function dropdown(input, section, base, fill) {
  input.addEventListener("click", () => {
    const was = open && open.input === input;
    close();
    if (was) return;
    const content = make("div", { class: "dropdown", "data-testid": `${base}-content` });
    section.append(content);
    open = { input, content };
    fill(content);
  });
}
document.addEventListener("click", (event) => {
  if (open && event.target.isConnected && !open.content.contains(event.target) && event.target !== open.input) close();
});

// The fields whose value is chosen. Their messages are notes (as seen 2026-05, confidence A); those of fields whose
// value is typed are alerts.
const CHOICES = ["category", "brand", "size", "condition", "color", "material", "package_size"];
export function note(text) {
  return make("div", { class: "c-input__note" }, text);
}

let warnings = [];
function message(name, text) {
  const place = sections.get(name);
  const warning = place && CHOICES.includes(name)
    ? note(text)
    : make("div", { class: "web_ui__Validation__warning", role: "alert" }, text);
  (place || sections.get("form")).append(warning);
  return warning;
}
export function warn(name, text) {
  warnings.push(message(name, text));
}
// The warnings of a rehearsal are shown from the start and stay.
for (const { field, value } of self.practiceWarnings || []) message(field, value);
export function clearWarnings() {
  for (const warning of warnings) warning.remove();
  warnings = [];
}

// Shows a dialog over the whole page. Only its button closes it.
export function dialog(name, title, text, label) {
  const dismiss = make("button", { type: "button", "data-testid": `${name}--close` }, label);
  const overlay = make("div", { class: "overlay", "data-testid": `${name}--overlay` },
    make("div", { class: "modal", role: "dialog", "data-testid": name }, make("h2", null, title), make("p", null, text), dismiss));
  dismiss.addEventListener("click", () => overlay.remove());
  document.body.append(overlay);
}

// Shows that the form cannot continue. Does nothing if a challenge covers the page.
export function crash() {
  if (!practice.challenged) dialog("item-upload-critical-error-dialog", texts.something_wrong, "", texts.close);
}

// Shows the rehearsed challenge if it belongs right after a change of the field `step`. Returns whether it did.
export function touched(step) {
  if (self.practiceOverlayAt !== step) return false;
  practice.challenge();
  return true;
}
