// The right pane: the sources of a turn, the card a number shows, and the article itself.

import { ask, byId, debounce, field, slot } from "./api.js";
import { gettext } from "./texts.js";

const narrow = window.matchMedia("(max-width: 899px)");
let shownTurn = ""; // "" follows the latest question
/** @type {HTMLElement | null} */
let opener = null; // the marker to which Esc returns from the sources

export const isNarrow = () => narrow.matches;
const motion = () =>
  window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
const sections = () => [...document.querySelectorAll("#sources .turn-sources")];
const latest = () =>
  document.querySelector("#current-sources .turn-sources") ??
  (document.querySelector("#current .turn") ? null : sections().at(-1));

/** Shows the sources of the turn that was asked for, else of the latest. */
export function showTurn() {
  const wanted = shownTurn ? sections().find((s) => s.dataset.turn === shownTurn) : latest();
  for (const section of sections()) section.hidden = section !== wanted;
  for (const line of document.querySelectorAll("#current-sources .pane-empty")) {
    if (!line.closest("section")) line.hidden = Boolean(wanted);
  }
  const count = Number(wanted?.dataset.count ?? 0);
  const bar = byId("sheet-bar");
  const label = count ? `${gettext("Sources")} · ${count}` : gettext("Sources");
  if (bar.textContent !== label) bar.textContent = label;
}

export function followLatest() {
  shownTurn = "";
}

/**
 * Brings a source into view; one of an older turn is fetched first.
 * @param {string} id
 * @param {string} turn
 */
export async function openSource(id, turn) {
  shownTurn = turn;
  if (!sections().some((s) => s.dataset.turn === turn)) {
    const key = byId(`t${turn}`)?.dataset.key;
    const reply = key && (await ask("sources", { key, number: Number(turn) }));
    if (!reply) return;
    slot("past-sources").insertAdjacentHTML("beforeend", reply.html);
  }
  showTurn();
  const target = byId(id);
  if (!target) return;
  document.body.classList.remove("reading", "right-closed");
  const fold = target.closest("details");
  fold?.setAttribute("open", "");
  pullSheet(true);
  for (const other of document.querySelectorAll(".source.current")) {
    other.classList.remove("current", "flash");
  }
  void target.offsetWidth; // restarts the flash when the same source is opened again
  target.classList.add("current", "flash");
  target.scrollIntoView({ block: "start", behavior: motion() });
  target.focus({ preventScroll: true });
}

/**
 * Prints a conversation: every turn, and after them what each of them cites.
 * @param {string} id
 */
export async function printAll(id) {
  const reply = await ask("all-sources", { id });
  if (!reply) return;
  closeReader();
  const all = document.createElement("template");
  all.innerHTML = reply.html;
  const past = slot("past-sources");
  for (const section of all.content.children) {
    const { turn } = /** @type {HTMLElement} */ (section).dataset;
    if (!sections().some((s) => s.dataset.turn === turn)) past.append(section.cloneNode(true));
  }
  const inOrder = [...past.children].sort((a, b) => Number(a.getAttribute("data-turn")) - Number(b.getAttribute("data-turn")));
  past.append(...inOrder);
  showTurn();
  const { title } = document;
  document.title = reply.title || title; // the name of a PDF
  window.addEventListener("afterprint", () => { document.title = title; }, { once: true });
  window.print();
}

/**
 * A number was clicked: its source; clicked again: the article.
 * @param {HTMLElement} cite
 */
export function follow(cite) {
  const id = cite.getAttribute("href").slice(1);
  const there = byId(id);
  opener = cite;
  hideCard();
  const open = there?.classList.contains("current") && !document.body.classList.contains("reading");
  const all = there?.querySelector(".show-all");
  if (open && all && there.offsetParent) void read(all);
  else void openSource(id, cite.dataset.turn);
}

/** @param {string} number */
export function jumpTo(number) {
  const section = sections().find((s) => !s.hidden);
  if (section) void openSource(`t${section.dataset.turn}-s${number}`, section.dataset.turn);
}

/**
 * The whole article, at the place the button stands for.
 * @param {HTMLElement} button
 */
export async function read(button) {
  const { document: id, start, end } = button.dataset;
  const source = button.closest(".source");
  const key = button.closest("[data-key]")?.dataset.key ?? "";
  const at = start === undefined ? null : Number(start);
  const until = end === undefined ? null : Number(end);
  if (!(await ask("read", { document: id, key, start: at, end: until }))) return;
  lookedFor = "";
  if (!source) opener = button;
  document.body.classList.remove("left-open", "right-closed");
  document.body.classList.add("reading");
  pullSheet(true);
  byId("reader").dataset.key = key;
  opened = { document: id, key, start: at, end: until };
  const wanted = source?.dataset.n;
  const place = byId("reader").querySelector(
    wanted ? `mark[data-n="${wanted}"]` : "[data-here]",
  );
  const pane = byId("sources");
  pane.scrollTop = 0;
  // what stands on the first screen is seen there, under the article's title
  const below = place?.getBoundingClientRect().bottom > pane.getBoundingClientRect().bottom - 32;
  if (below) place.scrollIntoView({ block: "center" });
  place?.classList.add("here");
  showStep(Number(byId("reader").querySelector(".place").dataset.count));
  byId("reader").querySelector("button")?.focus({ preventScroll: true });
  showBeside(false);
  watchEnds();
}

/**
 * Puts more paragraphs in the place of the button that stands for them; the view stays where it is.
 * @param {HTMLButtonElement} button
 */
export async function readOn(button) {
  if (button.disabled) return;
  button.disabled = true;
  const { document: id, first, way } = button.dataset;
  const beside = /** @type {HTMLElement | null} */ (button.closest("#beside"));
  const key = (beside ?? byId("reader")).dataset.key ?? "";
  const words = beside ? "" : field("find").value;
  const reply = await ask("read-on", { document: id, key, first: Number(first), way, words });
  if (!reply || !button.isConnected) {
    button.disabled = false;
    return;
  }
  const pane = beside ?? byId("sources");
  const below = pane.scrollHeight - pane.scrollTop;
  button.insertAdjacentHTML("beforebegin", reply.html);
  button.remove();
  if (way === "back") pane.scrollTop = pane.scrollHeight - below;
  watchEnds();
}

/** @type {IntersectionObserver | null} */
let ends = null;

// --- from mark to mark, and to what is looked for --------------------------------------------------

let opened = {}; // the article that is read, and what of it the address names
let lookedFor = ""; // the words that are marked in it

/**
 * The arrows lead somewhere where there is more than one place to go to.
 * @param {number} count
 */
function showStep(count) {
  for (const button of byId("reader").querySelectorAll("[data-action=step]")) {
    button.toggleAttribute("disabled", !(count > (lookedFor ? 0 : 1)));
    const back = button.dataset.way === "back";
    const label = lookedFor
      ? back ? gettext("Previous place") : gettext("Next place")
      : back ? gettext("Previous mark") : gettext("Next mark");
    button.setAttribute("aria-label", label);
    button.title = label;
  }
}

/**
 * Goes to the next or last place of what is looked for, or mark where nothing is.
 * @param {HTMLElement} button
 */
export async function step(button) {
  await go(button.dataset.way);
}

/** @param {string} way */
export async function go(way, anew = false) {
  if (!field("find")) return;
  const words = field("find").value.trim();
  const text = byId("reader").querySelector(".text");
  const here = text.querySelector("mark.here");
  const from = here && !anew ? Number(here.dataset.at) : null;
  const reply = await ask("find", { ...opened, words, from, way });
  if (!reply || words !== field("find")?.value.trim()) return; // the reader may be closed by now
  const none = words ? gettext("Not in this article") : "";
  const { number, count } = reply;
  const at = words ? gettext("{number} of {count}", { number, count }) : gettext("Mark {number} of {count}", { number, count });
  byId("reader").querySelector(".place").textContent = count ? at : none;
  here?.classList.remove("here");
  const there = () => text.querySelector(`mark[data-at="${reply.at}"]`);
  if (words !== lookedFor || !there()) {
    text.innerHTML = reply.html;
    watchEnds();
  }
  lookedFor = words;
  showStep(reply.count);
  there()?.classList.add("here");
  there()?.scrollIntoView({ block: "center" });
}

export const find = debounce(() => go("on", true));

/** Lets the rest of a long article come before it is scrolled to. */
function watchEnds() {
  ends?.disconnect();
  ends = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) if (isIntersecting) void readOn(/** @type {HTMLButtonElement} */ (target));
  }, { root: byId("sources"), rootMargin: "600px" });
  for (const button of document.querySelectorAll(":is(#reader, #beside) .more")) ends.observe(button);
}

// --- two articles ----------------------------------------------------------------------------------

/** Keeps the article that is read beside the next one, or where that has no room, under a tab. */
export function keepBeside() {
  const article = byId("reader").querySelector(".reader");
  if (!article) return;
  article.querySelector(".find").remove(); // this is for the article that is read
  article.querySelector("[data-action=keep-beside]").remove();
  const close = article.querySelector("[data-action=close-reader]");
  close.setAttribute("data-action", "close-beside");
  close.lastChild.nodeValue = " " + gettext("Close this article");
  article.setAttribute("aria-label", gettext("Article kept beside"));
  byId("beside").dataset.key = byId("reader").dataset.key;
  slot("beside").replaceChildren(article);
  byId("beside").tabIndex = 0;
  document.body.classList.add("beside");
  closeReader();
  showBeside(false);
  watchEnds();
}

export function closeBeside() {
  slot("beside").replaceChildren();
  document.body.classList.remove("beside", "show-beside");
  byId("reader").querySelector("button")?.focus();
}

/**
 * Where only one of two articles has room: which of them is shown.
 * @param {boolean} kept
 */
export function showBeside(kept) {
  document.body.classList.toggle("show-beside", kept);
  const name = byId("beside").querySelector("h2")?.textContent ?? "";
  const read = byId("reader").querySelector("h2")?.textContent ?? gettext("Sources");
  const tabs = document.querySelectorAll("#articles button");
  tabs.forEach((tab, index) => {
    tab.textContent = index ? name : read;
    tab.setAttribute("aria-pressed", String(Boolean(index) === kept));
  });
}

/** The article that the address names, as a program's citation does: #read=ID&start=1&end=2. */
export async function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.get("read")) return;
  const button = document.createElement("button");
  for (const name of ["start", "end"]) {
    if (/^\d+$/.test(given.get(name) ?? "")) button.dataset[name] = given.get(name);
  }
  button.dataset.document = given.get("read");
  await read(button);
  opener = null; // the button is nowhere to return to
}

/**
 * The page as it is printed, the cited sentence in view.
 * @param {HTMLElement} button
 */
export async function showPage(button) {
  const { document: id, page, start, end } = button.dataset;
  const more = { page: Number(page), start: Number(start), end: Number(end) };
  if (!(await ask("page", { document: id, ...more }))) return;
  const paper = slot("paper");
  const boxed = paper.querySelector(".boxed");
  if (boxed) boxed.scrollIntoView({ block: "center", behavior: motion() });
  else paper.firstElementChild?.scrollIntoView({ block: "start", behavior: motion() });
  paper.querySelector(".sheet-of-paper")?.focus({ preventScroll: true });
}

/** @param {HTMLElement} button */
export function zoomPage(button) {
  const large = button.closest(".paper").classList.toggle("large");
  button.setAttribute("aria-pressed", String(large));
  if (large) slot("paper").querySelector(".boxed")?.scrollIntoView({ block: "center", inline: "center" });
}

export function closePage() {
  slot("paper")?.replaceChildren();
  document.querySelector(".to-paper button")?.focus();
}

export function closeReader() {
  if (!document.body.classList.contains("reading")) return false;
  document.body.classList.remove("reading");
  slot("reader").replaceChildren();
  showBeside(false);
  const source = document.querySelector(".source.current");
  if (source) {
    source.scrollIntoView({ block: "start" });
    source.focus({ preventScroll: true });
  } else {
    leaveSources();
  }
  return true;
}

export function leaveSources() {
  pullSheet(false);
  opener?.focus();
}

/** @param {boolean} open */
export function pullSheet(open) {
  document.body.classList.toggle("sources-open", open);
  byId("sheet-bar").setAttribute("aria-expanded", String(open));
  if (!open && narrow.matches) byId("sources").scrollTop = 0;
}

// --- the card a number shows when it is hovered or focused ---------------------------------------

/** @param {HTMLElement} cite */
export function showCard(cite) {
  const card = cite.querySelector(".card");
  const popover = byId("popover");
  if (!card || !popover || cite.closest(".headline")) return; // there the quote is on screen
  popover.replaceChildren(...[...card.childNodes].map((node) => node.cloneNode(true)));
  popover.hidden = false;
  const at = cite.getBoundingClientRect();
  const size = popover.getBoundingClientRect();
  const left = Math.min(Math.max(16, at.left - 24), window.innerWidth - size.width - 16);
  const above = at.top - size.height - 8;
  popover.style.left = `${left}px`;
  popover.style.top = `${above > 8 ? above : at.bottom + 8}px`;
}

export function hideCard() {
  const popover = byId("popover");
  if (popover) popover.hidden = true;
}
