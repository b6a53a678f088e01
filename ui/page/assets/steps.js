// Three steps for whoever begins with an empty library. They are shown until they have been taken or
// put away, and never again.

import { byId } from "./api.js";
import { gettext } from "./texts.js";

const KEPT = "pilcrow-steps"; // the step that is shown, from 0; "done" for ever after
const STEPS = [
  gettext("Add documents, or try it with the sample articles."),
  gettext("Ask one of the questions above, or one of your own."),
  gettext("Click a number: the sentence that it stands for is shown in its paragraph."),
];

/** Called where the library turns out to be empty: whoever has never seen the steps sees them. */
export function begin() {
  if (localStorage.getItem(KEPT) === null) localStorage.setItem(KEPT, "0");
}

/** The last step has been taken, or they are not wanted. */
export function end() {
  if (localStorage.getItem(KEPT) !== null) localStorage.setItem(KEPT, "done");
  byId("steps")?.remove();
}

/**
 * Shows the step that comes next.
 * @param {boolean | null} empty whether the library is; null where it is not known yet
 */
export function show(empty) {
  const kept = localStorage.getItem(KEPT);
  if (kept === null || kept === "done" || empty === null) return;
  const asked = document.querySelector("#conversation .turn .cite");
  const step = empty ? 0 : asked || kept === "2" ? 2 : 1;
  localStorage.setItem(KEPT, String(step));
  const line = byId("steps") ?? drawn();
  const words = line.querySelector("span");
  const text = gettext("{n} of {all}: {words}", { n: step + 1, all: STEPS.length, words: STEPS[step] });
  if (words.textContent !== text) words.textContent = text;
}

function drawn() {
  const line = Object.assign(document.createElement("p"), { id: "steps" });
  const words = document.createElement("span");
  words.setAttribute("role", "status");
  const away = Object.assign(document.createElement("button"), {
    type: "button", className: "inline", textContent: gettext("Do not show this again"),
  });
  away.dataset.action = "end-steps";
  line.append(words, away);
  byId("scope").before(line);
  return line;
}
