import { assert } from "../../kit/assert.ts";
import { GLYPHS } from "./glyphs.ts";
import { KINDS } from "./kinds.ts";
import { MORE_KINDS } from "./more_kinds.ts";
import type { Palette } from "./shapes.ts";
import { kindOf } from "./catalogue.ts";
import type { Product } from "../../kit/product.ts";
import { DRAWN_AS } from "./drawn_as.ts";
import { createPrng } from "../../../core/prng.ts";

/** Hues of a category's pictures, in degrees: a product takes one of them. */
const HUES: Readonly<Record<string, readonly number[]>> = {
  electronics: [222, 250, 198, 265],
  "home-kitchen": [28, 14, 42, 160],
  fashion: [340, 286, 18, 210],
  "sports-outdoors": [152, 96, 184, 30],
  "beauty-health": [322, 352, 276, 172],
  "books-stationery": [36, 204, 8, 122],
  "toys-garden": [48, 130, 196, 356],
};

/** Draws a product, 640 x 640, the same for the same product; no text, no outside reference. */
export function picture(product: Product): string {
  const prng = createPrng(product.id * 7_919);
  const hues = HUES[product.category_id] ?? [210];
  const hue = hues[prng.below(hues.length)]! + prng.below(17) - 8;
  const palette = paletteOf(hue, prng.below(3));
  const tilt = (prng.next() * 8 - 4).toFixed(1);
  const scale = (1 + prng.next() * 0.08).toFixed(3);
  const x = 150 + prng.below(340);
  const y = 130 + prng.below(160);
  const turn = Math.floor(product.id / GLYPH_COUNT);
  const [shown, variant] = DRAWN_AS[kindOf(product.id)] ?? [product.subcategory, turn];
  const draw = KINDS[shown] ?? MORE_KINDS[shown] ?? GLYPHS[shown];
  assert(draw, `no drawing for ${shown}`);
  const glyph = draw(palette, variant);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 640" width="640" height="640">` +
    `<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">` +
    `<stop offset="0" stop-color="${palette.skyLight}"/>` +
    `<stop offset="1" stop-color="${palette.sky}"/></linearGradient>` +
    `<radialGradient id="s"><stop offset="0" stop-color="${palette.shadow}" stop-opacity=".5"/>` +
    `<stop offset="1" stop-color="${palette.shadow}" stop-opacity="0"/></radialGradient></defs>` +
    `<rect width="640" height="640" fill="url(#g)"/>` +
    `<circle cx="${x}" cy="${y}" r="${190 + prng.below(60)}" fill="#fff" opacity=".28"/>` +
    `<path d="M0 ${470 + prng.below(30)}Q320 ${430 + prng.below(40)} 640 ${
      470 + prng.below(30)
    }V640H0Z" fill="${palette.floor}"/>` +
    `<ellipse cx="320" cy="520" rx="215" ry="34" fill="url(#s)"/>` +
    `<g transform="translate(320 330) rotate(${tilt}) scale(${scale})" ` +
    `stroke-linecap="round" stroke-linejoin="round">${glyph}</g></svg>`;
}

const GLYPH_COUNT = Object.keys(GLYPHS).length;

function paletteOf(hue: number, mood: number): Palette {
  const hsl = (turn: number, saturation: number, light: number) =>
    `hsl(${(hue + turn + 360) % 360} ${saturation}% ${light}%)`;
  const vivid = [46, 36, 54][mood]!;
  return {
    sky: hsl(0, 46, 82),
    skyLight: hsl(14, 58, 94),
    floor: hsl(-6, 34, 76),
    shadow: hsl(0, 40, 22),
    main: hsl(0, vivid, 46),
    dark: hsl(4, vivid - 10, 27),
    light: hsl(8, vivid, 68),
    pale: hsl(10, 44, 92),
    accent: hsl(mood === 1 ? 150 : 180 + mood * 14, 66, 58),
  };
}
