// Asking the server for small things, putting its HTML in place, and saying what happened.
// The HTML comes from our own server, where every text in it has been escaped.

import { gettext } from "./texts.js";

/** @param {string} id */
export const byId = (id) => document.getElementById(id);
/**
 * A control that holds a value.
 * @param {string} id
 */
export const field = (id) => /** @type {HTMLInputElement} */ (byId(id));
/**
 * Where an event happened.
 * @param {Event} event
 */
export const placeOf = (event) => /** @type {HTMLElement} */ (event.target);
/** @param {string} name */
export const slot = (name) => document.querySelector(`[data-slot="${name}"]`);

// These change nothing, so one that was lost may be asked for again; a change might be made twice.
const READ_ONLY = new Set([
  "library", "more-documents", "conversations", "open", "earlier", "turn", "sources", "all-sources", "read", "read-on", "page", "why", "copy", "export",
  "suggest", "follow", "names", "facets", "folders", "taken", "in-text", "all", "find", "overview", "topic",
  "machine", "machine-progress",
]);

/**
 * One request of the page; null when it was lost: Gradio logs why and gives nothing.
 * @param {object} request
 */
async function call(request) {
  try {
    return (await window.pilcrowApi.ask(request)) ?? null;
  } catch {
    return null;
  }
}

/**
 * Asks the server; a problem is shown, and null is what comes back.
 * @param {string} name
 * @param {Record<string, unknown>} [more]
 */
export async function ask(name, more = {}) {
  const request = { ...more, name };
  const reply = (await call(request)) ?? (READ_ONLY.has(name) ? await call(request) : null);
  if (!reply) {
    if (await hasEnded()) location.reload();
    else if (await isThere()) toast(gettext("Pilcrow does not answer. Is it still running?"));
    else lose();
    return null;
  }
  if (reply.problem) {
    // the terminal says the same after a colon
    toast(reply.problem.charAt(0).toUpperCase() + reply.problem.slice(1));
    return null;
  }
  for (const [place, html] of Object.entries(reply.slots ?? {})) {
    const node = slot(place);
    if (node) node.innerHTML = html;
  }
  return reply;
}

// --- a server that has gone ----------------------------------------------------------------------

/** Whether the server answers at all. */
async function isThere() {
  try {
    return (await fetch("theme.css", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Whether there are accounts and this one's session has ended: then the page is its login form. */
async function hasEnded() {
  if (!document.body.dataset.role) return false;
  try {
    return (await fetch("gradio_api/queue/data", { method: "HEAD" })).status === 401;
  } catch {
    return false;
  }
}

/** Says once that the server has gone; when it is back the page loads anew, with what was written. */
function lose() {
  if (document.body.classList.contains("lost")) return;
  document.body.classList.add("lost");
  document.dispatchEvent(new Event("pilcrow-lost"));
  const line = document.createElement("p");
  line.id = "lost";
  line.textContent = gettext("Pilcrow has stopped or cannot be reached. What you are writing is kept, and the page comes back by itself.");
  line.setAttribute("role", "alert");
  byId("composer").before(line);
  const timer = window.setInterval(async () => {
    if (!(await isThere())) return;
    window.clearInterval(timer);
    location.reload();
  }, 2000);
}

const GRADIO_LOST = "Connection to the server was lost";

/** Gradio says twice that it has lost its server; that is our cue, and its boxes are hidden. */
export function watchServer() {
  new MutationObserver(() => {
    if (document.querySelector(".toast-body.error")?.textContent.includes(GRADIO_LOST)) lose();
  }).observe(document.body, { childList: true, subtree: true });
}

let fading = 0;

/**
 * A line at the bottom of the page, with at most one thing to do about it.
 * @param {string} text
 * @param {(() => unknown) | null} [act]
 */
export function toast(text, label = "", act = null) {
  const node = byId("toast");
  const words = document.createElement("span");
  words.textContent = text;
  words.dir = "auto";
  node.replaceChildren(words);
  if (act) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label });
    button.addEventListener("click", () => {
      node.hidden = true;
      act();
    });
    node.append(button);
  }
  node.hidden = false;
  window.clearTimeout(fading);
  fading = window.setTimeout(() => { node.hidden = true; }, act ? 15000 : 6000);
}

/**
 * `act`, called once nobody has typed for a moment.
 * @param {() => unknown} act
 */
export function debounce(act) {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(act, 150);
  };
}

/**
 * One of some answers to a question that stands above all else: its value.
 * @param {string} words
 * @param {[string, string][]} options values with what is said of them
 * @param {string} otherwise what it is where none is chosen
 * @returns {Promise<string>}
 */
export function askOneOf(words, options, otherwise) {
  const dialog = Object.assign(document.createElement("dialog"), { className: "same-name" });
  const line = Object.assign(document.createElement("p"), { id: "same-name", dir: "auto", textContent: words });
  dialog.setAttribute("aria-labelledby", line.id);
  const row = Object.assign(document.createElement("form"), { method: "dialog" });
  for (const [value, textContent] of options) {
    row.append(Object.assign(document.createElement("button"), { value, textContent, className: "quiet-button" }));
  }
  dialog.append(line, row);
  document.querySelector(".gradio-container").append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue || otherwise);
    });
  });
}
