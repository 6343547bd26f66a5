// The fields of the chosen category, and the parcel.

import { brandField } from "./brand.js";
import { api, close, data, dropdown, generation, loader, make, note, row, sections, texts, touched } from "./dom.js";

const titles = (list) => list.map((one) => one.title).join(", ");

export function attributeFields(chosen) {
  const attributes = practice.ref("attributes");
  const parcel = practice.ref("parcel");

  function select(name, value) {
    const { id, base, tested } = generation[name];
    const input = make("input", { type: "text", id, name: id, "data-testid": tested ? `${base}-input` : null, readonly: true,
      placeholder: texts[`${name}_hint`] });
    input.value = value;
    const section = make("section", { class: "field", "data-field": name }, make("label", { for: id }, texts[name]), input,
      data.pages.choice_notes ? note(texts[`${name}_hint`]) : null);
    sections.set(name, section);
    attributes.append(section);
    return input;
  }

  function sizeField(configuration) {
    const input = select("size", chosen.size ? chosen.size.title : "");
    const option = (group, size) => {
      const id = `size-group-${group.id}-grid-option-${size.id}`;
      const isChosen = Boolean(chosen.size && chosen.size.id === size.id);
      const onclick = () => {
        chosen.size = size;
        input.value = size.title;
        close();
        touched("size");
      };
      if (generation.piles) {
        return row({ id, "data-testid": id, onclick }, make("span", null, size.title), make("input", { type: "radio", checked: isChosen }));
      }
      return make("button", { type: "button", class: "chip", id, "data-testid": id, role: "radio", onclick,
        "aria-checked": String(isChosen) }, size.title);
    };
    dropdown(input, sections.get("size"), generation.size.base, (content) => {
      for (const group of configuration.options) {
        const options = group.options.map((size) => option(group, size));
        content.append(make("p", { class: "caption" }, group.title),
          generation.piles ? make("ul", null, ...options) : make("div", { class: "chips" }, ...options));
      }
    });
  }

  function conditionField(options) {
    const input = select("condition", chosen.condition ? chosen.condition.title : "");
    dropdown(input, sections.get("condition"), generation.condition.base, (content) => {
      content.append(make("ul", null, ...options.map((one) => row({
        id: `condition-${one.id}`, "data-testid": `condition-${one.id}`,
        onclick: () => {
          chosen.condition = one;
          input.value = one.title;
          close();
          touched("condition");
        },
      }, make("span", { "data-testid": `condition-${one.id}--title` }, one.title),
      make("input", { type: "radio", id: `condition-radio-${one.id}`,
        "data-testid": `condition-radio-${one.id}`, checked: Boolean(chosen.condition && chosen.condition.id === one.id) })))));
    });
  }

  // A field with several choices, up to a limit. The list stays open until a click outside. The boxes of colours have
  // ids, but no test ids. A suggested choice is in the list twice, each time with a separate box.
  function multiField(name, step, options, limit, suggested = []) {
    const input = select(name, titles(chosen[name]));
    dropdown(input, sections.get(name), generation[name].base, (content) => {
      const boxes = [];
      const entry = (one, named) => {
        const has = () => chosen[name].some((other) => other.id === one.id);
        const boxId = `${named}-checkbox-${one.id}`;
        const box = make("input", { type: "checkbox", id: boxId, "data-testid": name === "color" ? null : boxId,
          checked: has() });
        boxes.push({ id: one.id, box });
        const onclick = (event) => {
          if (has()) chosen[name] = chosen[name].filter((other) => other.id !== one.id);
          else if (chosen[name].length < limit) chosen[name] = [...chosen[name], one];
          input.value = titles(chosen[name]);
          const now = has();
          for (const { id, box: other } of boxes) {
            if (id !== one.id) continue;
            // The browser sets the state of a clicked checkbox after its event, so the correct state is set after that.
            if (event.target === other) setTimeout(() => (other.checked = now));
            else other.checked = now;
          }
          touched(step);
        };
        const id = `${named}-${one.id}`;
        return row({ id, "data-testid": id, onclick }, make("span", null, one.title), box);
      };
      content.append(make("ul", null, ...suggested.map((one) => entry(one, `suggested-${name}`)),
        ...options.map((one) => entry(one, name))));
    });
  }

  function packageField(sizes) {
    const recommended = sizes.find((one) => one.recommended);
    if (data.pages.package_suggestion && recommended && !chosen.packageSizeId) chosen.packageSizeId = recommended.id;
    const radios = [];
    const cells = sizes.map((one) => {
      // Each radio has a different name.
      const id = `package_type_selector_${one.id}`;
      const radio = make("input", { type: "radio", name: id, value: one.id, id,
        "data-testid": `${id}--input`, checked: chosen.packageSizeId === one.id,
        onchange: () => {
          chosen.packageSizeId = one.id;
          for (const other of radios) other.checked = other === radio;
          touched("package_size");
        } });
      radios.push(radio);
      return make("label", { class: "web_ui__Cell__cell", id: `package-size-${one.id}`,
        role: one.recommended ? "presentation" : "button", "data-testid": `${one.id}${generation.package}` },
        make("span", null, make("b", null, one.title), " ", one.description,
          one.recommended ? make("em", { "data-testid": `package-size-suggestion-badge-id-${one.id}` }, ` ${texts.recommended}`) : null),
        radio);
    });
    const section = make("section", { class: "field", "data-field": "package_size", id: "package_size", "data-testid": "package_size" },
      make("p", null, texts.package_size), ...cells);
    sections.set("package_size", section);
    parcel.replaceChildren(section);
  }

  function isbnField() {
    const input = make("input", { type: "text", id: "isbn", name: "isbn", "data-testid": "isbn--input", autocomplete: "off" });
    input.value = chosen.isbn;
    input.addEventListener("input", () => (chosen.isbn = input.value));
    const section = make("section", { class: "field", "data-field": "isbn" }, make("label", { for: "isbn" }, texts.isbn), input);
    sections.set("isbn", section);
    attributes.append(section);
  }

  // Clears the choices for fields that the new category does not have.
  function forget(codes) {
    for (const name of ["brand", "size", "condition"]) if (!codes.includes(name)) chosen[name] = null;
    for (const name of ["color", "material"]) if (!codes.includes(name)) chosen[name] = [];
    for (const name of ["brand", "size", "condition", "color", "material", "isbn", "package_size"]) sections.delete(name);
  }

  let shown = 0;
  return async function show() {
    if (!chosen.category) return;
    const mine = ++shown;
    close();
    attributes.replaceChildren(loader("category-attributes"));
    parcel.replaceChildren();
    const id = chosen.category.id;
    const [asked, colors, packages] = await Promise.all([
      practice.call("POST", `${api}/attributes`, { attributes: [{ code: "category", value: [id] }] }),
      practice.call("GET", `${api}/colors`),
      practice.call("GET", `/api/v2/catalogs/${id}/package_sizes`),
    ]);
    if (mine !== shown) return;
    attributes.replaceChildren();
    forget(asked.attributes.map((attribute) => attribute.code));
    const options = (configuration) => configuration.options.flatMap((group) => group.options);
    const keep = (name, known) => {
      if (chosen[name] && !known.some((one) => one.id === chosen[name].id)) chosen[name] = null;
    };
    for (const { code, configuration } of asked.attributes) {
      if (code === "brand") brandField(chosen, select("brand", chosen.brand ? chosen.brand.title : ""));
      else if (code === "size") keep("size", options(configuration)), sizeField(configuration);
      else if (code === "condition") keep("condition", options(configuration)), conditionField(options(configuration));
      else if (code === "color") {
        const suggested = data.pages.color_suggestions ? colors.colors.slice(0, 2) : [];
        multiField("color", "colors", colors.colors, 2, suggested);
      }
      else if (code === "material") multiField("material", "materials", options(configuration), configuration.selection_limit);
      else if (code === "isbn") isbnField();
    }
    packageField(packages.package_sizes);
  };
}
