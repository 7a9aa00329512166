// Texts that must fit a datagram.

const CONTROL = /\p{Cc}/gu;
// deno-lint-ignore no-control-regex -- terminal colours begin with ESC
const ESCAPE = /\x1b\[[0-9;?]*[ -/]*[@-~]/g;

/** The number of bytes of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // A surrogate pair is two units and four bytes.
    if (unit >= 0x800) bytes += unit >= 0xd800 && unit <= 0xdfff ? 1 : 2;
    else if (unit >= 0x80) bytes += 1;
  }
  return bytes;
}

/** The number of bytes of a text's JSON form in UTF-8, without the quotes. */
export function jsonBytes(text: string): number {
  return utf8Bytes(JSON.stringify(text)) - 2;
}

/** The text without terminal colours and control characters; line ends stay. */
export function plainText(text: string): string {
  return text.replace(ESCAPE, "").replace(CONTROL, (each) => each === "\n" ? each : " ")
    .toWellFormed();
}

/** The beginning of a text, so that its JSON form takes at most `maxBytes`. */
export function cutEnd(text: string, maxBytes: number): string {
  return cut(text, maxBytes, (length) => text.slice(0, length));
}

/** The end of a text (the newest lines), so that its JSON form takes at most `maxBytes`. */
export function cutStart(text: string, maxBytes: number): string {
  return cut(text, maxBytes, (length) => text.slice(text.length - length));
}

function cut(text: string, maxBytes: number, part: (length: number) => string): string {
  if (text.length <= maxBytes && jsonBytes(text) <= maxBytes) return text;
  let low = 0;
  let high = Math.min(text.length, maxBytes);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (jsonBytes(part(middle).toWellFormed()) <= maxBytes) low = middle;
    else high = middle - 1;
  }
  return part(low).toWellFormed();
}
