/* The keyboard. Keys mean nothing while somebody writes, nor with Ctrl, Alt or Meta. */

import { TAG_KEYS } from "./draft.js";

const CHOICES = {
  1: "left_much",
  2: "left",
  3: "tie",
  4: "right",
  5: "right_much",
  6: "both_bad",
  0: "skip",
};

/* Calls `act(name, value)`; `isOn()` says whether single keys are wanted. */
export function listenToKeys(act, isOn) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (document.querySelector("dialog[open]")) return;
    const field = event.target.closest?.("textarea, input, select");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (!isOn()) return;
    const [name, value] = meaning(event);
    if (!name) return;
    event.preventDefault();
    act(name, value);
  });
}

function meaning(event) {
  const digit = /^(?:Digit|Numpad)(\d)$/u.exec(event.code)?.[1];
  if (digit && !event.shiftKey && CHOICES[digit]) return ["choose", CHOICES[digit]];
  if (event.key === "Enter") return event.target.closest?.("button, a, summary") ? [] : ["save"];
  const key = event.key.toUpperCase();
  const tag = TAG_KEYS.indexOf(key);
  if (tag >= 0) return ["tag", tag];
  return { Z: ["undo"], V: ["differences"], P: ["plain"], C: ["comment"], E: ["ideal"], "?": ["help"] }[key] ?? [];
}
