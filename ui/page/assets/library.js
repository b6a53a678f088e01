// The left pane: conversations, the library, files on their way in.

import { ask, askOneOf, byId, debounce, field, placeOf, slot, toast } from "./api.js";
import {
  choose, chooseOnly, clear, currentConversation, drawChips, enter, limit, limitOnly, openConversation,
  running,
} from "./conversation.js";
import { begin as beginSteps, show as showSteps } from "./steps.js";
import { gettext, isRightToLeft, number, plural } from "./texts.js";

// --- tabs ----------------------------------------------------------------------------------------

/** @param {string} name */
export function showTab(name) {
  byId("left").dataset.tab = name;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const on = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
}

// --- conversations -------------------------------------------------------------------------------

const chatWords = () => field("chat-words").value;

export async function listChats() {
  await ask("conversations", { words: chatWords() });
  markChat();
}

export function markChat() {
  for (const row of document.querySelectorAll(".chats li")) {
    const here = row.dataset.id === currentConversation();
    row.classList.toggle("here", here);
    const name = row.querySelector(".name");
    if (here) name?.setAttribute("aria-current", "true");
    else name?.removeAttribute("aria-current");
  }
}

/** @param {HTMLElement} button */
async function open(button) {
  const { id } = button.closest("li").dataset;
  if (id === currentConversation()) return;
  if (document.querySelector("#current .turn")) byId("leave").click();
  clear();
  await openConversation(id);
  markChat();
}

/** @param {HTMLElement} button */
function rename(button) {
  const row = button.closest("li");
  const name = row.querySelector(".name");
  const input = document.createElement("input");
  input.value = name.textContent;
  input.maxLength = 120;
  input.setAttribute("aria-label", gettext("Title"));
  name.replaceWith(input);
  input.select();
  let done = false;
  const end = async (/** @type {boolean} */ keep) => {
    if (done) return;
    done = true;
    const title = input.value;
    input.replaceWith(name);
    if (!keep || !title.trim() || title === name.textContent) return;
    await ask("rename", { id: row.dataset.id, title, words: chatWords() });
    markChat();
  };
  input.addEventListener("blur", () => end(true));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.stopPropagation();
    void end(event.key === "Enter");
  });
}

/** @param {HTMLElement} button */
async function drop(button) {
  const { id } = button.closest("li").dataset;
  const here = id === currentConversation();
  const reply = await ask("delete", { id, words: chatWords() });
  if (!reply) return;
  if (here) {
    byId("leave").click();
    clear();
    enter("");
  }
  markChat();
  toast(reply.toast.text, gettext("Undo"), async () => {
    if ((await ask("undelete", { id, words: chatWords() })) && here) await openConversation(id);
    markChat();
  });
}

// --- the library ---------------------------------------------------------------------------------

/** @type {boolean | null} */
let empty = null;
let pollsLeft = 0;

export const isEmpty = () => empty;

export async function listLibrary() {
  const reply = await ask("library", listed());
  if (!reply) return followFolders();
  change = reply.change;
  if (reply.person) greet(reply.person);
  drawn();
  void findInText();
  followFolders();
  const nothing = reply.documents === 0;
  if (empty !== nothing && nothing) showTab("library");
  empty = nothing;
  if (empty) beginSteps();
  showSteps(empty);
  document.body.classList.toggle("empty-library", nothing);
  pollsLeft = 40;
  void lookForSuggestions();
}

/**
 * Shows whose page this is, and by the style sheet no more controls than their account may use.
 * @param {{ name: string, role: string, part: string, out: string }} person
 */
function greet({ name, role, part, out }) {
  Object.assign(document.body.dataset, { role, part });
  if (byId("account")) return;
  const link = Object.assign(document.createElement(out ? "a" : "span"), { id: "account", className: "meta", dir: "auto" });
  if (out) link.setAttribute("href", out);
  link.textContent = out ? gettext("Sign out {name}", { name }) : name;
  document.querySelector(".where-it-runs").append("·", link);
}

// --- folders that keep themselves up to date -------------------------------------------------------

/** Called by Gradio when a folder is added: its path, and whether it is kept up to date. */
window.pilcrow.place = () => {
  const path = field("place-path").value;
  field("place-path").value = "";
  /** @type {HTMLDetailsElement} */ (document.querySelector(".in-place")).open = false;
  return JSON.stringify({ path, keep: field("place-keep").checked, collection: collection() });
};

export function addPlace() {
  if (field("place-path").value.trim()) byId("add-place").click();
  else byId("place-path").focus();
}

/** @param {HTMLElement} button */
async function keep(button) {
  await ask(button.dataset.action, { place: button.dataset.place });
  followFolders();
}

let following = 0;
/** @type {number | null} */
let change = null; // the state of the library that is listed

/** While folders are kept up to date, the list follows what they bring. */
function followFolders() {
  window.clearTimeout(following);
  if (!document.querySelector(".places [data-kept]")) return;
  following = window.setTimeout(async () => {
    if (document.hidden || document.body.classList.contains("lost")) return followFolders();
    const reply = await ask("folders");
    const news = reply && reply.change !== change;
    if (news && !document.body.classList.contains("working")) await listLibrary();
    else followFolders();
  }, 1000);
}

/** The collection that is listed, asked and added to; empty for all of them. */
const collection = () => /** @type {HTMLSelectElement | null} */ (byId("collection"))?.value ?? "";

const listed = () => ({
  words: field("library-words").value, order: field("library-order").value, collection: collection(),
});

/** Lists another collection, and asks and adds to it from now on. */
function switchCollection() {
  limitOnly("collections", collection(), gettext("collection {name}", { name: collection() }));
  return listLibrary();
}

/**
 * Puts more rows in the place of the one that stands for them.
 * @param {HTMLButtonElement} button
 */
async function moreDocuments(button) {
  if (button.disabled) return;
  button.disabled = true;
  const { first, folder } = button.dataset;
  const reply = await ask("more-documents", { ...listed(), folder, first: Number(first) });
  if (!reply || !button.isConnected) {
    button.disabled = false;
    return;
  }
  button.closest("li").outerHTML = reply.html;
  drawn();
}

// --- inside the documents --------------------------------------------------------------------------

/** Shows below the list where in the documents the words stand. */
async function findInText() {
  const { words } = listed();
  const place = slot("in-text");
  if (!words.trim()) return place.replaceChildren();
  const reply = await ask("in-text", listed());
  if (reply && words === listed().words) place.innerHTML = reply.html;
}

// --- folders as a tree -----------------------------------------------------------------------------

const unfolded = new Set(); // folders whose documents are shown

/**
 * Fills a folder the first time it is opened.
 * @param {HTMLDetailsElement} fold
 */
export async function openFolder(fold) {
  const { folder } = fold.dataset;
  if (fold.open) unfolded.add(folder);
  else unfolded.delete(folder);
  const inside = fold.querySelector(".inside");
  if (!fold.open || inside.childElementCount) return;
  const reply = await ask("more-documents", { ...listed(), folder, first: 0 });
  if (!reply) return;
  inside.innerHTML = reply.html;
  drawn();
}

// --- the library from above ------------------------------------------------------------------------

/** Shows when the documents are from and what they are about; a click limits the next question. */
async function showOverview() {
  const reply = await ask("overview");
  if (!reply) return;
  const dialog = document.createElement("dialog");
  dialog.className = "overview";
  dialog.setAttribute("aria-label", gettext("The library at a glance"));
  const form = Object.assign(document.createElement("form"), { method: "dialog" });
  form.append(Object.assign(document.createElement("button"), { className: "quiet-button", textContent: gettext("Close") }));
  const body = document.createElement("div");
  body.innerHTML = reply.html;
  dialog.append(form, body);
  dialog.addEventListener("close", () => dialog.remove());
  document.querySelector(".gradio-container").append(dialog);
  dialog.showModal();
  const bars = dialog.querySelector(".bars");
  if (bars) bars.scrollLeft = isRightToLeft ? -bars.scrollWidth : bars.scrollWidth; // where it is narrow: the newest
}

/** @param {HTMLElement} button */
function endOverview(button) {
  /** @type {HTMLDialogElement} */ (button.closest("dialog")).close();
  document.body.classList.remove("left-open");
}

/** @param {HTMLElement} button */
function askPeriod(button) {
  field("since").value = button.dataset.since;
  field("until").value = button.dataset.until;
  endOverview(button);
  drawChips();
}

/** @param {HTMLElement} button */
async function askTopic(button) {
  const reply = await ask("topic", { topic: Number(button.dataset.topic) });
  endOverview(button);
  if (reply) chooseOnly(reply.names);
}

// --- several documents at once ---------------------------------------------------------------------

/** @type {Map<string, string>} */
const picked = new Map(); // document id → name

const rows = () => [...document.querySelectorAll(".documents li[data-document]")];
/** @param {HTMLElement} row */
const boxOf = (row) => /** @type {HTMLInputElement} */ (row.querySelector(".pick"));

/** After rows were drawn: what was chosen or unfolded before is so again. */
function drawn() {
  for (const row of rows()) boxOf(row).checked = picked.has(row.dataset.document);
  for (const fold of document.querySelectorAll(".fold:not([open])")) {
    if (unfolded.has(fold.dataset.folder)) fold.setAttribute("open", "");
  }
  watchEnd();
  countPicked();
}

function countPicked() {
  const bar = document.querySelector(".picked");
  bar.querySelector("span").textContent = gettext("{n} chosen", { n: number(picked.size) });
  for (const button of bar.querySelectorAll(".quiet-button")) {
    button.toggleAttribute("disabled", !picked.size);
  }
}

/** @param {HTMLInputElement} input */
export function pick(input) {
  const { document: id, name } = input.closest("li").dataset;
  if (input.checked) picked.set(id, name);
  else picked.delete(id);
  countPicked();
}

/** Shows or hides the boxes to choose documents by. */
function select() {
  const on = byId("library").classList.toggle("picking");
  const button = document.querySelector("[data-action=select]");
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? gettext("Done") : gettext("Select");
  document.querySelector(".picked").hidden = !on;
  picked.clear();
  drawn();
}

/** Chooses all documents of the list, also those that are not drawn; or none. */
async function pickAll() {
  const reply = await ask("all", listed());
  if (!reply) return;
  const all = reply.names.every((/** @type {string[]} */ [id]) => picked.has(id));
  picked.clear();
  if (!all) for (const [id, name] of reply.names) picked.set(id, name);
  drawn();
}

/** Gives the chosen documents a tag; one that all of them have is taken off. */
export async function tagPicked() {
  const tag = field("tag").value;
  if (!tag.trim() || !picked.size) {
    byId("tag").focus();
    return;
  }
  const reply = await ask("tag", { ids: JSON.stringify([...picked.keys()]), tag });
  if (!reply) return;
  field("tag").value = "";
  await listLibrary();
  const { text, undo } = reply.toast;
  toast(text, gettext("Undo"), async () => {
    const back = await ask("tag", undo);
    if (back) toast(back.toast.text);
    await listLibrary();
  });
}

/** Puts the chosen documents into a collection; without a name into none. */
async function collectPicked() {
  if (!picked.size) return;
  const reply = await ask("collect", { ids: JSON.stringify([...picked.keys()]), collection: field("tag").value });
  if (!reply) return;
  field("tag").value = "";
  await listLibrary();
  const { text, undo } = reply.toast;
  const back = async () => {
    await ask("collect", undo);
    await listLibrary();
  };
  toast(text, gettext("Undo"), undo ? back : null);
}

function onlyPicked() {
  chooseOnly(picked);
  select();
  document.body.classList.remove("left-open");
}

const end = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) void moreDocuments(/** @type {HTMLButtonElement} */ (target));
});

/** Lets the rest of a long list come when it is scrolled to. */
function watchEnd() {
  end.disconnect();
  const button = document.querySelector(".documents .more button");
  if (button) end.observe(button);
}

async function lookForSuggestions() {
  if (empty || pollsLeft-- <= 0 || running()) return;
  const reply = await ask("suggest");
  if (reply && !reply.ready) window.setTimeout(lookForSuggestions, 1500);
}

/**
 * Takes documents out of the library.
 * @param {string[]} ids
 */
async function remove(ids, sure = false) {
  const reply = await ask("remove", { ids: JSON.stringify(ids), sure });
  if (!reply) return;
  if (reply.confirm) {
    toast(reply.confirm, gettext("Remove"), () => remove(ids, true));
    return;
  }
  for (const id of ids) picked.delete(id);
  await listLibrary();
  const { text, undo } = reply.toast;
  toast(text, gettext("Undo"), undo && (async () => {
    toast(gettext("Bringing it back …"));
    const back = await ask("restore", undo);
    if (back) toast(back.toast.text);
    await listLibrary();
  }));
}

/** @param {HTMLElement} button */
function only(button) {
  const { document: id, name } = button.closest("li").dataset;
  choose(id, name);
  document.body.classList.remove("left-open");
}

export function addDocuments() {
  document.body.classList.remove("left-closed");
  document.body.classList.add("left-open");
  showTab("library");
  byId("upload").scrollIntoView({ block: "nearest" });
  byId("upload").querySelector("button")?.focus();
  byId("upload").querySelector('input[type="file"]')?.click();
}

// --- files on their way in -----------------------------------------------------------------------

const HIDDEN = /(^|\/)(\.|~\$)/; // as the library passes them over in a folder
const LARGEST = 20 * 2 ** 20; // bytes; the server refuses a whole parcel that holds a larger file

/** @type {[string, string][]} */
let leftOut = []; // [name, why]: files that are not sent, for the job's list, or replace others

/** Called by Gradio when the files are at the server: what was dropped with them and stayed here. */
window.pilcrow.leftOut = () => {
  const into = collection() ? [[collection(), "into"]] : [];
  const names = JSON.stringify([...into, ...leftOut].slice(0, 1000)); // as many as the server lists
  leftOut = [];
  return names;
};

const sorted = new WeakSet(); // events that hand over what was sorted out already

const fileInput = () => /** @type {HTMLInputElement} */ (
  byId("upload").querySelector('input[type="file"]')
);

/** The endings of files that are read, as the server gave them to the upload. */
function accepted() {
  const input = fileInput();
  return input.accept.toLowerCase().split(",").map((suffix) => suffix.trim());
}

/**
 * @param {string} name
 * @param {File | null} file
 */
function whyNot(name, file) {
  if (!accepted().some((suffix) => name.toLowerCase().endsWith(suffix))) return "kind";
  if (!file) return "unreadable";
  return file.size > LARGEST ? "size" : "";
}

/** @type {Map<string, File>} */
const sent = new Map(); // name → file, as long as the page is open, to be tried again

/**
 * Hands [path, file] pairs to Gradio's uploader; those from folders keep their folders' names.
 * @param {[string, File | null][]} files
 */
async function upload(files) {
  const named = new Map();
  /** @type {[string, string][]} */
  const remarks = [];
  for (const [path, file] of files) {
    const name = path.replaceAll("/", " - ");
    const why = whyNot(name, file);
    if (why) remarks.push([name, why]);
    else named.set(name, file);
  }
  if (!named.size) {
    const kinds = document.querySelector(".kinds").textContent;
    toast(gettext("Nothing to add. What is read: {kinds}", { kinds }));
    return;
  }
  showTab("library");
  const reply = await ask("taken", { names: [...named.keys()].join("\n") });
  const taken = reply?.taken ?? [];
  if (taken.length) {
    const choice = await askWhatToDo(taken);
    for (const [name] of taken) {
      if (choice !== "both") remarks.push([name, choice]);
      if (choice === "skip") named.delete(name);
    }
    if (!named.size) {
      toast(taken.length === 1
        ? gettext("“{name}” stays as it is.", { name: taken[0][1] }) : gettext("They stay as they are."));
      return;
    }
  }
  const parcel = new DataTransfer();
  for (const [name, file] of named) {
    parcel.items.add(new File([file], name));
    sent.set(name, file);
  }
  leftOut = remarks;
  const input = fileInput();
  input.files = parcel.files;
  const change = new Event("change", { bubbles: true });
  sorted.add(change);
  input.dispatchEvent(change);
}

/**
 * What is to become of files whose names are taken: `replace`, `both` or `skip`.
 * @param {[string, string][]} taken
 */
function askWhatToDo(taken) {
  const titles = taken.slice(0, 3).map(([, name]) => gettext("“{name}”", { name })).join(gettext(", "));
  const more = taken.length > 3 ? " " + gettext("and {n} more", { n: number(taken.length - 3) }) : "";
  const words = taken.length === 1
    ? gettext("A file called {name} is in the library already, as {titles}.", { name: taken[0][0], titles })
    : gettext("{files} have names that are in the library already: {titles}.", { files: plural(taken.length, "file"), titles: `${titles}${more}` });
  return askOneOf(words, [
    ["replace", gettext("Replace")], ["both", gettext("Keep both")], ["skip", gettext("Skip")],
  ], "skip");
}

/**
 * Sends a file again; one that was changed since, which a browser does not read, is chosen anew.
 * @param {HTMLElement} button
 */
async function retry(button) {
  const { name } = button.dataset;
  try {
    await sent.get(name).slice(0, 1).arrayBuffer();
  } catch {
    addDocuments();
    return;
  }
  void upload([[name, sent.get(name)]]);
}

/**
 * The files in what was dropped, as [path, file]; the file is null when it cannot be read.
 * @param {any} entry
 * @returns {Promise<[string, File | null][]>}
 */
async function filesIn(entry) {
  const path = entry.fullPath.replace(/^\/+/, "");
  if (HIDDEN.test(path) && path.includes("/")) return [];
  if (entry.isFile) {
    return [[path, await new Promise((done) => entry.file(done, () => done(null)))]];
  }
  const reader = entry.createReader();
  const files = [];
  for (;;) { // a folder is handed out a hundred entries at a time
    const batch = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!batch.length) return files;
    for (const child of batch) files.push(...(await filesIn(child)));
  }
}

/** @param {DragEvent} event */
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
/** @param {boolean} on */
const markDropping = (on) => document.body.classList.toggle("dropping", on);

/** @param {DragEvent} event */
async function uploadDropped(event) {
  if (!carriesFiles(event)) return;
  event.preventDefault(); // else the browser leaves the page and opens the file
  event.stopPropagation();
  markDropping(false);
  const entries = [...event.dataTransfer.items]
    .map((item) => item.webkitGetAsEntry?.())
    .filter(Boolean);
  void upload((await Promise.all(entries.map(filesIn))).flat());
}

/** @param {Event} event */
function uploadChosen(event) {
  const target = /** @type {HTMLInputElement} */ (placeOf(event));
  const folder = target.id === "folder-input";
  if (sorted.has(event) || !(folder || target.matches('#upload input[type="file"]'))) return;
  event.stopImmediatePropagation();
  /** @type {[string, File][]} */
  const chosen = [...target.files].map((file) => [file.webkitRelativePath || file.name, file]);
  target.value = ""; // else choosing the same file again, after a Skip, would be no change
  void upload(chosen.filter(([path]) => !folder || !HIDDEN.test(path)));
}

/** Files dropped anywhere on the page, chosen one by one or as a folder, all go the same way. */
export function acceptFiles() {
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    markDropping(true);
  }, true);
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) markDropping(false); // out of the window, not from one part to another
  }, true);
  document.addEventListener("drop", uploadDropped, true);
  document.addEventListener("change", uploadChosen, true);
}

// --- work under way ------------------------------------------------------------------------------

let announced = ""; // the number of the job whose end was announced
let ready = "0"; // how many files of the job under way are in the list

/** Lists what a job has ready as it goes on, and says what it has changed once it is over. */
export function watchWork() {
  const job = document.querySelector("#job .job");
  const now = Boolean(job?.dataset.running);
  document.body.classList.toggle("working", now);
  if (now && job.dataset.ready !== ready) {
    ready = job.dataset.ready;
    if (ready !== "0") void listLibrary();
  }
  if (!job || now || job.dataset.number === announced) return;
  announced = job.dataset.number;
  const said = job.querySelector(".summary, .problem")?.textContent ?? "";
  const waiting = [...document.querySelectorAll("#conversation .turn")].at(-1)
    ?.querySelector("[data-unread] [data-action=again]");
  if (job.dataset.replaced !== undefined) toast(said, gettext("Undo"), putBack);
  else if (waiting) toast(said, gettext("Ask again"), () => waiting.click());
  else toast(said);
  void listLibrary();
}

async function putBack() {
  toast(gettext("Bringing it back …"));
  const reply = await ask("put-back");
  if (reply) toast(reply.toast.text);
  await listLibrary();
}

/** @type {Record<string, () => unknown>} */
export const filters = {
  "chat-words": debounce(listChats),
  "library-words": debounce(listLibrary),
  "library-order": listLibrary,
  collection: switchCollection,
};

export const actions = {
  open, rename, only, retry, select, overview: showOverview, period: askPeriod, topic: askTopic, "pick-all": pickAll, "only-picked": onlyPicked,
  /** @param {HTMLElement} button */
  remove: (button) => remove([button.closest("li").dataset.document]),
  "tag-picked": tagPicked, "collect-picked": collectPicked,
  "remove-picked": () => remove([...picked.keys()]),
  /** @param {HTMLElement} button */
  "only-folder": ({ dataset: { folder } }) => limit("folders", folder, gettext("folder {name}", { name: folder })),
  "more-documents": moreDocuments, delete: drop, add: addDocuments,
  keep, "let-be": keep, "add-place": addPlace,
  /** @param {HTMLElement} button */
  tab: (button) => showTab(button.dataset.tab),
  samples: () => byId("samples").click(),
  /** @param {HTMLElement} button */
  dismiss: (button) => button.closest(".job").setAttribute("hidden", ""),
};
