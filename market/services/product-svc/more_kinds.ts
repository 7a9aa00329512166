// More drawings of single kinds of things, as in `kinds.ts`.

import { circle, ellipse, type Glyph, line, many, path, rect, SHINE } from "./shapes.ts";

const STEEL = "#cfd6dd";
const COFFEE = "#5b3a24";
const NIGHT = "#14181f";

/** By name, as `drawn_as.ts` uses them. */
export const MORE_KINDS: Readonly<Record<string, Glyph>> = {
  "grinder": (c) =>
    path("M-110 -190H110L70 -40H-70Z", c.pale, ` opacity=".85"`) +
    path("M-92 -120H92L70 -40H-70Z", COFFEE) + rect(-124, -200, 248, 26, 12, c.dark) +
    rect(-84, -44, 168, 130, 20, c.main) + circle(0, 20, 34, c.dark) +
    line("M0 20L18 -4", c.accent, 9) +
    path("M-70 86H70L90 170H-90Z", c.pale, ` opacity=".85"`) +
    path("M-82 136H82L90 170H-90Z", COFFEE) + rect(-104, 164, 208, 18, 9, c.dark) +
    rect(-84, -170, 12, 90, 6, "#fff", SHINE),
  "ssd": (c) =>
    line("M40 120Q40 176 110 170T190 120", c.dark, 14) + rect(168, 84, 42, 44, 8, STEEL) +
    rect(-130, -150, 230, 270, 40, c.dark) + rect(-130, -160, 230, 270, 40, c.main) +
    rect(-106, -136, 182, 222, 26, "none", ` stroke="${c.light}" stroke-width="6"`) +
    many(4, (at) => line(`M-80 ${-90 + at * 26}H${20 - at * 18}`, c.light, 8)) +
    circle(50, 58, 9, c.accent) + rect(-44, 100, 60, 14, 7, NIGHT),
  "dock": (c) =>
    rect(-196, 10, 392, 130, 26, c.dark) + rect(-196, -4, 392, 130, 26, c.main) +
    rect(-164, 36, 52, 22, 6, NIGHT) + rect(-96, 36, 52, 22, 6, NIGHT) +
    rect(-20, 32, 34, 30, 15, NIGHT) + rect(34, 30, 74, 40, 5, NIGHT) +
    rect(40, 54, 62, 10, 2, STEEL) + circle(150, 48, 17, NIGHT) + circle(-164, 92, 8, c.accent) +
    line("M-70 -6V-70Q-70 -120 0 -120H120", c.dark, 16) + rect(104, -142, 76, 44, 10, c.light) +
    rect(180, -132, 26, 24, 4, STEEL),
  "laptopstand": (c) =>
    path("M-150 -170H130L150 20H-130Z", c.dark) + path("M-134 -154H116L132 4H-118Z", c.light) +
    path("M-126 -60Q-60 -120 0 -60T124 -70L132 4H-118Z", c.main) +
    path("M-130 20H150L176 60H-150Z", STEEL) + path("M-160 58H186V78H-160Z", c.main) +
    line("M-110 78L40 170M120 78L-30 170", c.main, 22) + rect(-110, 160, 230, 20, 10, c.dark),
  "soundbar": (c) =>
    rect(-206, 40, 412, 100, 34, c.dark) + rect(-206, 28, 412, 100, 34, c.main) +
    many(18, (at) => line(`M${-176 + at * 20.7} 50V106`, c.dark, 6)) +
    circle(176, 78, 10, c.accent) + rect(-170, 136, 60, 20, 6, c.dark) +
    rect(110, 136, 60, 20, 6, c.dark) +
    line("M-60 -20A84 84 0 0 1 60 -20M-100 -60A140 140 0 0 1 100 -60", c.light, 12),
  "earbuds": (c) =>
    many(2, (at) => {
      const side = at ? 1 : -1;
      return rect(side * 92 - 20, -100, 40, 150, 20, c.main) + circle(side * 84, -120, 60, c.main) +
        ellipse(side * 40, -124, 26, 38, c.dark) + circle(side * 100, -142, 12, "#fff", SHINE) +
        rect(side * 92 - 5, -40, 10, 50, 5, c.light);
    }) + path("M-140 60H140V110A66 66 0 0 1 74 176H-74A66 66 0 0 1 -140 110Z", c.light) +
    path("M-140 60A140 40 0 0 1 140 60Z", c.dark) + circle(0, 116, 10, c.accent),
  "poles": (c) =>
    many(2, (at) => {
      const turn = at ? 14 : -14;
      return `<g transform="rotate(${turn} 0 120)">` + line("M0 -80V150", STEEL, 11) +
        line("M0 20V150", c.light, 13) + rect(-15, -180, 30, 110, 15, c.dark) +
        line("M-4 -170Q-46 -130 -8 -96", c.accent, 8) + ellipse(0, 138, 34, 10, c.main) +
        path("M-6 150H6L0 184Z", c.dark) + `</g>`;
    }),
  "jacket": (c, v) =>
    path(
      "M-64 -160L-150 -116L-190 100L-130 116L-108 10V170H108V10L130 116L190 100L150 -116L64 -160Z",
      c.main,
    ) +
    path("M-70 -164Q0 -200 70 -164L86 -110Q0 -150 -86 -110Z", c.dark) +
    line("M0 -132V170", c.dark, 8) +
    (v % 2
      ? rect(-86, -60, 64, 50, 8, c.light) + rect(22, -60, 64, 50, 8, c.light) +
        many(4, (at) => circle(18, -96 + at * 70, 9, c.accent))
      : line("M-84 60L-40 96M84 60L40 96", c.accent, 9) +
        line("M-150 -60L-112 10M150 -60L112 10", c.light, 8)) +
    rect(-108, 150, 216, 24, 8, c.dark),
  "train": (c) =>
    line("M-200 166H200", c.dark, 12) + rect(-180, 20, 170, 96, 14, c.light) +
    rect(-160, -24, 60, 50, 8, c.accent) + rect(-90, -10, 60, 36, 8, c.pale) +
    line("M-10 90H30", c.dark, 12) + rect(26, 0, 160, 116, 22, c.main) +
    rect(26, -110, 84, 130, 10, c.main) + rect(44, -86, 48, 56, 8, c.pale) +
    rect(14, -130, 108, 26, 10, c.dark) + rect(136, -60, 32, 64, 6, c.dark) +
    many(4, (at) =>
      circle(-140 + at * 98, 128, 36, c.dark) + circle(-140 + at * 98, 128, 14, c.pale)),
  "pencils": (c) =>
    many(5, (at) => {
      const x = -152 + at * 64;
      const color = [c.main, c.accent, c.light, "#f0b541", "hsl(128 34% 42%)"][at]!;
      const top = -120 + Math.abs(at - 2) * 26;
      return path(`M${x} ${top}L${x + 24} ${top - 60}L${x + 48} ${top}Z`, "#f3ddbd") +
        path(`M${x + 15} ${top - 37}L${x + 24} ${top - 60}L${x + 33} ${top - 37}Z`, color) +
        rect(x, top, 48, 150 - top, 0, color) + rect(x + 8, top, 8, 150 - top, 0, "#fff", SHINE);
    }) + rect(-180, 70, 360, 106, 12, c.dark) + rect(-80, 100, 160, 44, 8, c.pale),
  "ink": (c) =>
    rect(-50, -150, 100, 70, 12, c.dark) + rect(-34, -84, 68, 34, 0, c.pale) +
    path("M-60 -54H60L150 20V140A36 36 0 0 1 114 176H-114A36 36 0 0 1 -150 140V20Z", c.light) +
    path("M-138 50H138V140A24 24 0 0 1 114 164H-114A24 24 0 0 1 -138 140Z", c.main) +
    rect(-80, 40, 160, 90, 8, "#fffdf6") + line("M-44 92Q-20 50 0 86T50 74", c.main, 8) +
    rect(-128, 30, 14, 90, 7, "#fff", SHINE),
  "nailcare": (c) =>
    rect(-170, -120, 340, 290, 36, c.main) + rect(-150, -100, 300, 250, 24, c.pale) +
    rect(-116, -70, 30, 190, 15, STEEL) +
    line("M-101 -50V40", c.dark, 5, ` stroke-dasharray="4 8"`) +
    path("M-50 -70L-26 -70L-18 30L-38 120L-58 30Z", c.accent) +
    line("M24 -74L60 30M60 -74L24 30", STEEL, 13) +
    circle(14, 70, 30, "none", ` stroke="${c.dark}" stroke-width="14"`) +
    circle(74, 70, 30, "none", ` stroke="${c.dark}" stroke-width="14"`) +
    rect(108, -70, 24, 190, 12, c.light),
  "strap": (c) =>
    path("M-200 -20Q-100 -60 0 -50T200 -20V70Q100 40 0 50T-200 70Z", c.dark) +
    rect(-90, -70, 180, 150, 60, c.main) +
    line("M-64 8H-30L-14 -30L10 44L28 8H64", c.accent, 11) +
    rect(-60, -54, 70, 10, 5, "#fff", SHINE),
  "bikecomputer": (c) =>
    line("M-200 150Q0 96 200 150", c.dark, 30) + rect(-40, 90, 80, 60, 14, c.dark) +
    rect(-110, -190, 220, 300, 44, c.main) + rect(-88, -164, 176, 210, 18, NIGHT) +
    line("M-60 20L-20 -50L20 -10L60 -110", c.accent, 11) + rect(-64, -144, 70, 24, 8, c.pale) +
    circle(-44, 78, 15, c.dark) + circle(44, 78, 15, c.dark),
  "frother": (c) =>
    rect(-36, -190, 72, 150, 34, c.main) + circle(0, -150, 15, c.accent) +
    rect(-20, -44, 40, 26, 6, c.dark) + line("M0 -20V120", STEEL, 9) +
    path("M-100 0H100L84 150Q80 176 54 176H-54Q-80 176 -84 150Z", c.light, ` opacity=".6"`) +
    path("M-94 60H94L84 150Q80 176 54 176H-54Q-80 176 -84 150Z", "#d9b48c") +
    path("M-96 64Q-60 20 -30 50Q0 16 30 48Q60 20 96 64Z", "#fffdf6") +
    ellipse(0, 126, 34, 14, "none", ` stroke="${STEEL}" stroke-width="8"`),
};
