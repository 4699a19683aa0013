/* What is seen: an item, how far everybody is, and words to the annotator. */

import { markDifferences } from "./differences.js";

const $ = (id) => document.getElementById(id);
const ROLES = { user: "User", assistant: "Assistant", system: "Instructions to the model" };
const SIDES = ["left", "right"];
const TOAST = 6000; // ms

export class View {
  constructor(settings) {
    this.settings = settings;
    this.item = null;
    this.toastTimer = null;
  }

  /* One of loading, item, message. */
  set state(state) {
    document.body.dataset.state = state;
  }

  show(item) {
    this.item = item;
    this.state = "item";
    $("work").dataset.item = item.item_id;
    $("messages").replaceChildren(...item.messages.map(turn));
    this.drawSides();
    document.scrollingElement.scrollTop = 0;
    $("messages").scrollTop = $("messages").scrollHeight;
    makeReachable($("messages"));
    $("work").focus({ preventScroll: true });
  }

  drawSides() {
    const { plain, differences } = this.settings.values;
    for (const side of SIDES) $(side).replaceChildren(this.#content(side, plain));
    if (differences) markDifferences($("left"), $("right"));
    $("plain").setAttribute("aria-pressed", String(plain));
    $("differences").setAttribute("aria-pressed", String(differences));
  }

  #content(side, plain) {
    const { text, html } = this.item[side];
    if (!plain) return parsed(html);
    const element = document.createElement("pre");
    element.className = "plain";
    element.tabIndex = 0;
    element.textContent = text;
    return element;
  }

  /* Texts of both sides, as they were written. */
  get texts() {
    return this.item ? { left: this.item.left.text, right: this.item.right.text } : {};
  }

  progress({ progress }, waiting) {
    const extra = waiting.reduce((sum, [, one]) => sum + (one.choice === "withdrawn" ? -1 : 1), 0);
    const done = Math.max(0, progress.done + extra);
    const left = Math.max(0, progress.left - extra);
    const share = done + left ? (100 * done) / (done + left) : 100;
    $("progress").setAttribute("aria-valuenow", share.toFixed(0));
    $("progress").firstElementChild.style.width = `${share}%`;
    const words = [`<b>${done.toLocaleString("en")}</b> done`, `${left.toLocaleString("en")} left`];
    if (progress.seconds) {
      words.push(`${clock(progress.seconds)} each`);
      if (left) words.push(`about ${duration(progress.seconds * left)}`);
    }
    $("pace").innerHTML = words.map((one) => `<span>${one}</span>`).join("");
  }

  link(outbox) {
    const size = outbox.size;
    const away = outbox.isFailing;
    $("link").dataset.link = away ? "away" : size ? "sending" : "ok";
    const waits = size ? `${size} to send` : "";
    $("link").textContent = away ? ["Offline", waits].filter(Boolean).join(" · ") : waits || "Saved";
  }

  message(title, text, { mayUndo = false, signIn = false, next = "" } = {}) {
    const isNew = $("message-title").textContent !== title || document.body.dataset.state !== "message";
    this.state = "message";
    $("message-title").textContent = title;
    $("message-text").textContent = text;
    $("message-undo").hidden = !mayUndo;
    $("message-next").hidden = !next;
    $("message-next").href = next;
    $("sign-in").hidden = !signIn;
    delete $("work").dataset.item;
    if (isNew && !signIn) $("message").focus();
  }

  say(text, { undo = false } = {}) {
    const [words, button] = $("toast").children;
    clearTimeout(this.toastTimer);
    words.textContent = text;
    button.hidden = !undo;
    $("toast").classList.add("seen");
    this.toastTimer = setTimeout(() => $("toast").classList.remove("seen"), TOAST);
  }
}

function turn({ role, html }) {
  const isAside = role === "system";
  const element = document.createElement(isAside ? "details" : "div");
  const name = document.createElement(isAside ? "summary" : "h3");
  const text = document.createElement("div");
  element.className = `turn ${role in ROLES ? role : "other"}`;
  name.className = "role";
  name.textContent = ROLES[role] ?? role;
  text.className = "text";
  text.dir = "auto";
  text.append(parsed(html));
  element.append(name, text);
  return element;
}

/* The server's HTML, which it made from markdown with HTML switched off. */
function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/* Whoever has no mouse scrolls an element that can be focused. */
function makeReachable(element) {
  if (element.scrollHeight > element.clientHeight) element.tabIndex = 0;
  else element.removeAttribute("tabindex");
}

function clock(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function duration(seconds) {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 90) return `${minutes} min`;
  return `${(minutes / 60).toFixed(1).replace(".0", "")} h`;
}
