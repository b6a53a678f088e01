// Puts the page together: which click does what, the keys, the running clock, the start.

import { byId, placeOf, watchServer } from "./api.js";
import * as conversation from "./conversation.js";
import * as library from "./library.js";
import * as machine from "./machine.js";
import * as sources from "./sources.js";
import * as steps from "./steps.js";
import { chooseLanguage, gettext, isRightToLeft, language, number } from "./texts.js";

const { box, running } = conversation;

// --- clicks --------------------------------------------------------------------------------------

/** @param {string} side */
function toggle(side) {
  const body = document.body.classList;
  if (side === "left") body.toggle(sources.isNarrow() ? "left-open" : "left-closed");
  else if (sources.isNarrow()) sources.pullSheet(!body.contains("sources-open"));
  else body.toggle("right-closed");
  labelToggles();
}

function labelToggles() {
  const body = document.body.classList;
  const open = {
    left: sources.isNarrow() ? body.contains("left-open") : !body.contains("left-closed"),
    right: sources.isNarrow() ? body.contains("sources-open") : !body.contains("right-closed"),
  };
  for (const [side, is] of Object.entries(open)) {
    const button = document.querySelector(`[data-action="${side}"]`);
    button?.setAttribute("aria-expanded", String(is));
  }
}

/** @type {Record<string, (button: HTMLElement) => unknown>} */
const actions = {
  ...library.actions, ...conversation.actions, ...machine.actions,
  read: sources.read, "read-on": sources.readOn,
  page: sources.showPage, "zoom-page": sources.zoomPage, "close-page": sources.closePage,
  "close-reader": sources.closeReader, step: sources.step,
  "keep-beside": sources.keepBeside, "close-beside": sources.closeBeside,
  article: (button) => sources.showBeside(button.dataset.which === "beside"),
  "end-steps": steps.end, left: () => toggle("left"), right: () => toggle("right"),
};

const openMenus = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (
  document.querySelectorAll("details:is(.save, .dates, .machine)[open]")
);

document.addEventListener("click", (event) => {
  const target = placeOf(event);
  for (const menu of openMenus()) {
    if (!menu.contains(target)) menu.open = false;
  }
  const cite = target.closest?.(".cite, .closest");
  if (cite) {
    event.preventDefault();
    sources.follow(cite);
    steps.end();
    return;
  }
  const button = target.closest?.("[data-action]");
  if (button) actions[button.dataset.action]?.(button);
  else if (target.closest?.("#stop") && running()?.closest("#past")) conversation.stop();
  else if (target.closest?.("#sheet-bar")) toggle("right");
  else if (target.closest?.("#ask") && !conversation.hasPending() && !box()?.value.trim()) {
    cancelEvent(event);
  } else if (target.closest?.("#new-chat")) {
    conversation.clear();
    conversation.enter("");
    library.markChat();
    document.body.classList.remove("left-open");
    box()?.focus();
  } else if (!target.closest?.("#left")) document.body.classList.remove("left-open");
}, true);

/** @param {Event} event */
function cancelEvent(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("toggle", (event) => {
  const fold = /** @type {HTMLDetailsElement} */ (placeOf(event));
  if (fold.matches?.(".why")) void conversation.explain(fold);
  if (fold.matches?.(".machine") && fold.open) void machine.look();
  if (fold.matches?.(".fold")) void library.openFolder(fold);
  if (fold.matches?.(".dates")) conversation.fillMenu(fold);
}, true);

for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(on, (event) => {
    const cite = placeOf(event).closest?.(".cite");
    if (cite) sources.showCard(cite);
  });
  document.addEventListener(off, (event) => {
    if (placeOf(event).closest?.(".cite")) sources.hideCard();
  });
}

document.addEventListener("input", (event) => {
  const target = /** @type {HTMLSelectElement} */ (placeOf(event));
  if (placeOf(event) === box()) conversation.offer();
  else if (target.matches("#since, #until")) conversation.drawChips();
  else if (target.id === "language") chooseLanguage(target.value);
  else if (target.matches("[data-facet]")) conversation.chooseFacet(target);
  else if (placeOf(event).matches(".pick")) {
    library.pick(/** @type {HTMLInputElement} */ (placeOf(event)));
  } else if (target.id === "find") sources.find();
  else library.filters[target.id]?.();
});

const body = document.body.classList;

// --- keys ----------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = placeOf(event);
  const typing = target.closest?.("textarea, input, select, [contenteditable]");
  const inBox = target === box();
  if (inBox && conversation.offering() && conversation.handleListKey(event.key)) cancelEvent(event);
  else if (event.key === "Escape") escape(event);
  else if (event.key === "Enter" && inBox && !event.shiftKey) {
    const text = box().value.trim();
    if (!text || running() || body.contains("lost")) cancelEvent(event);
    if (text && running() && !body.contains("lost")) {
      conversation.queueUp(text);
      conversation.write("");
    }
  } else if (event.key === "Enter" && target.id === "tag") {
    cancelEvent(event);
    void library.tagPicked();
  } else if (event.key === "Enter" && target.id === "find") {
    cancelEvent(event);
    void sources.go(event.shiftKey ? "back" : "on");
  } else if (event.key === "Enter" && target.id === "place-path") {
    cancelEvent(event);
    library.addPlace();
  } else if (target.matches?.('[role="tab"]') && /^Arrow(Left|Right)$/.test(event.key)) {
    const other = document.querySelector('[role="tab"][aria-selected="false"]');
    library.showTab(other.dataset.tab);
    other.focus();
  } else if (typing) return;
  else if (event.key === "/") {
    event.preventDefault();
    box()?.focus();
  } else if (/^[1-9]$/.test(event.key)) sources.jumpTo(event.key);
}, true);

/** @param {KeyboardEvent} event */
function escape(event) {
  if (document.querySelector("dialog[open]")) return; // which the browser closes
  const inSources = placeOf(event).closest?.("#sources");
  const [menu] = openMenus();
  if (conversation.offering()) conversation.hideChoices();
  else if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (running()) conversation.stop();
  else if (sources.closeReader()) { /* that was it */ }
  else if (inSources || document.body.matches(".left-open, .sources-open")) {
    document.body.classList.remove("left-open");
    if (inSources) sources.leaveSources();
    else sources.pullSheet(false);
  } else return;
  event.preventDefault();
}

// --- following what the server draws ---------------------------------------------------------------

let listedFor = ""; // the conversation that the list was last drawn for

document.addEventListener("pilcrow-lost", conversation.giveBack);

function follow() {
  conversation.arrived();
  byId("current")?.setAttribute("aria-busy", String(Boolean(running())));
  sources.showTurn();
  library.watchWork();
  if (conversation.hasFinished() || listedFor !== conversation.currentConversation()) {
    listedFor = conversation.currentConversation();
    void library.listChats();
  }
  labelToggles();
  labelUpload();
  steps.show(library.isEmpty());
  conversation.askNext();
}

// The stylesheet draws our words in the drop zone; Gradio's, which it brings back after each
// upload, give way to them for screen readers too.
function labelUpload() {
  const words = document.querySelector('#upload [data-testid="upload-text"]');
  if (!words) return;
  words.closest("button")?.setAttribute("aria-label", gettext("Drop articles or choose files"));
  const input = byId("upload").querySelector('[aria-label="File upload"]');
  input?.setAttribute("aria-label", gettext("File upload"));
  for (const node of words.childNodes) {
    if (node instanceof Text && node.data) node.data = "";
  }
}

/** @type {{ clock?: HTMLElement, seconds?: string, since: number }} */
let drawn = { since: 0 }; // the clock as the server drew it last

function tick() {
  const clock = running()?.querySelector(".clock");
  if (!clock || body.contains("lost")) return;
  const now = performance.now();
  if (drawn.clock !== clock || clock.dataset.seconds !== drawn.seconds) {
    drawn = { clock, seconds: clock.dataset.seconds, since: now };
  }
  const seconds = Number(drawn.seconds) + (now - drawn.since) / 1000;
  // characters only, so that the observer below does not take it for new content
  clock.firstChild.nodeValue = gettext("{n} s", { n: number(seconds, 1) });
}

// --- once Gradio has built the page ----------------------------------------------------------------

/**
 * @param {string} id
 * @param {string} role
 * @param {string} label
 * @param {Record<string, string>} [more]
 */
function describe(id, role, label, more = {}) {
  const node = byId(id);
  if (!node) return;
  node.setAttribute("role", role);
  node.setAttribute("aria-label", label);
  for (const [name, value] of Object.entries(more)) node.setAttribute(name, value);
}

// --- how wide the right pane is --------------------------------------------------------------------

const WIDTHS = ["--sources-width", "--reading-width", "--beside-width"];
const widthKept = () => WIDTHS[body.contains("beside") ? 2 : Number(body.contains("reading"))];

/** @param {number | null} width in pixels; null for as wide as it is by itself */
function setWidth(width) {
  const name = widthKept();
  if (width === null) {
    document.documentElement.style.removeProperty(name);
    localStorage.removeItem(`pilcrow${name}`);
  } else {
    const kept = `${Math.round(Math.min(Math.max(width, 256), 0.6 * window.innerWidth))}px`;
    document.documentElement.style.setProperty(name, kept);
    localStorage.setItem(`pilcrow${name}`, kept);
  }
  tellWidth();
}

const width = () => byId("sources").getBoundingClientRect().width;

function tellWidth() {
  const share = Math.round((100 * width()) / window.innerWidth);
  byId("divider")?.setAttribute("aria-valuenow", String(share));
}

/** The line left of the sources, by which they are made wider; its width is remembered here. */
function divider() {
  for (const name of WIDTHS) {
    const kept = localStorage.getItem(`pilcrow${name}`);
    if (/^\d+px$/.test(kept ?? "")) document.documentElement.style.setProperty(name, kept);
  }
  const line = Object.assign(document.createElement("div"), { id: "divider", tabIndex: 0 });
  for (const [name, value] of Object.entries({
    role: "separator", "aria-orientation": "vertical", "aria-label": gettext("Width of the sources"),
    "aria-controls": "sources", "aria-valuemin": "10", "aria-valuemax": "60", "aria-valuenow": "30",
  })) line.setAttribute(name, value);
  line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
  line.addEventListener("pointermove", (event) => {
    if (line.hasPointerCapture(event.pointerId)) setWidth(isRightToLeft ? event.clientX : window.innerWidth - event.clientX);
  });
  line.addEventListener("dblclick", () => setWidth(null));
  line.addEventListener("focus", tellWidth);
  line.addEventListener("keydown", ({ key }) => {
    const wider = isRightToLeft ? "ArrowRight" : "ArrowLeft";
    if (/^Arrow(Left|Right)$/.test(key)) setWidth(width() + (key === wider ? 32 : -32));
  });
  return line;
}

function prepareFrame() {
  document.documentElement.lang = language; // Gradio knows others, and sets the one of the browser
  describe("left", "navigation", gettext("Conversations and library"));
  describe("centre", "region", gettext("Conversation"));
  describe("sources", "complementary", gettext("Sources"));
  describe("conversation", "region", gettext("Messages"), { tabindex: "0" });
  describe("current", "region", gettext("Answer"), { "aria-live": "polite" });
  describe("job", "status", gettext("Library changes"));
  describe("chats", "tabpanel", gettext("Chats"));
  describe("library", "tabpanel", gettext("Library"));
  const popover = Object.assign(document.createElement("div"), { id: "popover", hidden: true });
  const toast = Object.assign(document.createElement("div"), { id: "toast", hidden: true });
  toast.setAttribute("role", "status");
  const bar = document.createElement("button");
  Object.assign(bar, { id: "sheet-bar", type: "button", textContent: gettext("Sources") });
  bar.setAttribute("aria-expanded", "false");
  const articles = Object.assign(document.createElement("div"), { id: "articles" });
  articles.setAttribute("role", "group");
  articles.setAttribute("aria-label", gettext("Which article is shown"));
  for (const which of ["read", "beside"]) {
    const tab = Object.assign(document.createElement("button"), { type: "button", dir: "auto" });
    Object.assign(tab.dataset, { action: "article", which });
    articles.append(tab);
  }
  byId("sources").prepend(bar, articles);
  byId("panes").append(divider());
  byId("centre").append(popover, toast);
}

function observe() {
  let waiting = false;
  new MutationObserver(() => {
    conversation.settle(); // at once, so that the finished turn is never off the screen
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      follow();
    });
  }).observe(byId("panes"), {
    childList: true, subtree: true, attributes: true,
    attributeFilter: ["data-key", "data-running", "data-number", "data-ready"],
  });
}

async function start() {
  prepareFrame();
  observe();
  watchServer();
  library.acceptFiles();
  library.showTab("chats");
  byId("conversation").addEventListener("scroll", sources.hideCard, { passive: true });
  window.setInterval(tick, 100);
  await Promise.all([library.listLibrary(), library.listChats(), machine.look()]);
  const id = conversation.currentConversation();
  if (id) await conversation.openConversation(id);
  library.markChat();
  conversation.restoreDraft();
  follow();
  if (!sources.isNarrow()) box().focus();
  await sources.readAddress();
  window.addEventListener("hashchange", () => void sources.readAddress());
  document.documentElement.dataset.pilcrow = "ready";
}

const built = new MutationObserver(begin);

function begin() {
  if (!byId("panes") || !box() || !window.pilcrowApi) return;
  built.disconnect();
  void start();
}

built.observe(document, {
  childList: true, subtree: true, attributes: true, attributeFilter: ["data-ready"],
});
begin(); // where this script came last, nothing changes any more
