// Puts the page together: which click does what, the keys, the running clock, the start.

import { byId, watchServer } from "./api.js";
import * as conversation from "./conversation.js";
import * as library from "./library.js";
import * as machine from "./machine.js";
import * as sources from "./sources.js";

const { box, running } = conversation;

// --- clicks --------------------------------------------------------------------------------------

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

const actions = {
  ...library.actions, ...conversation.actions, ...machine.actions, read: sources.read, "read-on": sources.readOn,
  page: sources.showPage, "zoom-page": sources.zoomPage, "close-page": sources.closePage,
  "close-reader": sources.closeReader, left: () => toggle("left"), right: () => toggle("right"),
};

document.addEventListener("click", (event) => {
  const { target } = event;
  for (const menu of document.querySelectorAll("details:is(.save, .dates, .machine)[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  const cite = target.closest?.(".cite, .closest");
  if (cite) {
    event.preventDefault();
    sources.follow(cite);
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

function cancelEvent(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".why")) void conversation.explain(event.target);
  if (event.target.matches?.(".machine") && event.target.open) void machine.look();
  if (event.target.matches?.(".dates")) conversation.fillMenu(event.target);
}, true);

for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(on, (event) => {
    const cite = event.target.closest?.(".cite");
    if (cite) sources.showCard(cite);
  });
  document.addEventListener(off, (event) => {
    if (event.target.closest?.(".cite")) sources.hideCard();
  });
}

document.addEventListener("input", (event) => {
  if (event.target === box()) conversation.offer();
  else if (event.target.matches("#since, #until")) conversation.drawChips();
  else if (event.target.matches("[data-facet]")) conversation.chooseFacet(event.target);
  else library.filters[event.target.id]?.();
});

const body = document.body.classList;

// --- keys ----------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("textarea, input, select, [contenteditable]");
  const inBox = event.target === box();
  if (inBox && conversation.offering() && conversation.handleListKey(event.key)) cancelEvent(event);
  else if (event.key === "Escape") escape(event);
  else if (event.key === "Enter" && inBox && !event.shiftKey) {
    const text = box().value.trim();
    if (!text || running() || body.contains("lost")) cancelEvent(event);
    if (text && running() && !body.contains("lost")) {
      conversation.queueUp(text);
      conversation.write("");
    }
  } else if (event.key === "Enter" && event.target.id === "place-path") {
    cancelEvent(event);
    library.addPlace();
  } else if (event.target.matches?.('[role="tab"]') && /^Arrow(Left|Right)$/.test(event.key)) {
    const other = document.querySelector('[role="tab"][aria-selected="false"]');
    library.showTab(other.dataset.tab);
    other.focus();
  } else if (typing) return;
  else if (event.key === "/") {
    event.preventDefault();
    box()?.focus();
  } else if (/^[1-9]$/.test(event.key)) sources.jumpTo(event.key);
}, true);

function escape(event) {
  const inSources = event.target.closest?.("#sources");
  const menu = document.querySelector("details:is(.save, .dates, .machine)[open]");
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

function follow() {
  byId("current")?.setAttribute("aria-busy", String(Boolean(running())));
  sources.showTurn();
  library.watchWork();
  if (conversation.hasFinished() || listedFor !== conversation.currentConversation()) {
    listedFor = conversation.currentConversation();
    void library.listChats();
  }
  labelToggles();
  labelUpload();
  conversation.askNext();
}

// The stylesheet draws our words in the drop zone; Gradio's, which it brings back after each
// upload, give way to them for screen readers too.
function labelUpload() {
  const words = document.querySelector('#upload [data-testid="upload-text"]');
  if (!words) return;
  words.closest("button")?.setAttribute("aria-label", "Drop articles or choose files");
  for (const node of words.childNodes) {
    if (node.nodeType === Node.TEXT_NODE && node.data) node.data = "";
  }
}

function tick() {
  const clock = running()?.querySelector(".clock");
  if (!clock || body.contains("lost")) return;
  const now = performance.now();
  if (clock.dataset.seconds !== clock.drawn) {
    clock.drawn = clock.dataset.seconds;
    clock.since = now;
  }
  const seconds = Number(clock.drawn) + (now - clock.since) / 1000;
  // characters only, so that the observer below does not take it for new content
  clock.firstChild.data = `${seconds.toFixed(1)} s`;
}

// --- once Gradio has built the page ----------------------------------------------------------------

function describe(id, role, label, more = {}) {
  const node = byId(id);
  if (!node) return;
  node.setAttribute("role", role);
  node.setAttribute("aria-label", label);
  for (const [name, value] of Object.entries(more)) node.setAttribute(name, value);
}

function prepareFrame() {
  describe("left", "navigation", "Conversations and library");
  describe("centre", "region", "Conversation");
  describe("sources", "complementary", "Sources");
  describe("conversation", "region", "Messages", { tabindex: "0" });
  describe("current", "region", "Answer", { "aria-live": "polite" });
  describe("job", "status", "Library changes");
  describe("chats", "tabpanel", "Chats");
  describe("library", "tabpanel", "Library");
  const popover = Object.assign(document.createElement("div"), { id: "popover", hidden: true });
  const toast = Object.assign(document.createElement("div"), { id: "toast", hidden: true });
  toast.setAttribute("role", "status");
  const bar = document.createElement("button");
  Object.assign(bar, { id: "sheet-bar", type: "button", textContent: "Sources" });
  bar.setAttribute("aria-expanded", "false");
  byId("sources").prepend(bar);
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
    attributeFilter: ["data-key", "data-running", "data-number"],
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

const built = new MutationObserver(() => {
  if (!byId("panes") || !box() || !window.pilcrowApi) return;
  built.disconnect();
  void start();
});
built.observe(document, {
  childList: true, subtree: true, attributes: true, attributeFilter: ["data-ready"],
});
