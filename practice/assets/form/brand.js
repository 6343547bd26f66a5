// The brand: a search in the site's brands, a custom name, or no brand. A dialog appears for brands that are often
// forged.

import { api, close, data, dialog, dropdown, generation, loader, make, row, sections, texts, touched } from "./dom.js";

// How many brands the site suggests on top of the list.
const SUGGESTIONS = 3;
const NO_BRAND = 1;

export function brandField(chosen, input) {
  const base = generation.brand.base;
  const pick = (brand) => {
    chosen.brand = brand;
    input.value = brand.title;
    close();
    touched("brand");
    if (brand.requires_authenticity_check || brand.is_luxury) {
      dialog("item-authenticity-modal", texts.authenticity_title, texts.authenticity_text, texts.authenticity_close);
    }
  };
  const brandRow = (brand, id) => row({ id, "data-testid": id, onclick: () => pick(brand) },
    make("span", null, brand.title),
    make("input", { type: "radio", id: `brand-radio-${brand.id}`, "data-testid": `brand-radio-${brand.id}`,
      checked: Boolean(chosen.brand && chosen.brand.id === brand.id) }));
  const suggestionRow = (brand) => row({ id: `suggested-brand-${brand.id}`, "data-testid": `suggested-brand-${brand.id}`,
    onclick: () => pick(brand) }, make("span", null, brand.title));

  dropdown(input, sections.get("brand"), base, (content) => {
    const search = make("input", { type: "text", id: "brand-search-input", "data-testid": "brand-search--input",
      placeholder: texts.search_brand, maxlength: "100", autocomplete: "off" });
    const list = make("ul");
    content.append(search, list);
    let asked = 0;
    let first = null;
    const show = async () => {
      const mine = ++asked;
      const keyword = search.value.trim();
      list.replaceChildren(loader(base));
      const query = new URLSearchParams({ category_id: chosen.category.id, keyword });
      const { brands } = await practice.call("GET", `${api}/brands?${query}`);
      if (mine !== asked) return;
      first = first || brands.filter((brand) => brand.id !== NO_BRAND).slice(0, SUGGESTIONS);
      const suggests = data.pages.brand_suggestions;
      const rows = brands.map((brand) => {
        if (brand.id === NO_BRAND) return brandRow(brand, "empty-brand");
        return brandRow(brand, keyword || suggests ? `brand-${brand.id}` : `suggested-brand-${brand.id}`);
      });
      if (keyword && !brands.some((brand) => brand.title.toLowerCase() === keyword.toLowerCase())) {
        const own = { id: null, title: keyword };
        rows.push(row({ id: "custom-select-brand", "data-testid": "custom-select-brand", onclick: () => pick(own) },
          make("span", null, texts.custom_brand.replace("{}", keyword)),
          make("input", { type: "radio", id: "custom-select-brand-radio" })));
      }
      if (keyword && !brands.length) rows.unshift(make("li", { class: "caption", "data-testid": "brand_empty_state" }, texts.brand_none));
      if (suggests) {
        const label = make("li", { class: "caption", "data-testid": "brand-popular-label" }, texts.suggested);
        rows.unshift(label, ...first.map(suggestionRow));
      }
      list.replaceChildren(...rows);
    };
    let typing = 0;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(show, 150);
    });
    show();
  });
}
