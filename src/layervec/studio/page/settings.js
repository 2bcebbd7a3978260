// The form of settings: from its fields to what the server expects, and back.

/** Tie rules between the fields of a form: with `as many as are seen` the number means nothing. */
export function rules(form) {
  const { paths, auto } = form.elements;
  const apply = () => { paths.disabled = auto.checked; };
  form.addEventListener("change", apply);
  apply();
}

/** Return the settings that a form holds; colours are a number, a list, or nothing. */
export function chosen(form) {
  const fields = form.elements;
  const colours = fields.colours.value.trim();
  const count = /^[0-9]+$/.test(colours);
  return {
    quality: fields.quality.value,
    paths: fields.auto.checked ? "auto" : fields.paths.valueAsNumber || 256,
    gradients: fields.gradients.value,
    colors: count ? Number(colours) : "any",
    palette: count || colours === "any" ? "" : colours,
    preset: fields.preset.value,
    drop_background: fields.drop_background.checked,
    objects: fields.objects.checked,
  };
}

/** Put settings of an earlier run into the form. */
export function show(form, settings) {
  const fields = form.elements;
  if (!("quality" in settings)) return;
  fields.quality.value = settings.quality;
  fields.auto.checked = settings.paths === "auto";
  if (settings.paths !== "auto") fields.paths.value = settings.paths;
  fields.gradients.value = settings.gradients;
  fields.colours.value = settings.palette || (settings.colors === "any" ? "" : settings.colors);
  fields.preset.value = settings.preset;
  fields.drop_background.checked = settings.drop_background;
  fields.objects.checked = settings.objects;
  form.dispatchEvent(new Event("change"));
}
