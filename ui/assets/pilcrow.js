// What the page does without asking the server: citations, sources, keys, the running clock.
// Drawing is the server's; this file only moves attention around and never writes HTML.
(() => {
  "use strict";

  const narrow = window.matchMedia("(max-width: 899px)");
  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");
  const running = () => document.querySelector("#current .turn[data-running]");

  // --- sources -----------------------------------------------------------------------------

  let shownTurn = ""; // "" follows the latest question
  let opener = null; // the marker to which Esc returns from the sources

  function showTurn(turn) {
    const sections = [...document.querySelectorAll("#sources .turn-sources")];
    const wanted = turn
      ? sections.find((section) => section.dataset.turn === turn)
      : document.querySelector("#current-sources .turn-sources");
    for (const section of sections) section.hidden = section !== wanted;
    const empty = document.querySelector("#current-sources .pane-empty");
    if (empty && !empty.closest("section")) empty.hidden = Boolean(wanted);
    const count = Number(wanted?.dataset.count ?? 0);
    const bar = byId("sheet-bar");
    const label = count ? `Sources · ${count}` : "Sources";
    if (bar.textContent !== label) bar.textContent = label;
  }

  function openSource(id, turn) {
    shownTurn = turn;
    showTurn(turn);
    const target = byId(id);
    if (!target) return false;
    const fold = target.closest("details");
    if (fold) fold.open = true;
    pullSheet(true);
    for (const other of document.querySelectorAll(".source.current")) {
      other.classList.remove("current", "flash");
    }
    void target.offsetWidth; // restarts the flash when the same source is opened again
    target.classList.add("current", "flash");
    target.scrollIntoView({ block: "start", behavior: motion() });
    target.focus({ preventScroll: true });
    return true;
  }

  const motion = () =>
    window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

  // --- the card a citation shows when it is hovered or focused --------------------------------

  function showCard(cite) {
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

  function hideCard() {
    const popover = byId("popover");
    if (popover) popover.hidden = true;
  }

  // --- asking ------------------------------------------------------------------------------

  function rephrase(button) {
    const asked = button.closest(".turn")?.querySelector(".question")?.textContent ?? "";
    const input = box();
    if (!input) return;
    input.value = asked;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  }

  function addDocuments() {
    document.body.classList.remove("left-closed");
    document.body.classList.add("left-open");
    (byId("upload")?.querySelector("button") ?? byId("upload"))?.focus();
    byId("upload")?.scrollIntoView({ block: "nearest" });
  }

  function toggleLibrary() {
    if (narrow.matches) document.body.classList.toggle("left-open");
    else document.body.classList.toggle("left-closed");
    labelToggle();
  }

  function labelToggle() {
    const body = document.body.classList;
    const open = narrow.matches ? body.contains("left-open") : !body.contains("left-closed");
    const button = document.querySelector('[data-action="library"]');
    button?.setAttribute("aria-expanded", String(open));
  }

  const actions = { rephrase, add: addDocuments, library: toggleLibrary };

  document.addEventListener(
    "click",
    (event) => {
      const cite = event.target.closest?.(".cite, .closest");
      if (cite) {
        event.preventDefault();
        hideCard();
        opener = cite;
        openSource(cite.getAttribute("href").slice(1), cite.dataset.turn);
        return;
      }
      const button = event.target.closest?.("[data-action]");
      if (button) actions[button.dataset.action]?.(button);
      else if (event.target.closest?.("#sheet-bar")) {
        pullSheet(!document.body.classList.contains("sources-open"));
      } else if (event.target.closest?.("#ask") && !box()?.value.trim()) {
        stopHere(event);
      } else if (!event.target.closest?.("#left")) {
        document.body.classList.remove("left-open");
      }
    },
    true,
  );

  function pullSheet(open) {
    document.body.classList.toggle("sources-open", open);
    byId("sheet-bar").setAttribute("aria-expanded", String(open));
    if (!open && narrow.matches) byId("sources").scrollTop = 0;
  }

  function stopHere(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
    document.addEventListener(on, (event) => {
      const cite = event.target.closest?.(".cite");
      if (cite) showCard(cite);
    });
    document.addEventListener(off, (event) => {
      if (event.target.closest?.(".cite")) hideCard();
    });
  }

  // --- keys --------------------------------------------------------------------------------

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target.closest?.("textarea, input, select, [contenteditable]");
      if (event.key === "Escape") escape(event);
      else if (event.key === "Enter" && event.target === box() && !event.shiftKey) {
        if (running() || !box().value.trim()) stopHere(event);
      } else if (typing) return;
      else if (event.key === "/") {
        event.preventDefault();
        box()?.focus();
      } else if (/^[1-9]$/.test(event.key)) jumpTo(event.key);
    },
    true,
  );

  function escape(event) {
    const inSources = event.target.closest?.("#sources");
    if (running()) byId("stop")?.click();
    else if (inSources || document.body.matches(".left-open, .sources-open")) {
      document.body.classList.remove("left-open");
      pullSheet(false);
      if (inSources) opener?.focus();
    } else return;
    event.preventDefault();
  }

  function jumpTo(number) {
    const section = [...document.querySelectorAll("#sources .turn-sources")].find((s) => !s.hidden);
    if (section) openSource(`t${section.dataset.turn}-s${number}`, section.dataset.turn);
  }

  // --- following what the server draws --------------------------------------------------------

  let latestTurn = "";

  function follow() {
    const turn = document.querySelector("#current .turn");
    const number = turn?.dataset.turn ?? "";
    if (number !== latestTurn) {
      latestTurn = number;
      shownTurn = "";
      pullSheet(false);
      hideCard();
      turn?.scrollIntoView({ block: "start", behavior: motion() });
      if (!number) box()?.focus();
    }
    byId("current")?.setAttribute("aria-busy", String(Boolean(running())));
    showTurn(shownTurn);
    labelToggle();
    labelUpload();
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
    if (!clock) return;
    const now = performance.now();
    if (clock.dataset.seconds !== clock.drawn) {
      clock.drawn = clock.dataset.seconds;
      clock.since = now;
    }
    const seconds = Number(clock.drawn) + (now - clock.since) / 1000;
    // characters only, so that the observer below does not take it for new content
    clock.firstChild.data = `${seconds.toFixed(1)} s`;
  }

  // --- once Gradio has built the page ---------------------------------------------------------

  function describe(id, role, label, more = {}) {
    const node = byId(id);
    if (!node) return;
    node.setAttribute("role", role);
    node.setAttribute("aria-label", label);
    for (const [name, value] of Object.entries(more)) node.setAttribute(name, value);
  }

  function start() {
    describe("left", "navigation", "Library");
    describe("centre", "region", "Conversation");
    describe("sources", "complementary", "Sources");
    describe("current", "region", "Answer", { "aria-live": "polite" });
    describe("job", "status", "Library changes");

    const popover = document.createElement("div");
    popover.id = "popover";
    popover.hidden = true;
    const bar = document.createElement("button");
    Object.assign(bar, { id: "sheet-bar", type: "button", textContent: "Sources" });
    bar.setAttribute("aria-expanded", "false");
    byId("sources").prepend(bar);
    document.querySelector(".gradio-container").append(popover);

    let waiting = false;
    new MutationObserver(() => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        follow();
      });
    }).observe(byId("panes"), { childList: true, subtree: true });
    byId("conversation").addEventListener("scroll", hideCard, { passive: true });
    window.setInterval(tick, 100);
    follow();
    document.documentElement.dataset.pilcrow = "ready";
  }

  const built = new MutationObserver(() => {
    if (!byId("panes") || !box()) return;
    built.disconnect();
    start();
  });
  built.observe(document, { childList: true, subtree: true });
})();
