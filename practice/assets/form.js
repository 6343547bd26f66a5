// The upload form. What will be sent is kept here, not read from the inputs: an input that is read-only only shows
// what was chosen, and writing into it by script changes nothing.
"use strict";

(() => {
  const { texts, data } = practice;
  const saved = data.item;
  const api = "/api/v2/item_upload";

  const chosen = {
    title: saved ? saved.title : "",
    description: saved ? saved.description : "",
    price: saved && saved.price ? saved.price : "",
    category: saved ? saved.category : null,
    brand: saved && (saved.brand.id || saved.brand.title) ? saved.brand : null,
    size: saved ? saved.size : null,
    condition: saved ? saved.condition : null,
    color: saved ? saved.colors : [],
    material: saved ? saved.materials : [],
    packageSizeId: saved ? saved.packageSizeId : null,
    unisex: saved ? saved.isUnisex : false,
    isbn: saved && saved.isbn ? saved.isbn : "",
    bump: false,
    photos: saved ? saved.photos : [],
  };

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }
  const field = (name) => document.querySelector(`.field[data-field="${name}"]`);

  // Dropdowns: one open at a time; a click outside closes it.
  let open = null;
  function close() {
    if (open) open.content.remove();
    open = null;
  }
  function dropdown(input, testid, fill) {
    input.addEventListener("click", () => {
      const was = open && open.input === input;
      close();
      if (was) return;
      const content = make("div", { class: "dropdown", "data-testid": testid });
      input.closest(".field").append(content);
      open = { input, content };
      fill(content);
    });
  }
  document.addEventListener("click", (event) => {
    if (open && event.target.isConnected && !open.content.contains(event.target) && event.target !== open.input) close();
  });

  // Text fields.
  function textField(id, name) {
    const input = document.getElementById(id);
    input.value = chosen[name];
    const take = () => (chosen[name] = input.value);
    input.addEventListener("input", take);
    input.addEventListener("change", take);
    return input;
  }
  textField("title", "title");
  textField("description", "description");
  const price = textField("price", "price");

  // "29", "29.5" and "29,50 €" are amounts; anything else is shown as it was typed.
  function amount(text) {
    const plain = text.replace(/[\s\u00a0\u202f€]/g, "").replace(",", ".");
    return /^\d+(\.\d{1,2})?$/.test(plain) ? Number(plain) : null;
  }
  price.addEventListener("blur", () => {
    const value = amount(price.value);
    if (value !== null) price.value = `${value.toFixed(2).replace(".", ",")}\u00a0€`;
    chosen.price = price.value;
  });
  document.getElementById("bump").addEventListener("change", (event) => (chosen.bump = event.target.checked));

  // Photos: sent one after the other; each shows only once its upload has finished.
  const grid = document.querySelector('[data-testid="media-upload-grid"]');
  let uploads = Promise.resolve();
  function fileInput() {
    const old = document.querySelector('[data-testid="add-photos-input"]');
    if (old) old.remove();
    const input = make("input", {
      type: "file", name: "photos", "data-testid": "add-photos-input", multiple: true, hidden: true,
      accept: "image/jpeg,image/gif,image/png,image/webp",
    });
    input.addEventListener("change", () => {
      for (const file of input.files) uploads = uploads.then(() => upload(file));
      fileInput();
    });
    document.querySelector('[data-testid="dropzone"]').append(input);
    return input;
  }
  async function upload(file) {
    const form = new FormData();
    form.append("photo[type]", "item");
    form.append("photo[temp_uuid]", data.uploadSessionId);
    form.append("photo[file]", file);
    try {
      chosen.photos.push(await practice.call("POST", "/api/v2/photos", form));
    } catch (error) {
      warn("photos", texts.something_wrong);
    }
    drawPhotos();
  }
  function drawPhotos() {
    grid.replaceChildren(...chosen.photos.map((photo, n) => {
      const remove = () => {
        chosen.photos.splice(n, 1);
        drawPhotos();
      };
      return make("div", { class: "photo", "data-testid": `image-wrapper-${n}`, style: `background-image:url("${photo.url}")` },
        n === 0 ? make("span", { "data-testid": "media-select-main-badge-0" }, "★") : null,
        make("button", { type: "button", "data-testid": `media-select-delete-button-${n}`, onclick: remove }, "✕"));
    }));
  }
  fileInput();
  document.querySelector('[data-testid="add-photos-icon-button"]').addEventListener("click", () => {
    document.querySelector('[data-testid="add-photos-input"]').click();
  });
  drawPhotos();

  // Category: a tree of several steps, or a search over its leaves.
  let tree = null;
  const loadTree = practice.call("GET", `${api}/catalogs`).then((answer) => (tree = answer.catalogs));
  const category = document.getElementById("category");
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
  function catalogRow(one, caption, pick) {
    const inner = one.catalogs.length > 0;
    const isChosen = chosen.category && chosen.category.id === one.id;
    return make("li", {
      id: `catalog-${one.id}`, "data-testid": `catalog-${one.id}`, onclick: pick,
      class: `web_ui__Cell__cell web_ui__Cell__clickable${inner ? " web_ui__Cell__with-chevron" : ""}`,
    }, make("span", null, one.title, caption ? make("small", { class: "caption" }, caption) : null),
    inner ? null : make("input", { type: "radio", "data-testid": `catalog-radio-${one.id}`, checked: Boolean(isChosen) }));
  }
  async function fillCategory(content) {
    content.append(make("p", { class: "loader", "data-testid": "catalog-select-dropdown--loader" }, texts.loading));
    await loadTree;
    const search = make("input", { type: "text", id: "catalog-search-input", "data-testid": "catalog-search-input",
      placeholder: texts.search_category, maxlength: "100", autocomplete: "off" });
    const list = make("ul");
    content.replaceChildren(search, list);
    const pick = (one) => {
      chosen.category = { id: one.id, title: one.title };
      close();
      showCategory();
      showAttributes();
    };
    const step = (trail) => {
      const here = trail.length ? trail[trail.length - 1].catalogs : tree;
      const back = trail.length
        ? [make("li", { class: "web_ui__Cell__cell", "data-testid": "catalog-navigation-back", onclick: () => step(trail.slice(0, -1)) }, `‹ ${texts.back}`)]
        : [];
      list.replaceChildren(...back, ...here.map((one) =>
        catalogRow(one, null, () => (one.catalogs.length ? step([...trail, one]) : pick(one)))));
    };
    search.addEventListener("input", () => {
      const keyword = search.value.trim().toLowerCase();
      if (!keyword) return step([]);
      const found = leaves(tree, []).filter((one) => one.path.join(" ").toLowerCase().includes(keyword));
      list.replaceChildren(...found.map((one) => catalogRow(one, one.path.slice(0, -1).join(" > "), () => pick(one))));
    });
    const trail = chosen.category ? pathTo(tree, chosen.category.id) : null;
    step(trail ? trail.slice(0, -1) : []);
  }
  dropdown(category, "catalog-select-dropdown-content", fillCategory);
  async function showCategory() {
    category.value = chosen.category ? chosen.category.title : "";
    if (!chosen.category) return;
    category.dataset.id = chosen.category.id;
    await loadTree;
    const path = pathTo(tree, chosen.category.id);
    let caption = field("category").querySelector(".caption");
    if (!caption) field("category").append((caption = make("p", { class: "caption" })));
    caption.textContent = path ? path.map((one) => one.title).join(" > ") : "";
  }

  // The fields that the chosen category asks for.
  const attributes = document.getElementById("attributes");
  const parcel = document.getElementById("parcel");
  function select(name, testid, value) {
    const input = make("input", { type: "text", id: name, name, "data-testid": `${testid}-input`, readonly: true,
      placeholder: texts[`${name}_hint`] });
    input.value = value;
    attributes.append(make("section", { class: "field", "data-field": name },
      make("label", { for: name }, texts[name]), input));
    return input;
  }
  const titles = (list) => list.map((one) => one.title).join(", ");

  function brandField() {
    const input = select("brand", "brand-select-dropdown", chosen.brand ? chosen.brand.title : "");
    const pick = (brand) => {
      chosen.brand = brand;
      input.value = brand.title;
      close();
    };
    const row = (brand, id, testid) => make("li", { id, "data-testid": testid, class: "web_ui__Cell__cell", onclick: () => pick(brand) },
      make("span", null, brand.title),
      make("input", { type: "radio", id: `brand-radio-${brand.id}`, "data-testid": `brand-radio-${brand.id}`,
        checked: Boolean(chosen.brand && chosen.brand.id === brand.id) }));
    dropdown(input, "brand-select-dropdown-content", (content) => {
      const search = make("input", { type: "text", id: "brand-search-input", "data-testid": "brand-search--input",
        placeholder: texts.search_brand, maxlength: "100", autocomplete: "off" });
      const list = make("ul");
      content.append(search, list);
      let asked = 0;
      const show = async () => {
        const mine = ++asked;
        const keyword = search.value.trim();
        list.replaceChildren(make("li", { class: "loader", "data-testid": "brand-select-dropdown--loader" }, texts.loading));
        const query = new URLSearchParams({ category_id: chosen.category.id, keyword });
        const { brands } = await practice.call("GET", `${api}/brands?${query}`);
        if (mine !== asked) return;
        const rows = brands.map((brand) => {
          if (brand.id === 1) return row(brand, "empty-brand", "empty-brand");
          const name = keyword ? `brand-${brand.id}` : `suggested-brand-${brand.id}`;
          return row(brand, name, name);
        });
        if (keyword && !brands.some((brand) => brand.title.toLowerCase() === keyword.toLowerCase())) {
          const own = { id: null, title: keyword };
          rows.push(make("li", { id: "custom-select-brand", "data-testid": "custom-select-brand", class: "web_ui__Cell__cell",
            onclick: () => pick(own) }, texts.custom_brand.replace("{}", keyword)));
        }
        if (keyword && !brands.length) rows.unshift(make("li", { class: "caption", "data-testid": "brand_empty_state" }, texts.brand_none));
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

  function sizeField(configuration) {
    const input = select("size", "category-size-single-grid_chips", chosen.size ? chosen.size.title : "");
    dropdown(input, "category-size-single-grid_chips-content", (content) => {
      for (const group of configuration.options) {
        const chips = group.options.map((size) => {
          const id = `size-group-${group.id}-grid-option-${size.id}`;
          const pick = () => {
            chosen.size = size;
            input.value = size.title;
            close();
          };
          return make("button", { type: "button", class: "chip", id, "data-testid": id, role: "radio", onclick: pick,
            "aria-checked": String(Boolean(chosen.size && chosen.size.id === size.id)) }, size.title);
        });
        content.append(make("p", { class: "caption" }, group.title), make("div", { class: "chips" }, ...chips));
      }
    });
  }

  function singleField(name, testid, options) {
    const input = select(name, testid, chosen[name] ? chosen[name].title : "");
    dropdown(input, `${testid}-content`, (content) => {
      content.append(make("ul", null, ...options.map((one) => make("li", {
        id: `${name}-${one.id}`, "data-testid": `${name}-${one.id}`, class: "web_ui__Cell__cell",
        onclick: () => {
          chosen[name] = one;
          input.value = one.title;
          close();
        },
      }, make("span", null, one.title), make("input", { type: "radio", id: `${name}-radio-${one.id}`,
        "data-testid": `${name}-radio-${one.id}`, checked: Boolean(chosen[name] && chosen[name].id === one.id) })))));
    });
  }

  // Several may be chosen, up to a limit; the list stays open until a click outside.
  function multiField(name, testid, options, limit) {
    const input = select(name, testid, titles(chosen[name]));
    dropdown(input, `${testid}-content`, (content) => {
      content.append(make("ul", null, ...options.map((one) => {
        const has = () => chosen[name].some((other) => other.id === one.id);
        const box = make("input", { type: "checkbox", id: `${name}-checkbox-${one.id}`,
          "data-testid": `${name}-checkbox-${one.id}`, checked: has() });
        const toggle = (event) => {
          if (has()) chosen[name] = chosen[name].filter((other) => other.id !== one.id);
          else if (chosen[name].length < limit) chosen[name] = [...chosen[name], one];
          input.value = titles(chosen[name]);
          const now = has();
          // A checkbox that was clicked itself sets its own state once its event is over.
          if (event.target === box) setTimeout(() => (box.checked = now));
          else box.checked = now;
        };
        return make("li", { id: `${name}-${one.id}`, "data-testid": `${name}-${one.id}`, class: "web_ui__Cell__cell", onclick: toggle },
          make("span", null, one.title), box);
      })));
    });
  }

  function packageField(sizes) {
    const cells = sizes.map((one) => {
      const radio = make("input", { type: "radio", name: "package_type", value: one.id, id: `package_type_selector_${one.id}`,
        "data-testid": `package_type_selector_${one.id}--input`, checked: chosen.packageSizeId === one.id,
        onchange: () => (chosen.packageSizeId = one.id) });
      return make("label", { class: "web_ui__Cell__cell", "data-testid": `${one.id}-package-size--cell` },
        make("span", null, make("b", null, one.title), " ", one.description,
          one.recommended ? make("em", { "data-testid": `package-size-suggestion-badge-id-${one.id}` }, ` ${texts.recommended}`) : null),
        radio);
    });
    parcel.replaceChildren(make("section", { class: "field", "data-field": "package_size", id: "package_size", "data-testid": "package_size" },
      make("p", null, texts.package_size), ...cells));
  }

  function isbnField() {
    const input = make("input", { type: "text", id: "isbn", name: "isbn", "data-testid": "isbn--input", autocomplete: "off" });
    input.value = chosen.isbn;
    input.addEventListener("input", () => (chosen.isbn = input.value));
    attributes.append(make("section", { class: "field", "data-field": "isbn" }, make("label", { for: "isbn" }, texts.isbn), input));
  }

  let shown = 0;
  async function showAttributes() {
    if (!chosen.category) return;
    const mine = ++shown;
    attributes.replaceChildren(make("p", { class: "loader", "data-testid": "category-attributes--loader" }, texts.loading));
    parcel.replaceChildren();
    const id = chosen.category.id;
    const [asked, colors, packages] = await Promise.all([
      practice.call("POST", `${api}/attributes`, { attributes: [{ code: "category", value: [id] }] }),
      practice.call("GET", `${api}/colors`),
      practice.call("GET", `/api/v2/catalogs/${id}/package_sizes`),
    ]);
    if (mine !== shown) return;
    attributes.replaceChildren();
    const options = (configuration) => configuration.options.flatMap((group) => group.options);
    const keep = (name, known) => {
      if (chosen[name] && !known.some((one) => one.id === chosen[name].id)) chosen[name] = null;
    };
    const codes = asked.attributes.map((attribute) => attribute.code);
    if (!codes.includes("brand")) chosen.brand = null;
    if (!codes.includes("size")) chosen.size = null;
    if (!codes.includes("condition")) chosen.condition = null;
    if (!codes.includes("color")) chosen.color = [];
    if (!codes.includes("material")) chosen.material = [];
    for (const { code, configuration } of asked.attributes) {
      if (code === "brand") brandField();
      else if (code === "size") keep("size", options(configuration)), sizeField(configuration);
      else if (code === "condition") {
        keep("condition", options(configuration));
        singleField("condition", "category-condition-single-list", options(configuration));
      } else if (code === "color") multiField("color", "color-select-dropdown", colors.colors, 2);
      else if (code === "material") {
        multiField("material", "category-material-multi-list", options(configuration), configuration.selection_limit);
      } else if (code === "isbn") isbnField();
    }
    packageField(packages.package_sizes);
  }
  showCategory();
  showAttributes();

  // Saving.
  function warn(name, text) {
    const place = field(name) || field("form");
    place.append(make("div", { class: "web_ui__Validation__warning", role: "alert" }, text));
  }
  function body() {
    const entries = [
      { code: "size", ids: chosen.size ? [chosen.size.id] : [] },
      { code: "condition", ids: chosen.condition ? [chosen.condition.id] : [] },
      { code: "material", ids: chosen.material.map((one) => one.id) },
    ];
    return {
      id: saved ? saved.id : null,
      currency: data.currency,
      temp_uuid: data.uploadSessionId,
      title: chosen.title,
      description: chosen.description,
      brand_id: chosen.brand ? chosen.brand.id : null,
      brand: chosen.brand ? chosen.brand.title : null,
      catalog_id: chosen.category ? chosen.category.id : null,
      isbn: chosen.isbn || null,
      is_unisex: chosen.unisex,
      price: chosen.price.trim() === "" ? null : (amount(chosen.price) ?? chosen.price),
      package_size_id: chosen.packageSizeId,
      shipment_prices: { domestic: null, international: null },
      color_ids: chosen.color.map((one) => one.id),
      assigned_photos: chosen.photos.map((photo) => ({ id: photo.id, orientation: 0 })),
      item_attributes: entries.filter((one) => one.ids.length),
      measurement_length: null,
      measurement_width: null,
      manufacturer: null,
      manufacturer_labelling: null,
      video_game_rating_id: null,
      ai_photo: false,
    };
  }
  const root = (name) => ({ [name]: body(), feedback_id: null, push_up: chosen.bump, parcel: null, upload_session_id: data.uploadSessionId });

  function onClick(testid, send) {
    const button = document.querySelector(`[data-testid="${testid}"]`);
    if (!button) return;
    button.addEventListener("click", async (event) => {
      for (const alert of document.querySelectorAll(".web_ui__Validation__warning")) alert.remove();
      const more = { "X-Upload-Form": "true", "X-Enable-Multiple-Size-Groups": "true", "X-Practice-Trusted": String(event.isTrusted) };
      try {
        location.href = await send(more);
      } catch (error) {
        const errors = (error.answer && error.answer.errors) || [];
        for (const { field: name, value } of errors) warn(name, value);
        if (!errors.length) warn("form", texts.something_wrong);
      }
    });
  }
  const home = `/member/${data.memberId}`;
  onClick("upload-form-save-draft-button", async (more) => {
    if (saved) await practice.call("PUT", `${api}/drafts/${saved.id}`, root("draft"), more);
    else await practice.call("POST", `${api}/drafts`, root("draft"), more);
    return home;
  });
  onClick("upload-form-save-button", async (more) => {
    if (!saved) await practice.call("POST", `${api}/items`, root("item"), more);
    else if (saved.isDraft) await practice.call("POST", `${api}/drafts/${saved.id}/completion`, root("draft"), more);
    else {
      await practice.call("PUT", `${api}/items/${saved.id}`, root("item"), more);
      return `/items/${saved.id}`;
    }
    return `${home}?promo_shown=true`;
  });
  onClick("upload-form-delete-draft-button", async (more) => {
    await practice.call("DELETE", `${api}/drafts/${saved.id}`, undefined, more);
    return home;
  });
})();
