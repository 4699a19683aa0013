/* What an annotator has said of the current item so far; it is kept until it is sent. */

const EMPTY = { choice: null, tags: [], comment: "", ideal: "", ideal_from: null, writes: false };
const $ = (id) => document.getElementById(id);

export class Draft {
  /* `kept` is where drafts lie; `sources()` gives the texts of both sides. */
  constructor(kept, tags, sources) {
    this.kept = kept;
    this.sources = sources;
    this.item = null;
    this.values = { ...EMPTY };
    $("tags").replaceChildren(...tags.map((tag, index) => this.#chip(tag, index)));
    $("comment").addEventListener("input", () => this.#set({ comment: $("comment").value }));
    $("ideal-text").addEventListener("input", () => this.#set({ ideal: $("ideal-text").value }));
    for (const one of document.querySelectorAll("[data-from]")) {
      one.addEventListener("click", () => this.beginWith(one.dataset.from || null));
    }
    $("comment-open").addEventListener("click", () => this.toggleComment());
    $("ideal-open").addEventListener("click", () => this.toggleIdeal());
    $("discard").addEventListener("click", () => this.#discard());
  }

  #chip(tag, index) {
    const chip = document.createElement("button");
    const key = TAG_KEYS[index];
    const words = tag.replaceAll("_", " ");
    chip.type = "button";
    chip.className = "chip";
    chip.dataset.tag = tag;
    chip.append(...(key ? [kbd(key)] : []), words[0].toUpperCase() + words.slice(1));
    if (key) chip.setAttribute("aria-keyshortcuts", key);
    chip.addEventListener("click", () => this.toggleTag(index));
    return chip;
  }

  open(item) {
    const { before } = item;
    const kept = this.kept.get(item.item_id);
    const said = before && { ...before, ideal: before.ideal ?? "", writes: before.ideal !== null };
    this.item = item;
    this.values = { ...EMPTY, ...(kept ?? said ?? {}) };
    $("comment").value = this.values.comment;
    $("ideal-text").value = this.values.ideal;
    this.#show(Boolean(this.values.comment));
  }

  /* What of it goes with an answer. An ideal response that changes nothing is none. */
  answer() {
    const { tags, comment, writes } = this.values;
    const ideal = writes && !this.isUnchanged && this.values.ideal.trim() ? this.values.ideal : null;
    return { tags, comment, ideal, ideal_from: ideal === null ? null : this.values.ideal_from };
  }

  get isUnchanged() {
    const { ideal } = this.values;
    return Object.values(this.sources()).some((text) => text.trim() === ideal.trim());
  }

  close() {
    if (this.item) this.kept.drop(this.item.item_id);
  }

  choose(choice) {
    this.#set({ choice });
  }

  toggleTag(index) {
    const { tag } = $("tags").children[index]?.dataset ?? {};
    if (!tag) return;
    const { tags } = this.values;
    this.#set({ tags: tags.includes(tag) ? tags.filter((one) => one !== tag) : [...tags, tag] });
  }

  toggleComment() {
    this.#show($("comment").hidden);
    if (!$("comment").hidden) $("comment").focus();
  }

  toggleIdeal() {
    this.#set({ writes: !this.values.writes });
    if (this.values.writes) this.#toIdeal();
  }

  beginWith(side) {
    const ideal = side ? this.sources()[side] : "";
    $("ideal-text").value = ideal;
    this.#set({ ideal, ideal_from: side });
    this.#toIdeal();
  }

  #discard() {
    $("ideal-text").value = "";
    this.#set({ ideal: "", ideal_from: null, writes: false });
    $("ideal-open").focus();
  }

  #toIdeal() {
    $("ideal-text").focus({ preventScroll: true });
    $("ideal").scrollIntoView({ block: "center" });
  }

  #set(values) {
    Object.assign(this.values, values);
    if (this.item) this.kept.put(this.item.item_id, this.values);
    this.#show(!$("comment").hidden);
  }

  #show(commentIsOpen) {
    const { choice, tags, comment, writes, ideal } = this.values;
    for (const chip of $("tags").children) press(chip, tags.includes(chip.dataset.tag));
    for (const one of document.querySelectorAll(".choice")) {
      one.classList.toggle("chosen", one.dataset.choice === choice);
    }
    $("comment").hidden = !commentIsOpen;
    expand($("comment-open"), commentIsOpen, comment);
    $("ideal").hidden = !writes;
    expand($("ideal-open"), writes, writes && ideal.trim());
    $("ideal-note").textContent = writes ? this.#note() : "";
  }

  #note() {
    const { ideal } = this.values;
    const count = ideal.trim() ? ideal.trim().split(/\s+/u).length : 0;
    if (!count) return "Empty: nothing is kept of it.";
    if (this.isUnchanged) return "Nothing is changed yet: nothing is kept of it.";
    const words = `${count} ${count === 1 ? "word" : "words"}`;
    return `${words}. It goes with your answer, as a response of this and of later rounds.`;
  }
}

export const TAG_KEYS = [..."ASDFGHJK"];

function kbd(key) {
  const element = document.createElement("kbd");
  element.textContent = key;
  element.setAttribute("aria-hidden", "true");
  return element;
}

function press(button, isPressed) {
  button.setAttribute("aria-pressed", String(isPressed));
}

function expand(button, isOpen, isUsed) {
  button.setAttribute("aria-expanded", String(isOpen));
  button.classList.toggle("used", Boolean(isUsed));
}
