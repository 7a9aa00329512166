/** Characters that a terminal shows two columns wide: East Asian scripts, most emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
/** Characters that it puts onto the one before. */
const COMBINING = /[\p{Mn}\p{Me}\p{Cf}]/u;
const ASCII = /^[\x20-\x7e]*$/;

/** How many columns a terminal gives to a text without control characters. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    width += WIDE.test(character) ? 2 : COMBINING.test(character) ? 0 : 1;
  }
  return width;
}
