/** Widths in pixels and formats in which product pictures are kept. */
export const WIDTHS = [160, 320, 640] as const;
export const FORMATS = ["webp", "avif", "jpeg"] as const;
export type Format = typeof FORMATS[number];

/** A drawing in one width and format. */
export interface Picture {
  /** `320.webp` */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Draws an SVG in every width and format; ends early when `signal` is aborted. */
export async function picturesOf(svg: string, signal: AbortSignal): Promise<Picture[]> {
  // Imported when first needed: it brings a library of its own.
  const { default: sharp } = await import("sharp");
  const source = new TextEncoder().encode(svg);
  const pictures: Picture[] = [];
  for (const width of WIDTHS) {
    for (const format of FORMATS) {
      signal.throwIfAborted();
      const bytes = await sharp(source).resize(width).toFormat(format).toBuffer();
      pictures.push({ file: `${width}.${format}`, bytes: new Uint8Array(bytes) });
    }
  }
  return pictures;
}
