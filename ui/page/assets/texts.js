// The page's words in its reader's language: an English text is its own key, as on the server, which
// sends the others along with the page.

/** @type {{ language: string, texts: Record<string, string>, plurals: Record<string, Record<string, string>> }} */
const given = JSON.parse(
  document.getElementById("texts")?.textContent ?? '{"language": "en", "texts": {}, "plurals": {}}',
);

/** The language of this page. */
export const { language } = given;
export const isRightToLeft = document.documentElement.dir === "rtl";

/**
 * An English text in the language of the page, with `values` in its places.
 * @param {string} text
 * @param {Record<string, unknown>} [values]
 */
export function gettext(text, values = {}) {
  const said = given.texts[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}

const forms = new Intl.PluralRules(given.language);

/**
 * `12 documents`.
 * @param {number} count
 * @param {string} noun in English and in the singular
 */
export function plural(count, noun) {
  const known = given.plurals[noun];
  const said = known ? known[forms.select(count)] ?? known.other : `{count} ${noun}${count === 1 ? "" : "s"}`;
  return said.replace("{count}", number(count));
}

/**
 * `1,200`; with places behind the point `1.4`.
 * @param {number} value
 */
export function number(value, places = 0) {
  const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
  return value.toLocaleString(`${given.language}-u-nu-latn`, digits);
}

// The words that the style sheet draws.
for (const [name, words] of [
  ["--drop-here", gettext("Drop articles or choose files")],
  ["--drop-anywhere", gettext("Drop to add to the library")],
]) document.documentElement.style.setProperty(name, JSON.stringify(words));

// --- which language --------------------------------------------------------------------------------

const COOKIE = "pilcrow-language"; // the server reads it with every request

/** What was chosen here; empty for what the browser says. */
export const chosenLanguage = () =>
  new RegExp(`(?:^|; )${COOKIE}=(\\w+)`).exec(document.cookie)?.[1] ?? "";

/**
 * Loads the page anew in another language; empty for the browser's.
 * @param {string} language
 */
export function chooseLanguage(language) {
  const lasts = language ? 365 * 24 * 3600 : 0;
  document.cookie = `${COOKIE}=${language}; path=/; max-age=${lasts}; SameSite=Strict`;
  location.reload();
}
