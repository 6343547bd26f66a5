// The category: a tree of several steps, a search over its leaves, and the site's suggestions for the photos.

import { api, close, data, dropdown, generation, loader, make, row, sections, texts, touched } from "./dom.js";

export function categoryField(chosen, whenChosen) {
  const input = practice.ref("category");
  const section = sections.get("category");
  const base = generation.category.base;
  let tree = null;
  let suggested = [];
  let caption = null;
  const loadTree = practice.call("GET", `${api}/catalogs`).then((answer) => (tree = answer.catalogs));

  function leaves(list, path) {
    return list.flatMap((one) => {
      const here = [...path, one.title];
      return one.catalogs.length ? leaves(one.catalogs, here) : [{ ...one, path: here }];
    });
  }
  function pathTo(list, id) {
    for (const one of list) {
      if (one.id === id) return [one];
      const below = pathTo(one.catalogs, id);
      if (below) return [one, ...below];
    }
    return null;
  }

  function set(one) {
    chosen.category = { id: one.id, title: one.title };
    show();
    whenChosen();
  }
  function pick(one) {
    close();
    set(one);
    touched("category");
  }

  const isChosen = (one) => Boolean(chosen.category && chosen.category.id === one.id);
  const words = (one, small) => make("span", null, one.title, small ? make("small", { class: "caption" }, small) : null);
  function catalogRow(one, small, onclick) {
    const inner = one.catalogs.length > 0;
    return row({
      id: `catalog-${one.id}`, "data-testid": `catalog-${one.id}`, role: inner ? "button" : null, onclick,
      class: `web_ui__Cell__clickable${inner ? " web_ui__Cell__with-chevron" : ""}`,
    }, words(one, small),
    inner ? null : make("input", { type: "radio", "data-testid": `catalog-radio-${one.id}`, checked: isChosen(one) }));
  }
  function suggestionRow(one) {
    return row({
      id: `catalog-suggestion-${one.id}`, "data-testid": `catalog-suggestion-${one.id}`, class: "web_ui__Cell__clickable",
      role: "presentation", onclick: () => pick(one),
    }, words(one, one.path.slice(0, -1).join(" > ")),
    make("input", { type: "radio", id: `${one.id}-catalog-suggestion-radio`, checked: isChosen(one) }));
  }

  async function fill(content) {
    content.append(loader(base));
    await loadTree;
    const search = make("input", { type: "text", id: "catalog-search-input", "data-testid": "catalog-search-input",
      placeholder: texts.search_category, maxlength: "100", autocomplete: "off" });
    const list = make("ul");
    content.replaceChildren(search, list);
    const step = (trail) => {
      const here = trail.length ? trail[trail.length - 1].catalogs : tree;
      const back = trail.length
        ? [row({ "data-testid": "catalog-navigation-back", onclick: () => step(trail.slice(0, -1)) }, `‹ ${texts.back}`)]
        : suggested.map(suggestionRow);
      list.replaceChildren(...back, ...here.map((one) =>
        catalogRow(one, null, () => (one.catalogs.length ? step([...trail, one]) : pick(one)))));
    };
    search.addEventListener("input", () => {
      const keyword = search.value.trim().toLowerCase();
      if (!keyword) return step([]);
      const found = leaves(tree, []).filter((one) => one.path.join(" ").toLowerCase().includes(keyword));
      list.replaceChildren(...found.map((one) => catalogRow(one, one.path.slice(0, -1).join(" > "), () => pick(one))));
    });
    const trail = chosen.category && !suggested.length ? pathTo(tree, chosen.category.id) : null;
    step(trail ? trail.slice(0, -1) : []);
  }
  dropdown(input, section, base, fill);

  async function show() {
    input.value = chosen.category ? chosen.category.title : "";
    if (!chosen.category) return;
    input.dataset.id = chosen.category.id;
    await loadTree;
    const path = pathTo(tree, chosen.category.id);
    if (!caption) section.append((caption = make("p", { class: "caption" })));
    caption.textContent = path ? path.map((one) => one.title).join(" > ") : "";
  }
  show();

  // Sets the category to the site's first suggestion for the photos, even if a category was chosen before.
  return async function suggest() {
    if (!data.pages.ai_category || !chosen.photos.length) return;
    const query = new URLSearchParams({ photo_ids: chosen.photos.map((photo) => photo.id).join(",") });
    const { catalogs } = await practice.call("GET", `${api}/suggestions/categories?${query}`);
    await loadTree;
    const known = leaves(tree, []);
    suggested = catalogs.map(({ id }) => known.find((one) => one.id === id)).filter(Boolean);
    if (suggested.length) set(suggested[0]);
  };
}
