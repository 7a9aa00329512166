import type { PDFFont } from "pdf-lib";
import type { ConfirmedOrder } from "../../kit/modules.ts";
import { money } from "./money.ts";

// Points from the lower left corner of a page of ISO A4.
const WIDTH = 595;
const HEIGHT = 842;
const MARGIN = 56;
const LINE = 18;
const ROWS_A_PAGE = 30;

/** The invoice of an order as PDF; the same bytes for the same order. */
export async function invoiceOf(order: ConfirmedOrder): Promise<Uint8Array> {
  const { PDFDocument, StandardFonts } = await import("pdf-lib");
  const document = await PDFDocument.create({ updateMetadata: false });
  const date = new Date(order.created_at);
  document.setTitle(`Invoice ${order.id}`);
  document.setAuthor("SovereignMarket");
  document.setCreationDate(date);
  document.setModificationDate(date);
  const plain = await document.embedFont(StandardFonts.Helvetica);
  const bold = await document.embedFont(StandardFonts.HelveticaBold);
  const write = (of: ConfirmedOrder["items"], first: boolean, last: boolean) => {
    const page = document.addPage([WIDTH, HEIGHT]);
    let y = HEIGHT - MARGIN;
    const line = (left: string, right = "", font: PDFFont = plain, size = 10) => {
      const shown = encodable(left, font, WIDTH - 2 * MARGIN - 90, size);
      page.drawText(shown, { x: MARGIN, y, size, font });
      const x = WIDTH - MARGIN - font.widthOfTextAtSize(right, size);
      if (right) page.drawText(right, { x, y, size, font });
      y -= LINE;
    };
    line("SovereignMarket", "", bold, 18);
    line(`Invoice ${order.id}`, order.created_at.slice(0, 10), bold);
    y -= LINE;
    if (first) {
      const { name, line1, line2, city, postal_code, country } = order.shipping_address;
      for (const each of [name, line1, line2, `${postal_code} ${city}`, country]) {
        if (each) line(each);
      }
      y -= LINE;
    }
    for (const { quantity, name, sku, line_total } of of) {
      line(`${quantity} x ${name} (${sku})`, money(line_total));
    }
    if (!last) return;
    y -= LINE / 2;
    line("Subtotal", money(order.subtotal));
    line("Shipping", money(order.shipping));
    line("Tax", money(order.tax));
    line("Total", money(order.total), bold);
  };
  const pages = Math.ceil(order.items.length / ROWS_A_PAGE);
  for (let page = 0; page < pages; page++) {
    const items = order.items.slice(page * ROWS_A_PAGE, (page + 1) * ROWS_A_PAGE);
    write(items, page === 0, page === pages - 1);
  }
  return await document.save();
}

/** What the font can show, cut to a width in points; other letters become a question mark. */
function encodable(text: string, font: PDFFont, width: number, size: number): string {
  const known = new Set(font.getCharacterSet());
  let shown = [...text].map((each) => known.has(each.codePointAt(0)!) ? each : "?").join("");
  while (font.widthOfTextAtSize(shown, size) > width) shown = shown.slice(0, -1);
  return shown;
}
