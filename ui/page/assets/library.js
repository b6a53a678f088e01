// The left pane: conversations, the library, files on their way in.

import { ask, byId, debounce, toast } from "./api.js";
import {
  choose, clear, currentConversation, enter, openConversation, running,
} from "./conversation.js";

// --- tabs ----------------------------------------------------------------------------------------

export function showTab(name) {
  byId("left").dataset.tab = name;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const on = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
}

// --- conversations -------------------------------------------------------------------------------

const chatWords = () => byId("chat-words").value;

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

async function open(button) {
  const { id } = button.closest("li").dataset;
  if (id === currentConversation()) return;
  if (document.querySelector("#current .turn")) byId("leave").click();
  clear();
  await openConversation(id);
  markChat();
}

function rename(button) {
  const row = button.closest("li");
  const name = row.querySelector(".name");
  const input = document.createElement("input");
  input.value = name.textContent;
  input.maxLength = 120;
  input.setAttribute("aria-label", "Title");
  name.replaceWith(input);
  input.select();
  let done = false;
  const end = async (keep) => {
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
  toast(reply.toast.text, "Undo", async () => {
    if ((await ask("undelete", { id, words: chatWords() })) && here) await openConversation(id);
    markChat();
  });
}

// --- the library ---------------------------------------------------------------------------------

let empty = null;
let pollsLeft = 0;

export async function listLibrary() {
  const reply = await ask("library", listed());
  if (!reply) return;
  watchEnd();
  followFolders();
  const nothing = reply.documents === 0;
  if (empty !== nothing && nothing) showTab("library");
  empty = nothing;
  document.body.classList.toggle("empty-library", nothing);
  pollsLeft = 40;
  void lookForSuggestions();
}

// --- folders that keep themselves up to date -------------------------------------------------------

/** Called by Gradio when a folder is added: its path, and whether it is kept up to date. */
window.pilcrow.place = () => {
  const path = byId("place-path").value;
  byId("place-path").value = "";
  document.querySelector(".in-place").open = false;
  return JSON.stringify({ path, keep: byId("place-keep").checked });
};

export function addPlace() {
  if (byId("place-path").value.trim()) byId("add-place").click();
  else byId("place-path").focus();
}

async function keep(button) {
  await ask(button.dataset.action, { place: button.dataset.place });
  followFolders();
}

let following = 0;
let change = null; // the state of the library that is listed

/** While folders are kept up to date, the list follows what they bring. */
function followFolders() {
  window.clearTimeout(following);
  if (!document.querySelector(".places [data-kept]")) return;
  following = window.setTimeout(async () => {
    if (document.hidden || document.body.classList.contains("lost")) return followFolders();
    const reply = await ask("folders");
    const news = reply && change !== null && reply.change !== change;
    if (reply) change = reply.change;
    if (news && !document.body.classList.contains("working")) await listLibrary();
    else followFolders();
  }, 1000);
}

const listed = () => ({ words: byId("library-words").value, order: byId("library-order").value });

/** Puts more rows in the place of the one that stands for them. */
async function moreDocuments(button) {
  if (button.disabled) return;
  button.disabled = true;
  const reply = await ask("more-documents", { ...listed(), first: Number(button.dataset.first) });
  if (!reply || !button.isConnected) {
    button.disabled = false;
    return;
  }
  button.closest("li").outerHTML = reply.html;
  watchEnd();
}

const end = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) void moreDocuments(target);
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

async function remove(button, sure = false) {
  const { document: id } = button.closest("li").dataset;
  const reply = await ask("remove", { id, sure });
  if (!reply) return;
  if (reply.confirm) {
    toast(reply.confirm, "Remove", () => remove(button, true));
    return;
  }
  await listLibrary();
  const { text, undo } = reply.toast;
  toast(text, "Undo", undo && (async () => {
    toast("Bringing it back …");
    const back = await ask("restore", undo);
    if (back) toast(back.toast.text);
    await listLibrary();
  }));
}

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

let leftOut = []; // [name, why]: files that are not sent, for the job's list, or replace others

/** Called by Gradio when the files are at the server: what was dropped with them and stayed here. */
window.pilcrow.leftOut = () => {
  const names = JSON.stringify(leftOut.slice(0, 1000)); // as many as the server lists
  leftOut = [];
  return names;
};

/** The endings of files that are read, as the server gave them to the upload. */
function accepted() {
  const input = byId("upload").querySelector('input[type="file"]');
  return input.accept.toLowerCase().split(",").map((suffix) => suffix.trim());
}

function whyNot(name, file) {
  if (!accepted().some((suffix) => name.toLowerCase().endsWith(suffix))) return "kind";
  if (!file) return "unreadable";
  return file.size > LARGEST ? "size" : "";
}

const sent = new Map(); // name → file, as long as the page is open, to be tried again

/** Hands [path, file] pairs to Gradio's uploader; those from folders keep their folders' names. */
async function upload(files) {
  const named = new Map();
  const remarks = [];
  for (const [path, file] of files) {
    const name = path.replaceAll("/", " - ");
    const why = whyNot(name, file);
    if (why) remarks.push([name, why]);
    else named.set(name, file);
  }
  if (!named.size) {
    toast(`Nothing to add: articles are ${accepted().join(", ")}, up to 20 MB.`);
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
      toast(taken.length === 1 ? `“${taken[0][1]}” stays as it is.` : "They stay as they are.");
      return;
    }
  }
  const parcel = new DataTransfer();
  for (const [name, file] of named) {
    parcel.items.add(new File([file], name));
    sent.set(name, file);
  }
  leftOut = remarks;
  const input = byId("upload").querySelector('input[type="file"]');
  input.files = parcel.files;
  const change = new Event("change", { bubbles: true });
  change.sorted = true;
  input.dispatchEvent(change);
}

/** What is to become of files whose names are taken: `replace`, `both` or `skip`. */
function askWhatToDo(taken) {
  const dialog = document.createElement("dialog");
  dialog.className = "same-name";
  const line = document.createElement("p");
  line.id = "same-name";
  line.dir = "auto";
  const titles = taken.slice(0, 3).map(([, title]) => `“${title}”`).join(", ");
  const more = taken.length > 3 ? ` and ${taken.length - 3} more` : "";
  line.textContent = taken.length === 1
    ? `A file called ${taken[0][0]} is in the library already, as ${titles}.`
    : `${taken.length} files have names that are in the library already: ${titles}${more}.`;
  dialog.setAttribute("aria-labelledby", line.id);
  const row = document.createElement("form");
  row.method = "dialog";
  for (const [value, words] of [
    ["replace", "Replace"], ["both", "Keep both"], ["skip", "Skip"],
  ]) {
    const button = document.createElement("button");
    Object.assign(button, { value, textContent: words, className: "quiet-button" });
    row.append(button);
  }
  dialog.append(line, row);
  byId("left").append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue || "skip");
    });
  });
}

/** Sends a file again; one that was changed since, which a browser does not read, is chosen anew. */
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

/** The files in what was dropped, as [path, file]; the file is null when it cannot be read. */
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

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
const markDropping = (on) => document.body.classList.toggle("dropping", on);

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

function uploadChosen(event) {
  const { target } = event;
  const folder = target.id === "folder-input";
  if (event.sorted || !(folder || target.matches('#upload input[type="file"]'))) return;
  event.stopImmediatePropagation();
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

/** Says what a finished job has changed, once. */
export function watchWork() {
  const job = document.querySelector("#job .job");
  const now = Boolean(job?.dataset.running);
  document.body.classList.toggle("working", now);
  if (!job || now || job.dataset.number === announced) return;
  announced = job.dataset.number;
  const said = job.querySelector(".summary, .problem")?.textContent ?? "";
  const waiting = [...document.querySelectorAll("#conversation .turn")].at(-1)
    ?.querySelector("[data-unread] [data-action=again]");
  if (job.dataset.replaced !== undefined) toast(said, "Undo", putBack);
  else if (waiting) toast(said, "Ask again", () => waiting.click());
  else toast(said);
  void listLibrary();
}

async function putBack() {
  toast("Bringing it back …");
  const reply = await ask("put-back");
  if (reply) toast(reply.toast.text);
  await listLibrary();
}

export const filters = {
  "chat-words": debounce(listChats),
  "library-words": debounce(listLibrary),
  "library-order": listLibrary,
};

export const actions = {
  open, rename, remove, only, retry, "more-documents": moreDocuments, delete: drop, add: addDocuments,
  keep, "let-be": keep, "add-place": addPlace,
  tab: (button) => showTab(button.dataset.tab),
  samples: () => byId("samples").click(),
  dismiss: (button) => button.closest(".job").setAttribute("hidden", ""),
};
