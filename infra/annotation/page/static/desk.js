/* What lies before an annotator: the item that is looked at, those that come next, and the way
   back. An answer is on its way before its item is put aside, so no reload shows it again. */

import { Unreachable } from "./api.js";

const AHEAD = 4;
const MOST_AHEAD = 20;
const MOST_BACK = 50;
const SEND_PATIENCE = 4000;
const LOOK_AGAIN = 10_000;
const RENEW = 45_000;
const IDLE = 600_000; // ms; after that, others may have the items

export class Desk {
  /* `page` shows: show(item), nothing(state), progress(state), failed(error), say(text). */
  constructor({ api, path, name, kept, outbox, page }) {
    Object.assign(this, { api, path, name, kept, outbox, page });
    this.ahead = kept.get("ahead", []).filter((item) => !this.#isOnItsWay(item));
    this.back = [];
    this.state = kept.get("state");
    this.busy = false;
    this.lastActive = Date.now();
    this.filling = null;
    setInterval(() => this.#renew(), RENEW);
  }

  get current() {
    return this.ahead[0];
  }

  get canGoBack() {
    return this.back.length > 0 || (this.state?.progress.done ?? 0) > 0;
  }

  #isOnItsWay(item) {
    return this.outbox
      .pending()
      .some(([, one]) => one.item_id === item.item_id && one.revision >= item.revision);
  }

  async begin() {
    if (this.state) this.page.progress(this.state);
    this.outbox.deliver();
    if (this.current) this.page.show(this.current);
    const shown = this.current;
    await this.fill({ mayLoseTheFirst: true });
    if (!this.current) this.#wait();
    else if (this.current.item_id !== shown?.item_id) this.page.show(this.current);
  }

  /* Keep an answer to the current item, and show the next when it is durable or known to wait. */
  async save(answer) {
    const item = this.current;
    if (!item || this.busy) return false;
    this.busy = true;
    const { item_id, revision } = item;
    this.outbox.put({ item_id, revision, ...answer });
    this.#put(this.ahead.slice(1));
    this.back = [...this.back, { item, answer }].slice(-MOST_BACK);
    if (!this.outbox.isFailing) await this.outbox.deliver(SEND_PATIENCE);
    this.busy = false;
    this.#advance();
    return true;
  }

  /* Take the last answer back and show its item as it was answered. */
  async undo() {
    if (this.busy) return;
    this.busy = true;
    const last = this.back.pop() ?? (await this.#lastKnown());
    this.busy = false;
    if (!last) return;
    const revision = last.item.revision + 1;
    this.outbox.put({ item_id: last.item.item_id, revision, ...NOTHING_SAID });
    const item = { ...last.item, revision: revision + 1, before: last.answer };
    const others = this.ahead.filter((one) => one.item_id !== item.item_id);
    this.#put([item, ...others].slice(0, MOST_AHEAD));
    this.page.show(item);
    if (!this.outbox.isFailing) this.outbox.deliver(SEND_PATIENCE);
  }

  /* What the server knows of the last answer, where this window knows nothing. */
  async #lastKnown() {
    try {
      const { items } = await this.api.post(`${this.path}/back`, { window: this.name });
      const [item] = items;
      if (!item) this.page.say("There is nothing to undo");
      return item && { item: { ...item, revision: item.revision - 1 }, answer: item.before };
    } catch (error) {
      this.page.say(error instanceof Unreachable ? "Undo works again online" : error.message);
      return null;
    }
  }

  /* Show what lies before the annotator now, and see to it that something does. */
  async #advance() {
    const shown = this.current;
    if (shown) this.page.show(shown);
    await this.fill();
    if (!this.current) this.#wait();
    else if (!shown) this.page.show(this.current);
  }

  #wait() {
    this.page.nothing(this.state);
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.lookAgain(), LOOK_AGAIN);
  }

  async lookAgain() {
    if (this.current) return;
    await this.fill();
    if (this.current) this.page.show(this.current);
    else this.#wait();
  }

  /* Ask for items until enough lie ahead, and keep those that do. */
  fill(how = {}) {
    this.filling ??= this.#fill(how).finally(() => (this.filling = null));
    return this.filling;
  }

  async #fill({ mayLoseTheFirst = false }) {
    const have = this.ahead.map((item) => item.item_id);
    const want = Math.max(0, AHEAD - have.length);
    try {
      const said = await this.api.post(`${this.path}/next`, { window: this.name, have, want });
      const lost = new Set(said.lost);
      const isOurs = (item, place) =>
        !lost.has(item.item_id) || (place === 0 && !mayLoseTheFirst) || item.before;
      const kept = this.ahead.filter(isOurs);
      const there = new Set(kept.map((item) => item.item_id));
      const fresh = said.items.filter((one) => !there.has(one.item_id) && !this.#isOnItsWay(one));
      this.#put(said.closed ? kept.slice(0, mayLoseTheFirst ? 0 : 1) : [...kept, ...fresh]);
      this.note(said);
    } catch (error) {
      this.page.failed(error);
    }
  }

  /* Take note of how far everybody is. */
  note({ progress, closed }) {
    this.state = { progress, closed };
    this.kept.put("state", this.state);
    this.page.progress(this.state);
  }

  #put(ahead) {
    this.ahead = ahead;
    this.kept.put("ahead", ahead);
  }

  #renew() {
    if (Date.now() - this.lastActive < IDLE) this.fill();
  }
}

const NOTHING_SAID = {
  choice: "withdrawn",
  tags: [],
  comment: "",
  ideal: null,
  ideal_from: null,
  seconds: 0,
};
