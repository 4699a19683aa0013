/* Marks the words in which two texts differ, in place, whatever markup stands around them. */

const WORD = /[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const LARGEST_TABLE = 4_000_000; // cells; larger parts are first cut at words that occur once

export function markDifferences(left, right) {
  const a = words(left);
  const b = words(right);
  const { keptA, keptB } = common(
    a.map((one) => one.text),
    b.map((one) => one.text),
  );
  mark(a, keptA);
  mark(b, keptB);
}

/* The words of an element, each with where it stands. */
function words(element) {
  const found = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const match of walker.currentNode.data.matchAll(WORD)) {
      const start = match.index;
      found.push({ node: walker.currentNode, start, end: start + match[0].length, text: match[0] });
    }
  }
  return found;
}

/* Which words of two lists are in a longest common subsequence (or nearly one, in long lists). */
export function common(a, b) {
  const keptA = new Uint8Array(a.length);
  const keptB = new Uint8Array(b.length);
  const parts = [[0, a.length, 0, b.length]];
  const keep = (i, j) => {
    keptA[i] = keptB[j] = 1;
  };
  while (parts.length) {
    let [i, iEnd, j, jEnd] = parts.pop();
    while (i < iEnd && j < jEnd && a[i] === b[j]) keep(i++, j++);
    while (i < iEnd && j < jEnd && a[iEnd - 1] === b[jEnd - 1]) keep(--iEnd, --jEnd);
    if (i === iEnd || j === jEnd) continue;
    if ((iEnd - i + 1) * (jEnd - j + 1) <= LARGEST_TABLE) {
      longest(a, b, [i, iEnd, j, jEnd], keep);
      continue;
    }
    const anchors = anchorsOf(a, b, [i, iEnd, j, jEnd]);
    for (const [x, y] of anchors) {
      keep(x, y);
      parts.push([i, x, j, y]);
      [i, j] = [x + 1, y + 1];
    }
    if (anchors.length) parts.push([i, iEnd, j, jEnd]);
  }
  return { keptA, keptB };
}

/* The longest common subsequence of a part, by a table. */
function longest(a, b, [i, iEnd, j, jEnd], keep) {
  const rows = iEnd - i;
  const columns = jEnd - j;
  const width = columns + 1;
  const table = new Uint16Array((rows + 1) * width);
  for (let x = rows - 1; x >= 0; x--) {
    for (let y = columns - 1; y >= 0; y--) {
      table[x * width + y] =
        a[i + x] === b[j + y]
          ? table[(x + 1) * width + y + 1] + 1
          : Math.max(table[(x + 1) * width + y], table[x * width + y + 1]);
    }
  }
  for (let x = 0, y = 0; x < rows && y < columns; ) {
    if (a[i + x] === b[j + y]) keep(i + x++, j + y++);
    else if (table[(x + 1) * width + y] >= table[x * width + y + 1]) x++;
    else y++;
  }
}

/* Words that occur once in either part, as many as stand in the same order in both. */
function anchorsOf(a, b, [i, iEnd, j, jEnd]) {
  const once = (list, from, to) => {
    const seen = new Map();
    for (let k = from; k < to; k++) seen.set(list[k], seen.has(list[k]) ? -1 : k);
    return seen;
  };
  const there = once(b, j, jEnd);
  const pairs = [...once(a, i, iEnd)]
    .filter(([word, x]) => x >= 0 && (there.get(word) ?? -1) >= 0)
    .map(([word, x]) => [x, there.get(word)])
    .sort(([x], [y]) => x - y);
  return rising(pairs);
}

/* The longest run of pairs whose second numbers rise. */
function rising(pairs) {
  const ends = []; // ends[n]: index of the pair that ends the best run of n + 1
  const before = [];
  pairs.forEach(([, y], index) => {
    let low = 0;
    for (let high = ends.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (pairs[ends[middle]][1] < y) low = middle + 1;
      else high = middle;
    }
    before[index] = low ? ends[low - 1] : -1;
    ends[low] = index;
  });
  const run = [];
  for (let k = ends.at(-1) ?? -1; k >= 0; k = before[k]) run.push(pairs[k]);
  return run.reverse();
}

/* Put <mark> around runs of words that are not kept, the last first, so that places stay right. */
function mark(list, kept) {
  const runs = [];
  list.forEach((word, index) => {
    const run = runs.at(-1);
    if (kept[index]) return;
    if (run && run.node === word.node && run.last === index - 1) {
      Object.assign(run, { end: word.end, last: index });
    } else {
      runs.push({ node: word.node, start: word.start, end: word.end, last: index });
    }
  });
  for (const { node, start, end } of runs.reverse()) {
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end);
    range.surroundContents(document.createElement("mark"));
  }
}
