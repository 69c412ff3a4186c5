// What the console does in the browser: live updates, keys 1-3, inserting a draft. Texts are never built here:
// the server renders and escapes, htmx swaps, and this file moves values between fields of the same page.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");

  // --- live: the server says that something changed, the page asks for the part that shows it
  function listen() {
    const source = document.body.dataset.events;
    if (!source) return;
    const events = new EventSource(source);
    const connection = byId("connection");
    events.addEventListener("open", () => { connection.hidden = true; });
    events.addEventListener("error", () => { connection.hidden = false; });
    for (const name of ["inbox", "conversation", "delivery"]) {
      events.addEventListener(name, () => htmx.trigger(document.body, `${name}-changed`));
    }
    events.addEventListener("signed-out", () => { events.close(); location.reload(); });
    addEventListener("pagehide", () => events.close());
  }

  // --- drafts: insert one into the composer
  function insert(card) {
    const text = byId("text");
    if (!card || !text || text.disabled) return;
    text.value = card.querySelector("[data-text]").textContent;
    byId("draft_id").value = card.dataset.draft;
    for (const other of document.querySelectorAll(".draft")) {
      other.setAttribute("aria-pressed", String(other === card));
    }
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
    htmx.trigger(text, "input");
  }

  document.addEventListener("click", (event) => {
    const card = event.target.closest(".draft");
    if (card) insert(card);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter") {
      const send = byId("send");
      if (send && !send.disabled) { event.preventDefault(); send.click(); }
      return;
    }
    if (event.key === "Escape" && document.activeElement === byId("text")) {
      document.activeElement.blur();
      return;
    }
    const digit = /^(?:Digit|Numpad)([1-3])$/.exec(event.code)?.[1] ?? (/^[1-3]$/.test(event.key) ? event.key : null);
    if (!digit || event.ctrlKey || event.metaKey) return;
    if (typing() && !event.altKey) return; // while writing, 1-3 are digits; Alt+1-3 still insert
    const card = document.querySelectorAll(".draft")[Number(digit) - 1];
    if (card) { event.preventDefault(); insert(card); }
  });

  // --- the thread: stay at the newest turn, and ask for new drafts when the customer has written again
  let customerTurn = null;
  function settle() {
    const thread = byId("thread");
    if (!thread) return;
    thread.scrollTop = thread.scrollHeight;
    const latest = thread.dataset.customerTurn;
    if (customerTurn !== null && latest !== customerTurn) htmx.trigger(document.body, "customer-wrote");
    customerTurn = latest;
    const version = byId("version");
    if (version) version.value = thread.dataset.version;
    // Somebody took or released it: the composer has to follow, but never at the price of what was typed.
    const text = byId("text");
    if (text && text.disabled === (thread.dataset.mine === "yes") && !text.value) location.reload();
  }

  document.addEventListener("DOMContentLoaded", () => { listen(); settle(); });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "thread") settle();
  });
})();
