// The few shapes that all drawings are made of.

/** The colours of one picture. */
export interface Palette {
  readonly sky: string;
  readonly skyLight: string;
  readonly floor: string;
  readonly shadow: string;
  readonly main: string;
  readonly dark: string;
  readonly light: string;
  readonly pale: string;
  readonly accent: string;
}

export type Glyph = (colours: Palette, variant: number) => string;

export const rect = (
  x: number,
  y: number,
  w: number,
  h: number,
  r: number,
  fill: string,
  more = "",
) => `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${r}" fill="${fill}"${more}/>`;
export const circle = (x: number, y: number, r: number, fill: string, more = "") =>
  `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"${more}/>`;
export const ellipse = (x: number, y: number, rx: number, ry: number, fill: string, more = "") =>
  `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}" fill="${fill}"${more}/>`;
export const path = (d: string, fill: string, more = "") =>
  `<path d="${d}" fill="${fill}"${more}/>`;
export const line = (d: string, colour: string, width: number, more = "") =>
  `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}"${more}/>`;
export const many = (count: number, draw: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => draw(at)).join("");
/** What makes a surface gleam. */
export const SHINE = ` opacity=".35"`;
