// The Huffman code of HPACK (RFC 7541, appendix B).

/** Bits of the code of each byte, then of the end of a string. The code is canonical: it follows. */
const LENGTHS: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];
const END = 256;

/** Inner nodes, two branches each: the number of a node, or the complement of a symbol. */
const TREE: Int16Array = (() => {
  const tree = new Int16Array(2 * 256);
  let nodes = 1;
  let code = 0;
  let bits = 0;
  const symbols = LENGTHS.map((_, symbol) => symbol)
    .sort((left, right) => LENGTHS[left]! - LENGTHS[right]! || left - right);
  for (const symbol of symbols) {
    code <<= LENGTHS[symbol]! - bits;
    bits = LENGTHS[symbol]!;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const branch = 2 * node + ((code >>> bit) & 1);
      if (tree[branch] === 0) tree[branch] = nodes++;
      node = tree[branch]!;
    }
    tree[2 * node + (code & 1)] = ~symbol;
    code++;
  }
  return tree;
})();

/**
 * Reads a coded string as Latin-1; `null` for one that is none: the code of its end in it, or
 * padding of 8 bits or more, or padding that is not the beginning of that code.
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | null {
  let text = "";
  let node = 0;
  let depth = 0;
  let ones = true;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    for (let bit = 7; bit >= 0; bit--) {
      const one = (byte >> bit) & 1;
      const next = TREE[2 * node + one]!;
      if (next < 0) {
        if (~next === END) return null;
        text += String.fromCharCode(~next);
        node = depth = 0;
        ones = true;
      } else {
        node = next;
        depth++;
        if (one === 0) ones = false;
      }
    }
  }
  return depth < 8 && ones ? text : null;
}
