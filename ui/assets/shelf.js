// The left pane: conversations, the library, files on their way in.

import { ask, byId, toast, unhurried } from "./desk.js";
import { choose, clear, conversation, enter, openConversation, running } from "./talk.js";

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
    const here = row.dataset.id === conversation();
    row.classList.toggle("here", here);
    const name = row.querySelector(".name");
    if (here) name?.setAttribute("aria-current", "true");
    else name?.removeAttribute("aria-current");
  }
}

async function open(button) {
  const { id } = button.closest("li").dataset;
  if (id === conversation()) return;
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
  const here = id === conversation();
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
let polls = 0;

export async function listLibrary() {
  const reply = await ask("shelf", { words: byId("library-words").value });
  if (!reply) return;
  const nothing = reply.documents === 0;
  if (empty !== nothing && nothing) showTab("library");
  empty = nothing;
  document.body.classList.toggle("empty-library", nothing);
  polls = 40;
  void lookForSuggestions();
}

async function lookForSuggestions() {
  if (empty || polls-- <= 0 || running()) return;
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
}

// --- files on their way in -----------------------------------------------------------------------

const KINDS = /\.(txt|md|html?|pdf|docx)$/i;

/** Hands files to Gradio's uploader; those from folders keep their folders' names. */
function hand(files) {
  const fitting = files.filter(([name]) => KINDS.test(name));
  if (!fitting.length) return toast("No articles there: .txt, .md, .html, .pdf or .docx.");
  const input = byId("upload").querySelector('input[type="file"]');
  const parcel = new DataTransfer();
  for (const [name, file] of fitting) parcel.items.add(new File([file], name));
  input.files = parcel.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

const flat = (path) => path.replace(/^\/+/, "").replaceAll("/", " - ");

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    return [[flat(entry.fullPath), file]];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a folder is handed out a hundred entries at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesIn(one)));
  }
}

export function takeDrops() {
  const left = byId("left");
  left.addEventListener("drop", async (event) => {
    const entries = [...(event.dataTransfer?.items ?? [])]
      .map((item) => item.webkitGetAsEntry?.())
      .filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return; // Gradio takes files by itself
    event.preventDefault();
    event.stopPropagation();
    const found = await Promise.all(entries.map(filesIn));
    hand(found.flat());
  }, true);
  left.addEventListener("change", (event) => {
    if (event.target.id !== "folder-input") return;
    hand([...event.target.files].map((file) => [flat(file.webkitRelativePath), file]));
    event.target.value = "";
  });
}

// --- work under way ------------------------------------------------------------------------------

let told = ""; // the number of the job whose end has been told

/** Says what a finished job has changed, once. */
export function watchWork() {
  const job = document.querySelector("#job .job");
  const now = Boolean(job?.dataset.running);
  document.body.classList.toggle("working", now);
  if (!job || now || job.dataset.number === told) return;
  told = job.dataset.number;
  toast(job.querySelector(".summary, .problem")?.textContent ?? "");
  void listLibrary();
}

export const filters = {
  "chat-words": unhurried(listChats),
  "library-words": unhurried(listLibrary),
};

export const actions = {
  open, rename, remove, only, delete: drop, add: addDocuments,
  tab: (button) => showTab(button.dataset.tab),
  samples: () => byId("samples").click(),
  dismiss: (button) => button.closest(".job").setAttribute("hidden", ""),
};
