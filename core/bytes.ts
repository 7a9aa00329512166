// Text and bytes for pure files, where TextEncoder and atob do not exist.

import { utf8ToBytes } from "@noble/hashes/utils.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";

/** UTF-8 bytes of a text. */
export function toBytes(text: string): Uint8Array {
  return utf8ToBytes(text);
}

/** The text of UTF-8 bytes; `null` where they are none. */
export function toText(bytes: Uint8Array): string | null {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const [point, length] = decodePoint(bytes, at);
    if (length === 0) return null;
    text += String.fromCodePoint(point);
    at += length;
  }
  return text;
}

/** One code point and how many bytes it took; length 0 for what is not UTF-8 (RFC 3629). */
function decodePoint(bytes: Uint8Array, at: number): [point: number, length: number] {
  const first = bytes[at]!;
  if (first < 0x80) return [first, 1];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return [0, 0];
  let point = first & (0x7f >> length);
  for (let step = 1; step < length; step++) {
    const next = bytes[at + step]!;
    if ((next & 0xc0) !== 0x80) return [0, 0];
    point = point << 6 | next & 0x3f;
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][length]!;
  const surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < least || point > 0x10ffff || surrogate ? [0, 0] : [point, length];
}

export function textToBase64(text: string): string {
  return toBytes(text).toBase64();
}

/** The text in base64; `null` where it is not base64 of UTF-8. */
export function base64ToText(encoded: string): string | null {
  try {
    return toText(Uint8Array.fromBase64(encoded));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The bytes of a hex text; `null` where it is none. */
export function fromHex(hex: string): Uint8Array | null {
  try {
    return Uint8Array.fromHex(hex);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Hex SHA-256 of bytes or of a text's UTF-8. */
export function sha256Hex(data: Uint8Array | string): string {
  return nobleSha256(typeof data === "string" ? toBytes(data) : data).toHex();
}
