// The upload form. The values to send are stored here and not read from the inputs. A read-only input only shows the
// chosen value: a script that writes into it changes nothing.

import { attributeFields } from "./form/attributes.js";
import { categoryField } from "./form/category.js";
import { crash, data, touched } from "./form/dom.js";
import { photoField } from "./form/photos.js";
import { amount, buttons } from "./form/save.js";

const saved = data.item;
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

function textField(name) {
  const input = practice.ref(name);
  input.value = chosen[name];
  const take = () => (chosen[name] = input.value);
  input.addEventListener("input", () => {
    take();
    touched(name);
  });
  input.addEventListener("change", take);
  return input;
}
textField("title");
textField("description");
const price = textField("price");
price.addEventListener("blur", () => {
  const value = amount(price.value);
  if (value !== null) price.value = `${value.toFixed(2).replace(".", ",")}\u00a0€`;
  chosen.price = price.value;
});
const bump = practice.ref("bump");
bump.addEventListener("change", () => (chosen.bump = bump.checked));

const showAttributes = attributeFields(chosen);
const suggestCategory = categoryField(chosen, () => showAttributes().catch(crash));
// The form also works without a suggestion, so an error is ignored.
photoField(chosen, () => suggestCategory().catch(() => {}));
buttons(chosen);
showAttributes().catch(crash);
