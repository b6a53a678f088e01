// The small panel about the models and the machine: drawn when it is opened, and while one comes.

import { ask, field, toast } from "./api.js";
import { chosenLanguage } from "./texts.js";

const OPEN = 1000; // milliseconds between two looks while the panel is open, and while it is not
const CLOSED = 4000;

const panel = () => /** @type {HTMLDetailsElement | null} */ (
  document.querySelector("details.machine")
);

let timer = 0;
let fetching = false;

/** Draws the panel; while a model is being fetched it is looked at again and again. */
export const look = () => tell("machine");

/**
 * @param {string} name
 * @param {Record<string, string>} [given]
 */
async function tell(name, given = {}) {
  const reply = await ask(name, given);
  window.clearTimeout(timer);
  if (!reply) {
    if (fetching) timer = window.setTimeout(follow, CLOSED);
    return;
  }
  if (field("language")) field("language").value = chosenLanguage();
  const before = fetching;
  fetching = reply.fetching;
  if (reply.toast) toast(reply.toast.text);
  if (fetching) timer = window.setTimeout(follow, panel()?.open ? OPEN : CLOSED);
  else if (before && name === "machine-progress") {
    toast(reply.ended);
    await look();
  }
}

function follow() {
  if (document.hidden || document.body.classList.contains("lost")) {
    timer = window.setTimeout(follow, CLOSED);
  } else void tell("machine-progress");
}

/**
 * What a button of the panel is about; the panel keeps the focus that the button loses.
 * @param {HTMLElement} button
 */
async function change(button) {
  await tell(button.dataset.action, { model: button.dataset.model ?? "" });
  if (panel()?.open && !panel().contains(document.activeElement)) {
    (panel().querySelector(".menu button") ?? panel().querySelector("summary")).focus();
  }
}

export const actions = {
  "get-model": change, "use-model": change, "stop-model": change, "own-words": change,
  "use-encoder": change, "stop-encoder": change,
};
