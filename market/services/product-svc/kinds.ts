// Drawings of single kinds of things, where the one of their subcategory would mislead. Measures as
// in `glyphs.ts`: around (0, 0), within about 190 to each side, the floor at y 180.

import { circle, ellipse, type Glyph, line, many, path, rect, SHINE } from "./shapes.ts";

const STEEL = "#cfd6dd";
const GLOW = "#ffe9a8";

/** By name, as `drawn_as.ts` uses them. */
export const KINDS: Readonly<Record<string, Glyph>> = {
  "mouse": (c) =>
    path("M-90 -20A90 130 0 0 1 90 -20V50A90 120 0 0 1 -90 50Z", c.main) +
    path("M-90 -20A90 130 0 0 1 0 -150V-10H-90Z", c.light) +
    line("M0 -150V-10M-90 -10H90", c.dark, 7) +
    rect(-14, -100, 28, 60, 14, c.accent) + rect(-70, 20, 14, 70, 7, "#fff", SHINE),
  "microphone": (c) =>
    rect(-64, -190, 128, 220, 64, c.main) + many(5, (at) =>
      line(`M-50 ${-140 + at * 28}H50`, c.dark, 6)) +
    rect(-64, -34, 128, 24, 0, c.accent) + line("M-100 -50V0A100 90 0 0 0 100 0V-50", c.dark, 18) +
    line("M0 90V150", c.dark, 20) + rect(-90, 150, 180, 26, 13, c.dark),
  "turntable": (c) =>
    rect(-190, -110, 380, 270, 24, c.dark) + rect(-190, -126, 380, 270, 24, c.main) +
    circle(-40, 10, 118, "#171a20") +
    circle(-40, 10, 92, "none", ` stroke="#333a45" stroke-width="4"`) +
    circle(-40, 10, 68, "none", ` stroke="#333a45" stroke-width="4"`) +
    circle(-40, 10, 40, c.accent) +
    circle(-40, 10, 7, c.pale) + line("M146 -84V20L96 76", STEEL, 13) +
    circle(146, -84, 22, c.pale),
  "webcam": (c) =>
    circle(0, -40, 120, c.main) + circle(0, -40, 92, c.dark) + circle(0, -40, 62, c.light) +
    circle(0, -40, 40, "#171a20") + circle(-16, -58, 13, "#fff", SHINE) +
    circle(0, -142, 8, c.accent) +
    path("M-40 76H40L70 170H-70Z", c.dark),
  "plug": (c) =>
    rect(-110, -90, 220, 250, 56, c.main) + circle(0, 36, 76, c.pale) +
    circle(-28, 36, 14, c.dark) +
    circle(28, 36, 14, c.dark) + rect(-60, -150, 24, 70, 8, STEEL) +
    rect(36, -150, 24, 70, 8, STEEL) +
    circle(74, -54, 10, c.accent),
  "lock": (c) =>
    line("M-70 -20V-90A70 70 0 0 1 70 -90V-20", STEEL, 34) + rect(-130, -30, 260, 200, 34, c.main) +
    circle(0, 54, 32, c.dark) + path("M-12 60H12L20 122H-20Z", c.dark) +
    rect(-110, -10, 14, 120, 7, "#fff", SHINE),
  "doorbell": (c) =>
    rect(-80, -180, 160, 350, 50, c.dark) + circle(0, -104, 52, "#171a20") +
    circle(0, -104, 30, c.light) +
    circle(-10, -116, 9, "#fff", SHINE) + circle(0, 70, 60, c.main) +
    circle(0, 70, 44, "none", ` stroke="${c.accent}" stroke-width="10"`) +
    circle(0, 70, 20, c.pale),
  "tripod": (c) =>
    line("M0 -60L-130 176M0 -60L130 176M0 -60V176", c.dark, 18) + line("M-62 54H62", c.light, 10) +
    rect(-30, -110, 60, 70, 14, c.main) + rect(-86, -160, 172, 56, 16, c.accent) +
    rect(-20, -186, 40, 30, 8, c.dark) +
    line("M30 -76L120 -40", c.dark, 14),
  "lens": (c) =>
    rect(-150, -130, 90, 260, 26, c.dark) + rect(-76, -110, 90, 220, 0, c.main) +
    rect(6, -118, 56, 236, 0, c.dark) +
    many(7, (at) => rect(12, -104 + at * 30, 44, 14, 4, c.light)) +
    rect(56, -104, 70, 208, 0, c.main) +
    ellipse(134, 0, 44, 104, c.light) + ellipse(140, 0, 28, 76, "#171a20") +
    ellipse(132, -26, 8, 22, "#fff", SHINE) +
    rect(-76, -110, 202, 14, 0, c.accent),
  "printer": (c) =>
    rect(-110, -170, 220, 130, 8, "#fffdf6") + rect(-180, -70, 360, 170, 30, c.main) +
    rect(-180, 20, 360, 80, 30, c.dark) +
    rect(-110, 50, 220, 120, 8, "#fffdf6") + path("M-90 150L-30 90L10 124L50 80L90 150Z", c.light) +
    circle(60, 84, 14, c.accent) + circle(140, -36, 12, c.accent),
  "ring": (c) =>
    ellipse(0, 20, 138, 146, "none", ` stroke="${c.dark}" stroke-width="56"`) +
    ellipse(0, 12, 138, 146, "none", ` stroke="${c.main}" stroke-width="44"`) +
    line("M-104 -70A138 146 0 0 1 20 -132", "#fff", 14, SHINE) + circle(0, 158, 9, c.accent),
  "kettle": (c, v) =>
    path("M-100 -60H80L120 150Q120 174 96 174H-116Q-140 174 -140 150Z", c.main) +
    path("M92 60Q170 40 180 -70L200 -76", "none", ` stroke="${c.main}" stroke-width="26"`) +
    line("M-96 -40Q-190 -30 -150 100", c.dark, 24) + rect(-104, -80, 188, 28, 14, c.dark) +
    circle(-10, -100, 20, c.accent) + rect(-104, 0, 18, 120, 9, "#fff", SHINE) +
    (v % 2 ? rect(-146, 168, 274, 16, 8, c.dark) : ""),
  "espresso": (c) =>
    rect(-150, -170, 300, 100, 24, c.main) + rect(-150, -90, 80, 240, 0, c.main) +
    rect(-170, 140, 340, 36, 14, c.dark) +
    rect(-150, -170, 300, 26, 13, c.dark) + rect(-20, -76, 120, 34, 8, c.dark) +
    rect(90, -70, 80, 20, 10, c.accent) +
    path("M0 50H90V100A30 30 0 0 1 60 130H30A30 30 0 0 1 0 100Z", c.pale) +
    line("M30 -36V40M60 -36V40", "#5b3a24", 7) +
    circle(-100, -110, 18, c.pale) + circle(100, -110, 12, c.accent),
  "press": (c) =>
    rect(-90, -90, 180, 260, 20, c.pale, ` opacity=".85"`) +
    rect(-90, 20, 180, 150, 20, "#5b3a24") +
    rect(-84, 6, 168, 20, 6, STEEL) + line("M0 10V-170", STEEL, 9) + circle(0, -176, 22, c.dark) +
    rect(-104, -110, 208, 34, 14, c.main) + line("M94 -60Q170 -50 160 50T94 130", c.dark, 22) +
    rect(-98, 150, 196, 28, 10, c.main) + rect(-70, -60, 12, 180, 6, "#fff", SHINE),
  "candle": (c, v) =>
    path("M0 -190Q46 -130 0 -100Q-46 -130 0 -190Z", GLOW) +
    circle(0, -136, 70, GLOW, ` opacity=".3"`) +
    line("M0 -104V-70", c.dark, 7) + rect(-100, -70, 200, 244, 26, c.main) +
    rect(-100, -70, 200, 56, 26, c.light) +
    rect(-66, 20, 132, 100, v % 2 ? 50 : 8, c.pale) + rect(-36, 58, 72, 9, 4, c.dark) +
    rect(-24, 78, 48, 7, 3, c.main),
  "jars": (c) =>
    many(3, (at) => {
      const [x, top] = [-180 + at * 124, -60 - (at === 1 ? 80 : at * 20)] as const;
      return rect(x, top, 112, 176 - top, 20, c.pale, ` opacity=".9"`) +
        rect(x + 8, top + 70, 96, 98 - top, 14, [c.main, c.accent, c.light][at]!) +
        rect(x - 4, top - 34, 120, 40, 12, c.dark);
    }),
  "bench": (c) =>
    rect(-190, -30, 380, 44, 14, c.accent) + rect(-180, 10, 360, 120, 12, c.main) +
    line("M0 14V128", c.dark, 6) +
    rect(-110, 60, 40, 12, 6, c.pale) + rect(70, 60, 40, 12, 6, c.pale) +
    rect(-170, 128, 26, 50, 6, c.dark) +
    rect(144, 128, 26, 50, 6, c.dark),
  "rack": (c) =>
    rect(-190, -110, 380, 60, 16, c.main) +
    many(4, (at) =>
      line(`M${-140 + at * 93} -60V-20A26 26 0 0 0 ${-88 + at * 93} -20`, c.dark, 14)) +
    path("M-150 6L-90 6L-60 170H-170Z", c.light) + line("M46 -6V20Q100 60 80 170", c.accent, 34),
  "trousers": (c, v) =>
    path("M-100 -170H100L130 176H40L0 -40L-40 176H-130Z", v % 2 ? c.main : c.dark) +
    rect(-104, -180, 208, 36, 8, c.dark) +
    rect(-14, -176, 28, 28, 6, c.accent) +
    line("M-84 -130Q-70 -100 -104 -90M84 -130Q70 -100 104 -90", c.light, 6) +
    line("M-86 -60L-88 160M86 -60L88 160", c.light, 4, SHINE),
  "skirt": (c) =>
    path("M-80 -140H80L160 150H-160Z", c.main) + rect(-86, -166, 172, 36, 10, c.dark) +
    many(
      6,
      (at) => line(`M${-60 + at * 24} -126L${-124 + at * 50} 146`, at % 2 ? c.light : c.dark, 8),
    ),
  "scarf": (c) =>
    path("M-120 -140Q0 -220 120 -140Q150 -60 60 -30Q0 -10 -60 -30Q-150 -60 -120 -140Z", c.main) +
    path("M-20 -60L60 -60L110 150H10Z", c.light) + path("M-60 -50L20 -50L-20 120H-110Z", c.accent) +
    many(5, (at) => line(`M${20 + at * 21} 150v28`, c.dark, 6)) + many(4, (at) =>
      line(`M${-102 + at * 24} 120v26`, c.dark, 6)) +
    line("M-90 -120Q0 -170 90 -120", c.pale, 8),
  "sweater": (c, v) =>
    path(
      "M-64 -160L-160 -110L-190 110L-126 122L-108 0V170H108V0L126 122L190 110L160 -110L64 -160Q0 -124 -64 -160Z",
      c.main,
    ) +
    path("M-64 -160Q0 -124 64 -160L54 -176Q0 -146 -54 -176Z", c.dark) +
    rect(-108, 146, 216, 26, 8, c.dark) +
    (v % 2
      ? line("M0 -134V146", c.dark, 7) + many(4, (at) => circle(14, -90 + at * 58, 9, c.pale))
      : many(
        3,
        (at) =>
          line(
            `M-96 ${-40 + at * 44}l24 -20l24 20l24 -20l24 20l24 -20l24 20l24 -20l24 20`,
            c.accent,
            7,
          ),
      )),
  "boots": (c) =>
    path("M-120 -160H10V0Q60 20 140 50Q180 70 180 120H-120Z", c.main) +
    path("M-120 -160H10V-116H-120Z", c.dark) +
    path("M-70 -116L-30 -116L-30 -20H-70Z", c.light) + rect(-130, 116, 320, 34, 12, c.dark) +
    rect(-130, 146, 90, 28, 8, c.dark) +
    many(4, (at) => line(`M-2 ${-90 + at * 26}h28`, c.accent, 8)),
  "sandals": (c) =>
    path(
      "M-190 110Q-190 70 -120 74Q0 90 120 70Q190 66 190 110Q190 150 120 150H-130Q-190 150 -190 110Z",
      c.light,
    ) +
    path("M-190 120H190Q190 160 120 160H-130Q-190 160 -190 120Z", c.dark) +
    line("M-100 84Q-80 -50 20 -40T110 80", c.main, 34) +
    line("M-40 86Q20 -10 90 82", c.dark, 22) + rect(-6, -60, 40, 40, 8, c.accent),
  "wallet": (c) =>
    rect(-120, -110, 220, 80, 12, c.accent, ` transform="rotate(-6)"`) +
    rect(-110, -84, 220, 80, 12, c.pale) +
    rect(-160, -50, 320, 210, 28, c.main) +
    line("M-140 -26H140M-140 136H140", c.light, 5, ` stroke-dasharray="14 12"`) +
    rect(80, 20, 80, 70, 20, c.dark) + circle(120, 55, 14, c.pale),
  "belt": (c) =>
    circle(0, 20, 140, "none", ` stroke="${c.dark}" stroke-width="64"`) +
    circle(0, 10, 140, "none", ` stroke="${c.main}" stroke-width="56"`) +
    circle(0, 10, 140, "none", ` stroke="${c.light}" stroke-width="4" stroke-dasharray="12 12"`) +
    rect(-50, 96, 100, 100, 16, "none", ` stroke="${STEEL}" stroke-width="16"`) +
    rect(-8, 136, 64, 16, 8, STEEL),
  "beanie": (c) =>
    path("M-140 70Q-150 -140 0 -140T140 70Z", c.main) + circle(0, -150, 36, c.accent) +
    rect(-160, 50, 320, 90, 34, c.dark) +
    many(9, (at) => line(`M${-124 + at * 31} 66V124`, c.light, 7, SHINE)) +
    line("M-60 40Q-70 -60 -20 -110M60 40Q70 -60 20 -110", c.light, 6),
  "hat": (c) =>
    ellipse(0, 90, 195, 44, c.dark) + ellipse(0, 80, 195, 40, c.main) +
    path("M-110 80Q-120 -110 -50 -120Q0 -90 50 -120Q120 -110 110 80Z", c.main) +
    path("M-112 30H112L111 84Q0 104 -111 84Z", c.accent) + line("M-60 -90Q0 -50 60 -90", c.dark, 7),
  "gloves": (c, v) =>
    many(
      2,
      (at) =>
        `<g transform="translate(${-80 + at * 160} 10) scale(${at ? 1 : -1} 1) rotate(${
          6 + v % 3
        })">` +
        path(
          "M-56 60V-60Q-56 -84 -38 -84T-20 -60V-120Q-20 -142 -4 -142T12 -120V-110Q12 -134 28 -134T44 -110V-80Q44 -100 58 -100T72 -76V60Z",
          c.main,
        ) +
        path("M-56 20L-96 -20Q-110 -40 -94 -52T-66 -46L-50 -26Z", c.main) +
        rect(-62, 56, 140, 90, 18, c.dark) + rect(-62, 76, 140, 16, 0, c.accent) + `</g>`,
    ),
  "umbrella": (c) =>
    line("M0 -180V140Q0 176 36 176T72 144", c.dark, 14) +
    path(
      "M-190 10Q-170 -150 0 -156Q170 -150 190 10Q150 -24 128 10Q96 -26 64 10Q32 -26 0 10Q-32 -26 -64 10Q-96 -26 -128 10Q-150 -24 -190 10Z",
      c.main,
    ) +
    path("M0 -156Q-60 -110 -64 10Q-32 -26 0 10Q32 -26 64 10Q60 -110 0 -156Z", c.light) +
    circle(0, -166, 12, c.accent),
  "roll": (c, v) =>
    rect(-170, -40, 300, 160, 80, c.main) + circle(110, 40, 80, c.dark) +
    circle(110, 40, 60, c.light) + circle(110, 40, 38, c.dark) +
    circle(110, 40, 20, c.light) + rect(-110, -44, 26, 168, 6, c.accent) +
    rect(0, -44, 26, 168, 6, c.accent) +
    (v % 2 ? line("M-98 -44Q-50 -130 14 -44", c.dark, 14) : "") +
    rect(-150, 110, 280, 24, 12, c.dark, SHINE),
  "headlamp": (c) =>
    path("M-170 40Q-170 -120 0 -120T170 40", "none", ` stroke="${c.main}" stroke-width="44"`) +
    line("M-120 -60Q0 -150 120 -60", c.light, 8) +
    rect(-90, 0, 180, 130, 36, c.dark) + circle(0, 64, 50, GLOW) + circle(0, 64, 26, "#fff") +
    path("M-50 110L-120 190H120L50 110Z", GLOW, ` opacity=".4"`) +
    rect(54, -16, 34, 22, 8, c.accent),
  "chair": (c) =>
    path("M-120 -170L110 -150L96 20L-96 10Z", c.main) +
    path("M-96 10L130 20L110 70L-116 60Z", c.light) +
    line("M-130 -180L-80 176M120 -160L150 176M-120 60L140 176M120 66L-100 176", c.dark, 15) +
    line("M-150 -40H-60M80 -34H170", c.accent, 18),
  "cooler": (c) =>
    rect(-180, -60, 360, 230, 30, c.main) + rect(-190, -120, 380, 80, 26, c.pale) +
    line("M-140 -120V-160H140V-120", c.dark, 20) +
    rect(-180, 30, 360, 34, 0, c.light) + rect(-34, -60, 68, 56, 12, c.dark) +
    circle(130, 120, 16, c.accent),
  "helmet": (c) =>
    path("M-180 60Q-190 -130 10 -140Q180 -140 190 40L150 70H-150Z", c.main) +
    many(4, (at) =>
      path(`M${-120 + at * 76} ${-20 - (at % 3) * 20}q30 -70 60 -70l-20 80z`, c.dark)) +
    rect(-160, 50, 330, 32, 16, c.dark) +
    line("M-110 80Q-60 150 0 170M100 80Q60 150 0 170", c.light, 12) +
    rect(-20, 156, 40, 28, 8, c.accent),
  "pump": (c) =>
    rect(-110, -186, 220, 34, 17, c.dark) + line("M0 -160V-60", STEEL, 16) +
    rect(-34, -80, 68, 230, 16, c.main) + rect(-120, 146, 240, 30, 12, c.dark) +
    circle(0, 110, 40, c.pale) + line("M0 110L18 90", c.accent, 8) +
    line("M34 130Q150 140 140 0T90 -100", c.dark, 13),
  "saddle": (c) =>
    path(
      "M-180 -20Q-190 -90 -90 -86Q40 -70 180 -50Q196 -40 176 -24Q60 -10 -20 30Q-150 60 -180 -20Z",
      c.main,
    ) + path("M-170 -30Q-60 -50 170 -42", "none", ` stroke="${c.light}" stroke-width="10"`) +
    line("M-110 30Q-40 90 120 -10", STEEL, 12) + rect(-40, 40, 50, 136, 12, c.dark) +
    rect(-50, 36, 70, 30, 10, c.accent),
  "bottle": (c, v) =>
    rect(-70, -90, 140, 266, 40, c.main) + rect(-44, -130, 88, 46, 10, STEEL) +
    rect(-52, -186, 104, 64, 18, c.dark) + rect(-70, 20, 140, 70, 0, c.light) +
    (v % 2 ? line("M-40 60L-10 30L14 60L40 34", c.dark, 9) : circle(0, 55, 20, c.accent)) +
    rect(-52, -60, 14, 190, 7, "#fff", SHINE),
  "compass": (c) =>
    circle(0, 20, 156, c.dark) + circle(0, 12, 150, c.main) + circle(0, 12, 118, "#fffdf5") +
    path("M0 -84L24 12H-24Z", "#c0392b") + path("M0 108L24 12H-24Z", c.dark) +
    circle(0, 12, 14, c.accent) + many(8, (at) =>
      rect(-4, -98, 8, 18, 4, c.light, ` transform="rotate(${at * 45} 0 12)"`)) +
    rect(-20, -180, 40, 44, 14, c.dark),
  "goggles": (c) =>
    line("M-150 0Q-200 -60 -140 -100M150 0Q200 -60 140 -100", c.dark, 24) +
    path("M-180 -30Q-170 -70 -100 -70T-14 -20Q-20 80 -100 84T-180 -30Z", c.main) +
    path("M180 -30Q170 -70 100 -70T14 -20Q20 80 100 84T180 -30Z", c.main) +
    ellipse(-98, 6, 56, 50, c.light) + ellipse(98, 6, 56, 50, c.light) +
    line("M-16 0Q0 -16 16 0", c.dark, 16) +
    line("M-126 -8L-100 -30M70 -8L96 -30", "#fff", 11, SHINE),
  "towel": (c) =>
    rect(-170, -120, 340, 30, 15, c.dark) + rect(-120, -110, 240, 280, 12, c.main) + many(3, (at) =>
      rect(-120, 20 + at * 46, 240, 20, 0, at % 2 ? c.accent : c.pale)) +
    rect(-120, -110, 60, 280, 12, c.light, SHINE) + many(12, (at) =>
      line(`M${-114 + at * 21} 170v14`, c.dark, 5)),
  "vest": (c) =>
    path(
      "M-70 -170Q-50 -60 0 -60Q50 -60 70 -170L130 -150L120 -20L150 170H-150L-120 -20L-130 -150Z",
      c.main,
    ) + line("M0 -60V166", c.dark, 9) +
    many(
      3,
      (at) =>
        rect(-140 + at * 2, -6 + at * 56, 280 - at * 4, 20, 6, c.dark) +
        rect(-24, -12 + at * 56, 48, 32, 8, c.accent),
    ),
  "rope": (c) =>
    line("M-130 -40Q-150 140 0 150T130 -40", c.dark, 13) +
    line("M-110 -40Q-120 110 0 116T110 -40", c.light, 9) +
    rect(-160, -176, 52, 150, 24, c.main, ` transform="rotate(-8 -134 -100)"`) +
    rect(108, -176, 52, 150, 24, c.main, ` transform="rotate(8 134 -100)"`) +
    rect(-156, -70, 46, 18, 8, c.accent) + rect(110, -70, 46, 18, 8, c.accent),
  "bands": (c) =>
    many(
      4,
      (at) =>
        ellipse(
          -90 + at * 60,
          20 + (at % 2) * 30,
          70,
          120,
          "none",
          ` stroke="${[c.main, c.accent, c.light, c.dark][at]}" stroke-width="24"`,
        ),
    ),
  "rower": (c) =>
    line("M-180 130H180", c.dark, 22) + circle(-120, 40, 76, c.main) +
    circle(-120, 40, 50, c.dark) +
    many(6, (at) => line("M-120 40v-44", c.light, 7, ` transform="rotate(${at * 60} -120 40)"`)) +
    rect(30, 66, 110, 40, 18, c.accent) + line("M85 100V126", c.dark, 16) +
    line("M-80 10L20 -30", STEEL, 9) + rect(10, -70, 22, 80, 10, c.dark) +
    rect(150, 130, 26, 46, 6, c.dark) + rect(-170, 130, 26, 46, 6, c.dark),
  "dryer": (c) =>
    path("M-60 -130H60A80 80 0 0 1 60 30H-60L-180 10V-110Z", c.main) +
    path("M-180 -116L-130 -104V-0L-180 16Z", c.dark) + path("M-10 20H70L40 176H-20Z", c.dark) +
    circle(60, -50, 48, c.light) + many(4, (at) => line(`M36 ${-74 + at * 16}h48`, c.dark, 6)) +
    rect(6, 60, 30, 44, 10, c.accent),
  "soap": (c) =>
    ellipse(0, 150, 190, 32, c.dark) + rect(-150, 10, 300, 130, 52, c.main) +
    rect(-150, 0, 300, 110, 52, c.light) + rect(-80, 30, 160, 50, 24, c.main, ` opacity=".6"`) +
    circle(-90, -60, 40, "#fff", ` opacity=".6"`) + circle(-20, -100, 26, "#fff", ` opacity=".6"`) +
    circle(60, -54, 50, "#fff", ` opacity=".5"`) + circle(120, -110, 18, "#fff", ` opacity=".6"`),
  "pills": (c) =>
    rect(-90, -90, 180, 266, 30, c.main) + rect(-80, -170, 160, 76, 16, "#fffdf6") + many(6, (at) =>
      line(`M${-60 + at * 24} -160v54`, c.light, 6)) +
    rect(-90, -20, 180, 130, 0, "#fffdf6") +
    rect(-60, 4, 120, 14, 7, c.dark) + rect(-60, 32, 80, 10, 5, c.light) +
    circle(46, 74, 20, c.accent) + rect(100, 130, 70, 36, 18, c.accent) +
    rect(135, 130, 35, 36, 18, c.pale),
  "sleepmask": (c) =>
    line("M-170 -20Q-220 -80 -150 -130M170 -20Q220 -80 150 -130", c.dark, 18) +
    path(
      "M-180 -40Q-100 -90 0 -60Q100 -90 180 -40Q190 90 80 90Q30 90 0 40Q-30 90 -80 90Q-190 90 -180 -40Z",
      c.main,
    ) +
    line("M-130 10Q-90 40 -50 10M130 10Q90 40 50 10", c.pale, 11) +
    path("M60 -150h50l-50 50h50", "none", ` stroke="${c.light}" stroke-width="11"`) +
    path("M130 -190h34l-34 34h34", "none", ` stroke="${c.light}" stroke-width="9"`),
  "massage": (c) =>
    rect(-130, -130, 230, 100, 50, c.main) + circle(-150, -80, 42, c.dark) +
    path("M20 -40H90L70 160Q66 176 50 176H10Q-6 176 -2 160Z", c.dark) +
    rect(-40, -110, 110, 24, 12, c.light) + circle(46, 20, 12, c.accent) +
    rect(24, 60, 40, 60, 14, c.main),
  "toothbrush": (c) =>
    `<g transform="rotate(18)">` + rect(-36, -30, 72, 210, 34, c.main) +
    rect(-16, -110, 32, 90, 12, STEEL) + rect(-24, -180, 48, 76, 20, c.pale) +
    many(4, (at) => rect(-44, -174 + at * 17, 22, 12, 3, c.accent)) +
    circle(0, 40, 16, c.light) + rect(-8, 80, 16, 50, 8, c.dark) + `</g>`,
  "trimmer": (c) =>
    `<g transform="rotate(-14)">` + path("M-60 -90H60L50 150Q46 180 0 180T-50 150Z", c.main) +
    rect(-70, -130, 140, 46, 10, c.dark) + many(9, (at) =>
      rect(-64 + at * 15, -160, 8, 34, 2, STEEL)) +
    rect(-20, -40, 40, 90, 20, c.light) + circle(0, -14, 13, c.accent) + `</g>`,
  "cards": (c) =>
    many(
      3,
      (at) =>
        `<g transform="rotate(${-24 + at * 22} 0 160)">` +
        rect(-84, -150, 168, 250, 20, [c.dark, c.main, "#fffdf6"][at]!) +
        (at === 2
          ? path("M0 -90Q50 -140 70 -80Q76 -40 0 20Q-76 -40 -70 -80Q-50 -140 0 -90Z", "#c0392b")
          : circle(0, -24, 40, c.light)) +
        `</g>`,
    ),
  "chess": (c) =>
    rect(-190, 120, 380, 56, 10, c.dark) + many(6, (at) =>
      rect(-180 + at * 61, 128, 54, 40, 4, at % 2 ? c.pale : c.main)) +
    circle(-90, -70, 42, c.pale) + path("M-130 -30H-50L-64 60L-30 110H-150L-116 60Z", c.pale) +
    path("M50 -120L70 -100L90 -140L110 -100L130 -120L124 -50H56Z", c.main) +
    path("M60 -50H120L110 60L150 110H30L70 60Z", c.main) + circle(90, -150, 13, c.accent),
  "microscope": (c) =>
    rect(-130, 146, 260, 32, 14, c.dark) +
    path("M60 150Q150 60 60 -60", "none", ` stroke="${c.main}" stroke-width="38"`) +
    `<g transform="rotate(-26 -10 -50)">` + rect(-42, -160, 84, 190, 20, c.main) +
    rect(-30, -194, 60, 44, 10, c.dark) + rect(-24, 26, 48, 40, 8, STEEL) + `</g>` +
    rect(-110, 90, 150, 20, 8, c.dark) + rect(-70, 80, 60, 10, 3, c.accent) +
    circle(70, 20, 26, c.accent),
  "kite": (c) =>
    path("M0 -190L110 -60L0 110L-110 -60Z", c.main) + path("M0 -190L110 -60H0Z", c.accent) +
    path("M0 110L-110 -60H0Z", c.light) + line("M0 -190V110M-110 -60H110", c.dark, 6) +
    line("M0 110Q60 130 20 160T60 190", c.dark, 6) +
    path("M20 126l34 -14v28z M30 160l-34 -14v28z", c.accent),
  "robot": (c) =>
    line("M0 -150V-186", c.dark, 9) + circle(0, -186, 14, c.accent) +
    rect(-86, -150, 172, 120, 34, c.main) + circle(-36, -94, 22, "#fff") +
    circle(36, -94, 22, "#fff") + circle(-32, -92, 10, c.dark) + circle(40, -92, 10, c.dark) +
    rect(-30, -58, 60, 12, 6, c.pale) +
    rect(-104, -16, 208, 140, 30, c.light) + rect(-50, 14, 100, 60, 12, c.dark) +
    line("M-30 44H-6L6 28L18 58L30 44", c.accent, 7) + rect(-156, -6, 42, 110, 20, c.dark) +
    rect(114, -6, 42, 110, 20, c.dark) + rect(-76, 124, 56, 54, 14, c.dark) +
    rect(20, 124, 56, 54, 14, c.dark),
  "hose": (c) =>
    circle(0, 10, 150, "none", ` stroke="${c.main}" stroke-width="34"`) +
    circle(0, 10, 108, "none", ` stroke="${c.light}" stroke-width="30"`) +
    circle(0, 10, 62, c.dark) + circle(0, 10, 22, c.accent) +
    line("M130 90Q180 130 150 176", c.main, 24) + rect(-40, 140, 80, 40, 10, c.dark),
  "seeds": (c) =>
    path("M-110 -170H110V176H-110Z", "#fff8e7") + rect(-110, -170, 220, 50, 0, c.main) +
    many(6, (at) =>
      ellipse(
        0,
        -70,
        16,
        40,
        at % 2 ? c.accent : c.light,
        ` transform="rotate(${at * 60} 0 -20)"`,
      )) +
    circle(0, -20, 24, "#f4b942") +
    line("M0 20V110M0 70Q-40 60 -46 30M0 90Q40 80 46 50", "hsl(128 34% 42%)", 9) +
    rect(-70, 128, 140, 14, 7, c.dark),
  "raisedbed": (c) =>
    many(
      5,
      (at) =>
        path(
          `M${-140 + at * 70} 50Q${-180 + at * 70} -30 ${-140 + at * 70} -${90 + (at % 2) * 40}Q${
            -100 + at * 70
          } -30 ${-140 + at * 70} 50Z`,
          at % 2 ? "hsl(128 34% 50%)" : "hsl(140 36% 38%)",
        ),
    ) +
    rect(-190, 40, 380, 130, 8, c.main) + line("M-186 84H186M-186 128H186", c.dark, 6) +
    rect(-196, 30, 26, 146, 6, c.dark) + rect(170, 30, 26, 146, 6, c.dark),
  "calendar": (c) =>
    rect(-140, -130, 280, 300, 26, "#fffdf6") +
    path("M-140 -104A26 26 0 0 1 -114 -130H114A26 26 0 0 1 140 -104V-50H-140Z", c.main) +
    rect(-80, -166, 24, 70, 12, c.dark) + rect(56, -166, 24, 70, 12, c.dark) +
    many(
      12,
      (at) =>
        rect(
          -112 + (at % 4) * 62,
          -20 + Math.floor(at / 4) * 60,
          40,
          36,
          8,
          at === 6 ? c.accent : c.light,
        ),
    ),
  "bookends": (c) =>
    path("M-190 -90H-160V150H-60V176H-190Z", c.dark) +
    path("M190 -90H160V150H60V176H190Z", c.dark) + many(5, (at) =>
      rect(
        -150 + at * 61,
        -120 + (at * 37) % 60,
        50,
        296 - (at * 37) % 60,
        6,
        [c.main, c.accent, c.pale, c.light, c.main][at]!,
      )) +
    many(5, (at) => rect(-144 + at * 61, -60, 38, 12, 3, c.dark, SHINE)),
  "pad": (c) =>
    rect(-190, -60, 380, 220, 20, c.dark) + rect(-190, -76, 380, 220, 20, c.main) +
    line("M-170 -56H170V124H-170Z", c.light, 4, ` stroke-dasharray="12 10"`) +
    rect(-130, -30, 150, 120, 6, "#fffdf6", ` transform="rotate(-5)"`) +
    `<g transform="rotate(30 110 20)">` + rect(100, -60, 18, 140, 8, c.accent) +
    path("M100 80H118L109 104Z", c.dark) + `</g>`,
  "tape": (c) =>
    many(
      3,
      (at) =>
        circle(-100 + at * 100, 60 - (at % 2) * 110, 84, [c.main, c.accent, c.light][at]!) +
        circle(-100 + at * 100, 60 - (at % 2) * 110, 42, c.pale) +
        circle(
          -100 + at * 100,
          60 - (at % 2) * 110,
          62,
          "none",
          ` stroke="#fff" stroke-width="6" stroke-dasharray="6 16"`,
        ),
    ),
  "stove": (c) =>
    path(
      "M0 -150Q60 -80 20 -40Q60 -60 50 -100Q110 -30 40 20H-40Q-110 -30 -40 -90Q-30 -60 -10 -60Q-40 -100 0 -150Z",
      "#f4a142",
    ) + path("M0 -70Q30 -30 10 10H-16Q-40 -20 0 -70Z", GLOW) + rect(-120, 20, 240, 24, 10, c.dark) +
    line("M-110 44L-150 176M110 44L150 176", c.dark, 14) + rect(-70, 60, 140, 116, 30, c.main) +
    rect(-50, 90, 100, 46, 8, c.pale) + circle(0, 113, 14, c.accent),
  "kayak": (c) =>
    path("M-200 40Q-100 120 0 120T200 40Q100 20 0 20T-200 40Z", c.main) +
    path("M-200 40Q-100 20 0 20T200 40Q100 60 0 60T-200 40Z", c.light) +
    ellipse(0, 40, 56, 18, c.dark) + line("M-150 -130L150 110", c.dark, 12) +
    ellipse(-160, -138, 44, 22, c.accent, ` transform="rotate(38 -160 -138)"`) +
    ellipse(160, 118, 44, 22, c.accent, ` transform="rotate(38 160 118)"`) +
    line("M-200 150q34 -28 66 0t66 0t66 0t66 0t66 0t66 0", c.pale, 13),
  "wetsuit": (c) =>
    path(
      "M-50 -180H50L120 -140L150 10L104 20L80 -60V30L96 180H24L0 60L-24 180H-96L-80 30V-60L-104 20L-150 10L-120 -140Z",
      c.dark,
    ) + path("M-80 -60V30L-88 110L-30 40L-36 -140Z", c.main) +
    path("M80 -60V30L88 110L30 40L36 -140Z", c.main) + line("M0 -176V-20", c.accent, 8),
  "lantern": (c) =>
    line("M-60 -110Q-60 -186 0 -186T60 -110", c.dark, 12) + rect(-80, -120, 160, 40, 14, c.main) +
    rect(-70, -84, 140, 180, 16, GLOW, ` opacity=".85"`) +
    path("M0 -40Q36 10 0 50Q-36 10 0 -40Z", "#f4a142") + line("M-40 -84V96M40 -84V96", c.dark, 7) +
    rect(-92, 92, 184, 80, 20, c.main) + circle(0, 132, 16, c.accent),
  "pillow": (c) =>
    path(
      "M-180 -70Q-150 -110 -90 -90Q0 -70 90 -90Q150 -110 180 -70Q160 20 180 110Q150 150 90 130Q0 112 -90 130Q-150 150 -180 110Q-160 20 -180 -70Z",
      c.light,
    ) +
    path(
      "M-180 -70Q-160 20 -180 110Q-150 150 -90 130Q0 112 90 130Q150 150 180 110Q0 60 -180 -70Z",
      c.dark,
      SHINE,
    ) +
    line("M-130 -50Q-90 -20 -80 10M130 -50Q90 -20 80 10", c.pale, 8) +
    rect(-190, 140, 380, 36, 18, c.main),
  "diffuser": (c) =>
    path("M-80 -40H80L110 130Q110 176 60 176H-60Q-110 176 -110 130Z", c.main) +
    rect(-60, -70, 120, 40, 14, c.dark) +
    many(5, (at) => line(`M${-20 + at * 10} -64L${-80 + at * 40} -190`, c.dark, 6)) +
    rect(-60, 50, 120, 70, 8, c.pale) + rect(-36, 76, 72, 9, 4, c.dark) +
    ellipse(-70, 40, 10, 40, "#fff", SHINE),
  "tube": (c) =>
    path("M-90 -180H90L64 110H-64Z", c.main) + rect(-96, -190, 192, 24, 6, c.dark) +
    rect(-52, 108, 104, 68, 14, c.dark) + path("M-70 -100H70L60 20H-60Z", c.pale) +
    rect(-40, -70, 80, 12, 6, c.dark) + rect(-28, -44, 56, 8, 4, c.light) +
    circle(0, -8, 13, c.accent),
};
