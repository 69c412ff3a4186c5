// The chat page of the network double: write as a customer, see replies as they arrive. All text is set as text nodes.
"use strict";

const POLL_MS = 700; // a reply shows within a second
const RETRY_MS = 2000; // while the network double itself cannot be reached

const find = (id) => document.getElementById(id);
const who = new URLSearchParams(location.search).get("as");
const shown = new Map(); // message id -> its list item

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function chatAddress(name) {
  return `/?${new URLSearchParams({ as: name })}`;
}

async function choose() {
  find("choose").hidden = false;
  find("join").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = find("name").value.trim();
    if (name) location.assign(chatAddress(name));
  });
  find("name").focus();
  const { customers } = await ask("/api/customers");
  find("known-title").hidden = customers.length === 0;
  for (const customer of customers) {
    const link = document.createElement("a");
    const count = document.createElement("small");
    link.href = chatAddress(customer.name);
    link.append(customer.name);
    count.textContent = customer.messages === 1 ? "1 message" : `${customer.messages} messages`;
    link.append(count);
    const item = document.createElement("li");
    item.append(link);
    find("known").append(item);
  }
}

function note(message) {
  const time = new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (message.from === "customer") {
    const word = { waiting: "on its way", delivered: "delivered", refused: "refused" }[message.state];
    return `${time} · ${word}`;
  }
  return message.repeats > 0 ? `${time} · sent again ${message.repeats}×, shown once` : time;
}

function show(message) {
  let item = shown.get(message.id);
  const isNew = !item;
  if (isNew) {
    item = document.createElement("li");
    const bubble = document.createElement("div");
    bubble.className = "bubble";
    bubble.textContent = message.text;
    item.append(bubble, document.createElement("small"));
    item.dataset.id = message.id;
    shown.set(message.id, item);
    find("messages").append(item);
  }
  const line = note(message);
  if (item.lastChild.textContent !== line) item.lastChild.textContent = line;
  item.className = message.from;
  item.classList.toggle("refused", message.state === "refused");
  item.classList.toggle("repeated", message.repeats > 0);
  if (isNew) find("messages").scrollTop = find("messages").scrollHeight;
}

function showEmpty(empty) {
  const old = find("messages").querySelector(".empty");
  if (!empty && old) old.remove();
  if (empty && !old) {
    const hint = document.createElement("li");
    hint.className = "empty";
    hint.textContent = "Ask about an order, a return, a shop or anything else.";
    find("messages").append(hint);
  }
}

const COUNTS = [
  ["events_waiting", "Events not yet delivered"], ["events_delivered", "Events delivered"],
  ["events_refused", "Events refused"], ["sends_taken", "Replies taken"], ["repeats", "Replies sent again"],
];

function showNetwork(network) {
  find("counts").replaceChildren(...COUNTS.flatMap(([key, label]) => {
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = label;
    value.textContent = network[key];
    return [term, value];
  }));
  if (document.activeElement !== find("sends")) find("sends").value = network.sends_weather;
  const odd = [];
  if (find("duplicate").valueAsNumber > 1) odd.push("duplicates");
  if (find("delay").valueAsNumber > 0) odd.push("late");
  if (find("out-of-order").checked) odd.push("out of order");
  if (network.sends_weather !== "normal") odd.push("replies disturbed");
  find("weather-now").textContent = odd.length ? `· ${odd.join(", ")}` : "· fair";
}

async function refresh() {
  const { messages, network } = await ask(`/api/messages?${new URLSearchParams({ as: who })}`);
  showEmpty(messages.length === 0);
  messages.forEach(show);
  showNetwork(network);
  const unread = messages.some((m) => m.from === "brand" && m.state !== "read");
  if (unread && document.visibilityState === "visible") await ask("/api/seen", { as: who });
}

function tell(trouble) {
  find("trouble").hidden = !trouble;
  find("trouble").textContent = trouble;
}

async function watch() {
  try {
    await refresh();
    tell("");
    setTimeout(watch, POLL_MS);
  } catch {
    tell("The network cannot be reached. Trying again.");
    setTimeout(watch, RETRY_MS);
  }
}

async function send(event) {
  event.preventDefault();
  const text = find("text").value;
  if (!text.trim()) return;
  find("text").value = "";
  try {
    await ask("/api/events", {
      as: who, text,
      duplicate: find("duplicate").valueAsNumber || 1,
      delay_seconds: find("delay").valueAsNumber || 0,
      out_of_order: find("out-of-order").checked,
      fresh_ids: find("fresh-ids").checked,
    });
    await refresh();
  } catch {
    if (!find("text").value) find("text").value = text;
    tell("That was not sent. Your text is still here.");
  }
}

function chat() {
  find("chat").hidden = false;
  find("me").textContent = who;
  document.title = `${who} · messages`;
  find("compose").addEventListener("submit", send);
  find("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  });
  find("sends").addEventListener("change", () => ask("/api/weather", { sends: find("sends").value }));
  find("text").focus();
  watch();
}

if (who && who.trim()) chat();
else choose();
