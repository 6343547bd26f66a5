// The requests of the buttons, and their answers.

import { api, clearWarnings, data, sections, texts, touched, warn } from "./dom.js";

// "29", "29.5" and "29,50 €" are amounts; anything else is shown as it was typed.
export function amount(text) {
  const plain = text.replace(/[\s\u00a0\u202f€]/g, "").replace(",", ".");
  return /^\d+(\.\d{1,2})?$/.test(plain) ? Number(plain) : null;
}

export function buttons(chosen) {
  const saved = data.item;

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
      assigned_photos: chosen.photos.map((photo) => ({ id: photo.id, orientation: photo.orientation || 0 })),
      item_attributes: entries.filter((one) => one.ids.length),
      measurement_length: saved ? saved.measurementLength : null,
      measurement_width: saved ? saved.measurementWidth : null,
      manufacturer: null,
      manufacturer_labelling: null,
      video_game_rating_id: null,
      ai_photo: false,
    };
  }
  const root = (name) => ({ [name]: body(), feedback_id: null, push_up: chosen.bump, parcel: null, upload_session_id: data.uploadSessionId });

  // Returns the warnings that stop the form without a request: for missing choices that a publication needs, and those
  // of a rehearsal.
  function refusals(name) {
    const found = name === "delete-draft" ? [] : [...(self.practiceRefusals || [])];
    if (name !== "save") return found;
    const asks = (field, value) => found.push({ field, value });
    if (!chosen.category) asks("category", texts.leaf);
    if (sections.has("brand") && !chosen.brand) asks("brand", texts.choose_brand);
    if (sections.has("color") && !chosen.color.length) asks("color", texts.choose_color);
    return found;
  }

  function onClick(name, send) {
    const button = practice.ref(name);
    if (!button) return;
    button.addEventListener("click", async (event) => {
      clearWarnings();
      if (touched("submit")) return;
      const refused = refusals(name);
      for (const { field, value } of refused) warn(field, value);
      if (refused.length) return;
      const more = { "X-Upload-Form": "true", "X-Enable-Multiple-Size-Groups": "true", "X-Practice-Trusted": String(event.isTrusted) };
      try {
        if (self.practiceSendLateMs) await new Promise((done) => setTimeout(done, self.practiceSendLateMs));
        location.href = await send(more);
      } catch (error) {
        const errors = (error.answer && error.answer.errors) || [];
        for (const { field, value } of errors) warn(field, value);
        if (!errors.length) warn("form", texts.something_wrong);
      }
    });
  }

  const home = `/member/${data.memberId}`;
  onClick("save-draft", async (more) => {
    if (saved) await practice.call("PUT", `${api}/drafts/${saved.id}`, root("draft"), more);
    else await practice.call("POST", `${api}/drafts`, root("draft"), more);
    return home;
  });
  onClick("save", async (more) => {
    if (saved && !saved.isDraft) {
      await practice.call("PUT", `${api}/items/${saved.id}`, root("item"), more);
      return `/items/${saved.id}`;
    }
    const { item } = saved
      ? await practice.call("POST", `${api}/drafts/${saved.id}/completion`, root("draft"), more)
      : await practice.call("POST", `${api}/items`, root("item"), more);
    return data.pages.lands_on === "item" ? `/items/${item.id}` : `${home}?promo_shown=true`;
  });
  onClick("delete-draft", async (more) => {
    await practice.call("DELETE", `${api}/drafts/${saved.id}`, undefined, more);
    return home;
  });
}
