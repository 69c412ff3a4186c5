// Keys of every page: `?` lists them, `g` and a letter goes somewhere, `j` and `k` walk through a list, `/` goes to the
// search, and a single letter presses what is marked with data-key. Nothing here changes markup.
"use strict";

(() => {
  const GO_MS = 1500; // how long `g` waits for its letter
  let goUntil = 0;

  const writing = (element) => element?.matches("input:not([type=checkbox], [type=radio], [type=file]), textarea, select");
  const shown = (element) => element.checkVisibility?.() ?? true;
  const items = () => [...document.querySelectorAll("[data-item]")].filter(shown);

  function walk(step) {
    const all = items();
    if (!all.length) return false;
    const at = all.findIndex((item) => item === document.activeElement || item.contains(document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  function press(letter) {
    const marked = [...document.querySelectorAll(`[data-key="${letter}"]`)];
    const button = marked.find((element) => shown(element) && !element.disabled);
    if (!button) return false;
    if (button.matches("textarea, input, select")) button.focus();
    else if (button.matches("details")) { button.open = !button.open; button.querySelector("textarea, input")?.focus(); }
    else button.click();
    return true;
  }

  function help() {
    const keys = document.getElementById("keys");
    if (keys && !keys.open) keys.showModal();
    return Boolean(keys);
  }

  function handle(event) {
    if (event.key === "?") return help();
    if (event.timeStamp < goUntil) {
      goUntil = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      return Boolean(link);
    }
    if (event.key === "g") { goUntil = event.timeStamp + GO_MS; return true; }
    if (event.key === "j") return walk(1);
    if (event.key === "k") return walk(-1);
    return /^[a-z/]$/.test(event.key) && press(event.key);
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey) return;
    const active = document.activeElement;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      const main = active?.closest("form[data-main]")?.querySelector("[data-primary]");
      if (main && !main.disabled) { event.preventDefault(); main.click(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (writing(active)) {
      if (event.key === "Escape" && !active.closest("#composer")) active.blur();
      return;
    }
    if (handle(event)) event.preventDefault();
  });

  // A step that cannot be taken back asks first; without this script the page behind the button still names it.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // On a phone the rows of pages and sections scroll: where one is has to be in sight.
  for (const here of document.querySelectorAll("nav [aria-current]")) {
    const row = here.closest("nav");
    row.scrollLeft += here.getBoundingClientRect().left - row.getBoundingClientRect().left - row.clientWidth / 3;
  }

  // What was typed in a large form is not lost by a wrong click.
  let typed = false;
  document.addEventListener("input", (event) => { if (event.target.closest("form[data-main]")) typed = true; });
  document.addEventListener("submit", () => { typed = false; });
  addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });
})();
