// The conversation: what goes along with a question, where it may look, what one can do with an
// answer, and how finished turns stay on screen without being sent again.

import { ask, askOneOf, byId, debounce, field, slot, toast } from "./api.js";
import { closeReader, followLatest, printAll, pullSheet, showTurn } from "./sources.js";
import { gettext, plural } from "./texts.js";

export const box = () =>
  /** @type {HTMLTextAreaElement | null} */ (document.querySelector("#question textarea"));
/** The turn that is being answered, asked on this page or before it was reloaded. */
export const running = () => document.querySelector("#conversation .turn[data-running]");
/** @param {HTMLElement} node */
const turnOf = (node) => node.closest(".turn");
const lastTurn = () => [...document.querySelectorAll("#past .turn, #current .turn")].at(-1);

// --- asking --------------------------------------------------------------------------------------

/** @typedef {{ question?: string, again?: string, replaces?: string, option?: number }} Wanted */

/** @type {Wanted} */
let pending = {}; // what the next question is, when it does not come from the box
let editing = ""; // the key of the turn whose question is being edited
/** @type {{ turn: HTMLElement, section?: HTMLElement } | null} */
let finishedTurn = null; // with its sources, while the next one is on its way

/** @param {HTMLElement} node */
const copyOf = (node) => /** @type {HTMLElement} */ (node.cloneNode(true));

let leaving = ""; // the question that was in the box, until the page shows it

/**
 * Called by Gradio the moment a question leaves; the answer to it will take #current's place.
 * @param {string} question
 */
function askRequest(question) {
  if (!hasPending()) {
    leaving = question;
    const written = box().value; // what came after the question is the next one
    write(written.startsWith(question) ? written.slice(question.length) : written);
  }
  const turn = document.querySelector("#current .turn:not([data-running])");
  const section = document.querySelector("#current-sources .turn-sources");
  finishedTurn = turn && { turn: copyOf(turn), section: section && copyOf(section) };
  const dates = { since: field("since").value, until: field("until").value };
  const sent = {
    conversation: currentConversation(), replaces: editing, ...dates,
    documents: [...chosen.keys()], ...limits(), ...pending,
  };
  pending = {};
  edit(null);
  return JSON.stringify(sent);
}

window.pilcrow = { askRequest };

export const hasPending = () => Boolean(pending.question || pending.again);

/** @param {Wanted} what */
function send(what) {
  if (running()) {
    if (what.question) queueUp(what.question);
    return;
  }
  pending = what;
  byId("ask").click();
}

// --- questions that wait for the answer under way ------------------------------------------------

/** @type {string[]} */
let queue = [];

/**
 * Keeps a question until its turn has come; it stands above the box and can be taken back.
 * @param {string} question
 */
export function queueUp(question) {
  queue.push(question);
  drawChips();
}

/** Asks what was queued first, once nothing is being answered. */
export function askNext() {
  if (!queue.length || running() || document.body.classList.contains("lost")) return;
  const question = queue.shift();
  drawChips();
  send({ question, replaces: "" });
}

/** @param {number} index */
function takeBack(index) {
  const [question] = queue.splice(index, 1);
  if (!box().value.trim()) write(question);
}

/** The question that was on its way is shown: nothing has to be given back. */
export function arrived() {
  if (running()) leaving = "";
}

/** A question that never arrived is in the box again. */
export function giveBack() {
  if (leaving && !box().value) write(leaving);
}

/** Ends the answer under way. */
export function stop() {
  const turn = running();
  if (turn?.closest("#current")) byId("stop").click();
  else if (turn) void ask("stop", { key: turn.dataset.key });
}

// What was being written outlives the page, for a reload, planned or not.
const KEPT = "pilcrow-draft";

window.addEventListener("pagehide", () => {
  const kept = { text: box()?.value || leaving, queue, conversation: currentConversation() };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
});

export function restoreDraft() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  if (!kept) return;
  if (kept.text && !box().value) write(kept.text);
  if (kept.queue.length && kept.conversation === currentConversation()) {
    queue = kept.queue;
    drawChips();
  }
}

/**
 * Puts a text in the box, as if it had been typed.
 * @param {string} text
 */
export function write(text) {
  const input = box();
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
}

/** @param {HTMLElement} turn */
function edit(turn) {
  editing = turn?.dataset.key ?? "";
  drawChips();
}

// --- which conversation --------------------------------------------------------------------------

export const currentConversation = () => /^#c=([0-9a-f]{32})$/.exec(location.hash)?.[1] ?? "";

/** @param {string} id */
export function enter(id) {
  const address = location.pathname + location.search + (id ? `#c=${id}` : "");
  if (currentConversation() !== id) history.replaceState(null, "", address);
}

/** Empties the screen; what is kept stays kept. */
export function clear() {
  finishedTurn = null;
  queue = [];
  for (const name of ["past", "past-sources"]) slot(name).replaceChildren();
  edit(null);
  followLatest();
  closeReader();
}

/** @param {string} id */
export async function openConversation(id) {
  const reply = await ask("open", { id });
  if (!reply) {
    enter("");
    return;
  }
  finishedTurn = null;
  followLatest();
  closeReader();
  enter(id);
  document.body.classList.remove("left-open");
  showTurn();
  void showLast(lastTurn()).then(watchEarlier);
  void suggestMore(lastTurn());
  void pollRunningTurn(id);
}

const above = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) void earlier(/** @type {HTMLButtonElement} */ (target));
});

/** Lets the turns before those that are drawn come when they are scrolled to. */
function watchEarlier() {
  above.disconnect();
  const button = document.querySelector("#past .earlier");
  if (button) above.observe(button);
}

/**
 * Puts the turns before in the place of the button that stands for them; the view stays.
 * @param {HTMLButtonElement} button
 */
async function earlier(button) {
  if (button.disabled) return;
  button.disabled = true;
  const id = currentConversation();
  const reply = await ask("earlier", { id, before: Number(button.dataset.before) });
  if (!reply || !button.isConnected || id !== currentConversation()) {
    button.disabled = false;
    return;
  }
  const next = /** @type {HTMLElement} */ (button.nextElementSibling);
  const pane = byId("conversation");
  const below = next.getBoundingClientRect().top;
  button.outerHTML = reply.html;
  for (let frame = 0; frame < 4; frame++) { // the heights above are guessed until they are laid out
    pane.scrollTop += next.getBoundingClientRect().top - below;
    await new Promise(requestAnimationFrame);
  }
  watchEarlier();
}

/** All turns, also those before: for paper. */
async function wholeConversation() {
  for (let button = null; (button = document.querySelector("#past .earlier"));) {
    await earlier(/** @type {HTMLButtonElement} */ (button));
    if (button.isConnected) return;
  }
}

/**
 * Brings a turn to the top, again as turns above it, guessed in height, are laid out.
 * @param {HTMLElement} turn
 */
async function showLast(turn) {
  for (let frame = 0; turn?.isConnected && frame < 8; frame++) {
    turn.scrollIntoView({ block: "start" });
    await new Promise(requestAnimationFrame);
  }
}

// A reloaded page finds its last question still being answered: it looks on, and so keeps it going.
/** @param {string} id */
async function pollRunningTurn(id, before = "") {
  const turn = document.querySelector("#past .turn[data-running]");
  if (!turn || currentConversation() !== id || document.querySelector("#current .turn")) return;
  const { key, turn: number } = turn.dataset;
  const reply = await ask("turn", { key, number: Number(number), conversation: id });
  if (!turn.isConnected) return;
  const seen = reply?.html.replace(CLOCK, "");
  if (reply && seen !== before) {
    turn.outerHTML = reply.html;
    document.querySelector(`#past-sources .turn-sources[data-key="${key}"]`)?.remove();
    slot("past-sources").insertAdjacentHTML("beforeend", reply.sources);
    showTurn();
  }
  if (!reply || reply.running) window.setTimeout(() => pollRunningTurn(id, seen), 400);
  else void suggestMore(lastTurn());
}

const CLOCK = /<span class="clock".*?<\/span>/;

// --- following what the server draws ---------------------------------------------------------------

let settledKey = "";
let finishedKey = "";

/** Called whenever #current has changed: moves the turn before it to the past. */
export function settle() {
  const turn = document.querySelector("#current .turn");
  const key = turn?.dataset.key ?? "";
  if (key === settledKey) return;
  settledKey = key;
  if (!key) return;
  const { replaces } = turn.dataset;
  if (finishedTurn && finishedTurn.turn.dataset.key !== replaces) {
    slot("past").append(finishedTurn.turn);
    if (finishedTurn.section) slot("past-sources").append(finishedTurn.section);
  }
  finishedTurn = null;
  if (replaces) {
    for (const node of document.querySelectorAll(`[data-slot] > [data-key="${replaces}"]`)) {
      node.remove();
    }
  }
  enter(turn.dataset.conversation);
  followLatest();
  closeReader();
  pullSheet(false);
  requestAnimationFrame(() => turn.scrollIntoView({ block: "start" }));
}

/** True once for every answer that has come to its end. */
export function hasFinished() {
  const turn = document.querySelector("#current .turn:not([data-running])");
  if (!turn || turn.dataset.key === finishedKey) return false;
  finishedKey = turn.dataset.key;
  void suggestMore(turn);
  return true;
}

/** @param {HTMLElement} turn */
async function suggestMore(turn) {
  const place = turn?.querySelector(".follow-ups");
  if (!place) return;
  const reply = await ask("follow", { key: turn.dataset.key, conversation: currentConversation() });
  if (reply?.html) place.innerHTML = reply.html;
}

// --- what can be done with an answer ---------------------------------------------------------------

/** @param {HTMLElement} button */
async function rate(button) {
  const turn = turnOf(button);
  const reply = await ask("rate", { key: turn.dataset.key, way: button.dataset.way });
  if (!reply) return;
  for (const thumb of turn.querySelectorAll('[data-action="rate"]')) {
    thumb.setAttribute("aria-pressed", String(thumb.dataset.way === reply.verdict));
  }
  if (reply.verdict === "down") toast(reply.toast.text, gettext("Say why"), () => sayWhy(turn));
  else toast(reply.toast.text);
}

/**
 * Notes why an answer was found wrong.
 * @param {HTMLElement} turn
 */
async function sayWhy(turn) {
  const why = await askOneOf(gettext("What is wrong with the answer?"), [
    ["false", gettext("It is not true")], ["beside", gettext("It is not what was asked")],
    ["incomplete", gettext("Something is missing")],
  ], "");
  const reply = why && await ask("rate", { key: turn.dataset.key, way: "down", why });
  if (reply) toast(reply.toast.text);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const reply = await ask("copy", { key: turnOf(button).dataset.key });
  if (!reply) return;
  const done = await toClipboard(reply.text, reply.html);
  toast(done ? gettext("Copied with its citations.") : gettext("This browser does not let the page copy."));
}

/**
 * Puts a text in the clipboard, as Markdown and as text that has a form: who pastes it, chooses.
 * @param {string} text
 * @param {string} html
 */
async function toClipboard(text, html) {
  try {
    const kinds = { "text/plain": text, "text/html": html };
    const item = Object.entries(kinds).map(([type, said]) => [type, new Blob([said], { type })]);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(item))]);
    return true;
  } catch {
    // over plain HTTP from another computer there is no clipboard but this
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** @param {HTMLElement} button */
async function save(button) {
  const { kind } = button.dataset;
  button.closest("details")?.querySelector("summary").focus();
  const reply = await ask("export", { key: turnOf(button).dataset.key, kind });
  button.closest("details").removeAttribute("open");
  if (!reply) return;
  const [name, type, content] = reply.file;
  const [plain, coded] = type.split(";");
  const data = coded ? Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0)) : content;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], { type: plain }));
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  const checked = ["html", "word", "markdown", "json"].includes(kind);
  const command = `pilcrow verify ${name}`;
  const check = checked ? gettext("Check it any time: {command}", { command }) : "";
  toast([gettext("{name} saved.", { name }), check].join(" ").trim());
}

/** @param {HTMLElement} button */
function print(button) {
  button.closest("details").removeAttribute("open");
  void wholeConversation().then(() => printAll(turnOf(button).dataset.conversation));
}

/**
 * Fills a fold the first time it is opened.
 * @param {HTMLDetailsElement} fold
 */
export async function explain(fold) {
  const body = fold.querySelector(".why-body");
  if (!fold.open || body.childElementCount) return;
  const reply = await ask("why", { key: turnOf(fold).dataset.key });
  if (reply) body.innerHTML = reply.html;
}

/** @param {HTMLElement} button */
function again(button) {
  const { key } = turnOf(button).dataset;
  send({ again: key, replaces: key });
}

/**
 * One of the options that a question was asked back with is meant.
 * @param {HTMLElement} button
 */
function mean(button) {
  const { key } = turnOf(button).dataset;
  send({ again: key, replaces: key, option: Number(button.dataset.option) });
}

/** @param {HTMLElement} button */
function editQuestion(button) {
  const turn = turnOf(button);
  write(turn.querySelector(".question").textContent);
  edit(turn === lastTurn() ? turn : null);
}

/** @param {HTMLElement} button */
function widen(button) {
  const turn = turnOf(button);
  chosen.clear();
  filters.clear();
  anyDate();
  send({ question: turn.querySelector(".question").textContent, replaces: turn.dataset.key });
}

// --- where a question may look ---------------------------------------------------------------------

const MANY = 8; // documents from which on one chip stands for all of them
const chosen = new Map(); // document id → name
const filters = new Map(); // facet and value → [facet, value, words]: tags, authors, sources …

/**
 * @param {string} id
 * @param {string} name
 */
export function choose(id, name) {
  chosen.set(id, name);
  drawChips();
  box().focus();
}

/**
 * Asks these documents only.
 * @param {Iterable<[string, string]>} documents ids and names
 */
export function chooseOnly(documents) {
  chosen.clear();
  for (const [id, name] of documents) chosen.set(id, name);
  drawChips();
  box().focus();
}

/**
 * @param {string} facet
 * @param {string} value
 * @param {string} words
 */
export function limit(facet, value, words) {
  filters.set(`${facet}\n${value}`, [facet, value, words]);
  drawChips();
}

/**
 * Limits to this one value of a facet; to none when it is empty.
 * @param {string} facet
 * @param {string} value
 * @param {string} words
 */
export function limitOnly(facet, value, words) {
  for (const [key, [of]] of filters) if (of === facet) filters.delete(key);
  if (value) limit(facet, value, words);
  else drawChips();
}

/** The chosen values by facet, as they go along with a question. */
function limits() {
  /** @type {Record<string, string[]>} */
  const sent = {};
  for (const [facet, value] of filters.values()) (sent[facet] ??= []).push(value);
  return sent;
}

/**
 * A choice in the menu becomes a chip, and the menu offers the next one.
 * @param {HTMLSelectElement} select
 */
export function chooseFacet(select) {
  const option = select.selectedOptions[0];
  if (option.value) limit(select.dataset.facet, option.value, option.dataset.words);
  select.value = "";
}

/**
 * Asks what there is to choose from, each time the menu opens: the library may have changed.
 * @param {HTMLDetailsElement} menu
 */
export function fillMenu(menu) {
  if (menu.open) void ask("facets");
}

function anyDate() {
  field("since").value = field("until").value = "";
  drawChips();
}

export function drawChips() {
  const row = document.querySelector("#scope .chips");
  const chips = chosen.size > MANY
    ? [chip(plural(chosen.size, "document"), () => chosen.clear())]
    : [...chosen].map(([id, name]) => chip(name, () => chosen.delete(id)));
  for (const [key, [, , words]] of filters) chips.push(chip(words, () => filters.delete(key)));
  const [since, until] = [field("since").value, field("until").value];
  if (since || until) chips.push(chip(`${since || "…"} – ${until || "…"}`, anyDate));
  queue.forEach((question, index) => {
    chips.push(chip(gettext("Next: {question}", { question }), () => takeBack(index)));
  });
  if (editing) chips.push(chip(gettext("Editing: the new answer takes the old one’s place"), () => edit(null)));
  row.replaceChildren(...chips);
}

/**
 * @param {string} words
 * @param {() => void} remove
 */
function chip(words, remove) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const button = document.createElement("button");
  name.textContent = words;
  name.dir = "auto";
  Object.assign(button, { type: "button", textContent: "×" });
  button.setAttribute("aria-label", gettext("Remove: {words}", { words }));
  button.addEventListener("click", () => {
    remove();
    drawChips();
    box().focus();
  });
  item.append(name, button);
  return item;
}

// `@` in the box: the documents whose names hold the words after it
const AT = /(?:^|\s)@([^@\n]{0,40})$/;
const choices = () => byId("choices");

export const offering = () => !choices().hidden;

const wordsTyped = () => AT.exec(box().value.slice(0, box().selectionStart))?.[1];
/** @type {string | undefined} */
let wordsOffered; // what the choices are for: whoever types fast is ahead of them

export const offer = debounce(drawChoices);

async function drawChoices() {
  const input = box();
  const words = wordsTyped();
  if (words === undefined) return hideChoices();
  const reply = await ask("names", { words });
  if (wordsTyped() !== words) return;
  wordsOffered = words;
  const documents = reply?.names ?? [];
  choices().replaceChildren(...documents.map((/** @type {string[]} */ [id, name, path], /** @type {number} */ i) => {
    const item = document.createElement("li");
    item.id = `choice-${i}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(i === 0));
    item.dataset.action = "choose";
    Object.assign(item.dataset, { id, name });
    item.textContent = name;
    item.dir = "auto";
    if (path) item.append(Object.assign(document.createElement("small"), { textContent: path }));
    return item;
  }));
  for (const [facet, value, said] of reply?.facets ?? []) {
    const item = document.createElement("li");
    item.id = `choice-${choices().childElementCount}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(!choices().childElementCount));
    item.dataset.action = "choose";
    Object.assign(item.dataset, { facet, value });
    item.textContent = said;
    item.dir = "auto";
    choices().append(item);
  }
  const offered = choices().childElementCount;
  if (reply?.more) {
    const rest = document.createElement("li");
    rest.className = "rest";
    rest.setAttribute("role", "presentation");
    rest.textContent = gettext("and {n} more: write on to narrow them down", { n: reply.more });
    choices().append(rest);
  }
  choices().hidden = offered === 0;
  input.setAttribute("aria-controls", "choices");
  input.setAttribute("aria-activedescendant", offered ? "choice-0" : "");
}

export function hideChoices() {
  choices().hidden = true;
  box()?.removeAttribute("aria-activedescendant");
}

/**
 * Up, down, Enter or Tab while documents are offered; false when the key means something else.
 * @param {string} key
 */
export function handleListKey(key) {
  const items = [...choices().querySelectorAll('[role="option"]')];
  const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (key === "Enter" || key === "Tab") {
    if (wordsTyped() === wordsOffered) take(items[at]);
    else void drawChoices().then(() => offering() && handleListKey(key));
  } else if (key === "ArrowDown" || key === "ArrowUp") {
    const next = (at + (key === "ArrowDown" ? 1 : items.length - 1)) % items.length;
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === next)));
    items[next].scrollIntoView({ block: "nearest" });
    box().setAttribute("aria-activedescendant", items[next].id);
  } else return false;
  return true;
}

/** @param {HTMLElement} item */
function take(item) {
  const input = box();
  const before = input.value.slice(0, input.selectionStart).replace(AT, "");
  const rest = input.value.slice(input.selectionStart);
  hideChoices();
  write((before + rest).replace(/^\s+/, ""));
  if (item.dataset.facet) limit(item.dataset.facet, item.dataset.value, item.textContent);
  else choose(item.dataset.id, item.dataset.name);
}

/** @param {HTMLElement} button */
function unfold(button) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  button.textContent = open ? gettext("Less of the question") : gettext("The whole question");
}

/** @param {HTMLElement} button */
function showAll(button) {
  button.previousElementSibling.classList.add("whole");
  button.remove();
}

export const actions = {
  again, mean, earlier, unfold, all: showAll, rate, copy, print, widen, edit: editQuestion, export: save, choose: take,
  "any-date": anyDate,
  /** @param {HTMLElement} button */
  ask: (button) => send({ question: button.textContent }),
};
