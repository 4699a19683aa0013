/* What this browser keeps: `Kept(localStorage)` for all windows, `Kept(sessionStorage)` for one.
   A browser that keeps nothing (full, or told so) is no error here; whoever needs to know asks. */

export class Kept {
  constructor(storage, prefix) {
    this.storage = storage;
    this.prefix = `tso/${prefix}/`;
  }

  /* Whether it is kept. */
  put(name, value) {
    try {
      this.storage.setItem(this.prefix + name, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  get(name, otherwise = null) {
    try {
      return JSON.parse(this.storage.getItem(this.prefix + name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  drop(name) {
    this.storage.removeItem(this.prefix + name);
  }

  names() {
    const found = [];
    for (let i = 0; i < this.storage.length; i++) {
      const key = this.storage.key(i);
      if (key.startsWith(this.prefix)) found.push(key.slice(this.prefix.length));
    }
    return found;
  }
}
