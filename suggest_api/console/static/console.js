// What the console does in the browser: live updates, keys, inserting a draft, keeping what was typed. No markup is
// built here: the server renders and escapes, htmx swaps, and this file moves texts between fields of the same page.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const tell = (text) => { const line = byId("trouble"); if (line) { line.textContent = text; line.hidden = !text; } };
  const announce = (text) => { const line = byId("announce"); if (line) line.textContent = text; };
  const trigger = (name) => htmx.trigger(document.body, name);
  const INTERRUPTED = "Live updates are interrupted. Trying again.";
  const RETRY_MS = 3000;

  // --- live: the server says that something changed, the page asks for the part that shows it
  const CHANGES = ["inbox", "conversation", "delivery", "drafts", "frozen"];
  function listen() {
    const address = document.body.dataset.events;
    if (!address) return;
    const source = new EventSource(address);
    source.addEventListener("open", () => {
      if (byId("trouble").textContent === INTERRUPTED) tell("");
      for (const name of CHANGES) trigger(`${name}-changed`); // whatever happened while nobody listened
    });
    source.addEventListener("error", () => {
      tell(INTERRUPTED);
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      trigger("inbox-changed"); // if the session has ended, this leads to the sign-in
      setTimeout(listen, RETRY_MS);
    });
    for (const name of CHANGES) source.addEventListener(name, () => trigger(`${name}-changed`));
    source.addEventListener("drafts", () => {
      announce("The drafts changed: something was recalled, frozen or thawed.");
      const text = byId("text");
      if (text?.value) htmx.trigger(text, "recheck"); // what stands in the composer may not be sent any more
    });
    source.addEventListener("signed-out", () => { source.close(); location.reload(); });
    addEventListener("pagehide", () => source.close());
  }
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // --- what was typed survives a reload, a lost session and a conflict; it stays in this tab, for this person
  const shelf = () => {
    const place = document.querySelector("[data-conversation]");
    return place && `typed:${document.body.dataset.who}:${place.dataset.conversation}`;
  };
  function keep() {
    const text = byId("text");
    if (!text || !shelf()) return;
    if (text.value) sessionStorage.setItem(shelf(), JSON.stringify([text.value, byId("draft_id").value]));
    else sessionStorage.removeItem(shelf());
  }
  function restore() {
    const text = byId("text");
    const kept = shelf() && sessionStorage.getItem(shelf());
    if (!text || text.value || !kept) return;
    const [typed, draft] = JSON.parse(kept);
    text.disabled = false;
    text.value = typed;
    byId("draft_id").value = draft;
    htmx.trigger(text, "recheck");
  }

  // --- drafts: insert one into the composer
  function insert(card) {
    const text = byId("text");
    if (!card || !text || text.disabled) return;
    text.focus();
    text.select();
    const draft = card.querySelector("[data-text]").textContent;
    // The editing command, where there is one, so that Ctrl+Z brings back what was typed before.
    if (!document.execCommand("insertText", false, draft)) text.value = draft;
    byId("draft_id").value = card.dataset.draft;
    press();
    text.scrollTop = 0;
    htmx.trigger(text, "recheck");
    keep();
  }
  function press() {
    const chosen = byId("draft_id")?.value;
    for (const card of document.querySelectorAll(".draft")) {
      const pressed = card.dataset.draft === chosen;
      card.setAttribute("aria-pressed", String(pressed));
      if (pressed) card.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
  document.addEventListener("click", (event) => {
    const card = event.target.closest(".draft");
    if (card) { event.preventDefault(); insert(card); }
  });

  // --- sending: Send follows the newest verdict; Ctrl+Enter waits for the one that is on its way
  let checking = false;
  let sendWhenChecked = false;
  function mind() {
    const text = byId("text");
    const send = byId("send");
    if (!text || !send) return;
    const empty = !text.value.trim();
    send.disabled = empty || text.disabled || byId("verdict").dataset.outcome === "block";
  }
  function send() {
    if (checking) { sendWhenChecked = true; return; }
    const button = byId("send");
    if (button && !button.disabled) button.click();
  }
  document.addEventListener("input", (event) => {
    if (event.target.id !== "text") return;
    if (!event.target.value) byId("draft_id").value = "";
    checking = true;
    sendWhenChecked = false;
    press();
    keep();
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const active = document.activeElement;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      if (active?.closest("#composer")) { event.preventDefault(); send(); }
      return;
    }
    if (event.key === "Escape" && active?.closest("#composer")) { active.blur(); return; }
    const digit = /^(?:Digit|Numpad)([1-3])$/.exec(event.code)?.[1];
    if (!digit || event.ctrlKey || event.metaKey) return;
    if (active?.matches("input, textarea, select") && !event.altKey) return; // while writing, 1-3 are digits
    const card = document.querySelectorAll(".draft")[Number(digit) - 1];
    if (card) { event.preventDefault(); insert(card); }
  });

  // --- the thread: stay at the newest turn, and ask for new drafts when the customer has written again
  const toNewest = (thread) => { thread.scrollTop = thread.scrollHeight; };
  const grown = new ResizeObserver((entries) => entries.forEach(({ target }) => toNewest(target)));
  let customerTurn = null;
  let mine = null;
  function settle() {
    const thread = byId("thread");
    if (!thread) return;
    toNewest(thread);
    grown.disconnect();
    grown.observe(thread);
    const latest = thread.dataset.customerTurn;
    if (customerTurn !== null && latest !== customerTurn) {
      announce("The customer wrote again.");
      trigger("answered-or-asked");
    }
    customerTurn = latest;
    const version = byId("version");
    if (version) version.value = thread.dataset.version;
    // Somebody took or released it: the composer follows, and what was typed stays in it.
    const text = byId("text");
    if (text && mine !== null && mine !== thread.dataset.mine) {
      text.disabled = thread.dataset.mine === "no" && !text.value;
      htmx.trigger(text, "recheck");
    }
    mine = thread.dataset.mine;
  }
  let outcome = "";
  function judged() {
    checking = false;
    mind();
    const latest = byId("verdict").dataset.outcome;
    if (latest !== outcome) announce(byId("outcome").textContent.trim());
    outcome = latest;
    if (sendWhenChecked) { sendWhenChecked = false; send(); }
  }

  // --- times in the time zone of whoever looks
  function localise(root) {
    for (const time of root.querySelectorAll("time.clock")) {
      const at = new Date(time.dateTime);
      time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
      time.title = at.toLocaleString();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    localise(document);
    settle();
    restore();
    mind();
    press();
    listen();
    byId("sign-out")?.addEventListener("submit", () => sessionStorage.clear());
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    localise(document);
    const id = event.target.id;
    if (id === "thread") settle();
    if (id === "drafts") press();
    if (id === "composer") { keep(); press(); }
    if (id === "composer" || id === "verdict") judged();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && byId("trouble")?.textContent !== INTERRUPTED) tell("");
  });
  document.addEventListener("htmx:responseError", (event) => {
    checking = false;
    const status = event.detail.xhr.status;
    if (status !== 401) tell(`${event.detail.xhr.responseText || "That did not work."} What you wrote is still here.`);
  });
  document.addEventListener("htmx:sendError", () => {
    checking = false;
    tell("The service cannot be reached. What you wrote is still here.");
  });
})();
