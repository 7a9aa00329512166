// One drawing a subcategory, around (0, 0), within about 190 to each side; the floor is at y 180.
// `variant` (0 to 14) turns details, so that neighbours on a shelf differ.

import { circle, ellipse, type Glyph, line, many, path, rect, SHINE } from "./shapes.ts";

/** By subcategory name; `kinds.ts` has drawings of single kinds. */
export const GLYPHS: Readonly<Record<string, Glyph>> = {
  "Audio": (c, v) =>
    v % 3 === 2
      ? rect(-95, -180, 190, 360, 26, c.dark) + rect(-81, -166, 162, 332, 18, c.main) +
        circle(0, -92, 44, c.dark) + circle(0, -92, 28, c.light) + circle(0, 62, 78, c.dark) +
        circle(0, 62, 58, c.light) + circle(0, 62, 22, c.dark) + circle(-20, 40, 12, "#fff", SHINE)
      : line("M-130 40V-10A130 130 0 0 1 130 -10V40", c.dark, 26) +
        line("M-130 -10A130 130 0 0 1 130 -10", c.light, 8) +
        rect(-172, 10, 78, 150, 38, c.main) + rect(94, 10, 78, 150, 38, c.main) +
        rect(-112, 24, 34, 122, 17, c.dark) + rect(78, 24, 34, 122, 17, c.dark) +
        rect(-160, 34, 12, 70, 6, "#fff", SHINE) + circle(133, 85, 12, c.accent),
  "Computers": (c, v) =>
    v % 2
      ? rect(-180, -150, 360, 230, 18, c.dark) + rect(-166, -136, 332, 202, 8, c.light) +
        path("M-166 66V-20Q-60 -110 40 -20T166 -40V66Z", c.main) + circle(96, -84, 26, c.pale) +
        path("M-40 80H40L54 160H-54Z", c.main) + rect(-100, 156, 200, 22, 11, c.dark)
      : rect(-190, -20, 380, 170, 24, c.dark) + rect(-190, -32, 380, 170, 24, c.main) +
        many(
          30,
          (at) =>
            rect(
              -170 + (at % 10) * 34.6,
              -14 + Math.floor(at / 10) * 38,
              28,
              30,
              7,
              at === 10 + v || at === 0 ? c.accent : c.pale,
            ),
        ) +
        rect(-96, 100, 192, 28, 8, c.pale) + rect(-170, 100, 62, 28, 8, c.light) +
        rect(108, 100, 62, 28, 8, c.light),
  "Smart Home": (c, v) =>
    v % 2
      ? circle(0, 0, 165, c.dark) + circle(0, 0, 150, c.pale) + circle(0, 0, 116, c.main) +
        line("M-88 88A124 124 0 1 1 88 88", c.accent, 14) + rect(-38, -10, 76, 18, 9, c.pale) +
        rect(-22, 30, 44, 12, 6, c.light) + circle(-40, -60, 16, "#fff", SHINE)
      : path("M-58 60Q-62 20 -96 -14A118 118 0 1 1 96 -14Q62 20 58 60Z", c.light) +
        path("M-30 60L-42 -30L0 0L42 -30L30 60", "none", ` stroke="${c.accent}" stroke-width="9"`) +
        rect(-58, 66, 116, 30, 12, c.dark) + rect(-50, 102, 100, 26, 12, c.dark) +
        rect(-36, 134, 72, 26, 13, c.main) + ellipse(-52, -70, 22, 40, "#fff", SHINE),
  "Photography": (c, v) =>
    rect(-180, -80, 360, 230, 34, c.dark) + path("M-70 -80L-46 -124H46L70 -80Z", c.main) +
    rect(-180, -36, 360, 132, 0, c.main) + circle(0, 32, 106, c.dark) + circle(0, 32, 86, c.light) +
    circle(0, 32, 64, c.dark) + circle(0, 32, 34, v % 2 ? c.accent : c.main) +
    circle(-24, 6, 16, "#fff", SHINE) + rect(-160, -106, 62, 30, 10, c.accent) +
    circle(138, -58, 13, c.pale),
  "Wearables": (c, v) =>
    path("M-66 -80L-52 -190H52L66 -80Z", c.dark) + path("M-66 80L-52 190H52L66 80Z", c.dark) +
    rect(-98, -104, 196, 208, 54, c.main) + rect(-82, -88, 164, 176, 42, "#14181f") +
    line("M-46 30A56 56 0 1 1 46 30", c.accent, 13) +
    line("M-26 14A34 34 0 0 1 0 -32", c.light, 11) +
    (v % 2
      ? line("M-44 52H-14L-2 34L12 66L22 52H44", c.pale, 6)
      : rect(-30, 44, 60, 12, 6, c.pale)) +
    rect(98, -26, 14, 52, 7, c.dark),
  "Cookware": (c, v) =>
    v % 2
      ? rect(-160, -40, 320, 190, 40, c.main) + rect(-172, -52, 344, 34, 17, c.dark) +
        path("M-150 -58Q0 -150 150 -58Z", c.light) + circle(0, -112, 20, c.dark) +
        rect(-206, -6, 52, 30, 15, c.dark) + rect(154, -6, 52, 30, 15, c.dark) +
        rect(-134, 0, 18, 100, 9, "#fff", SHINE)
      : rect(80, -14, 130, 30, 15, c.dark, ` transform="rotate(-24 80 0)"`) +
        ellipse(-40, 40, 160, 118, c.dark) + ellipse(-40, 30, 146, 104, c.main) +
        ellipse(-40, 34, 112, 76, c.dark) +
        path("M-92 40Q-80 -10 -34 6T10 40T-40 70T-92 40Z", "#fffdf4") +
        circle(-44, 36, 22, "#f7b731"),
  "Coffee & Tea": (c, v) =>
    line("M100 0H126A52 52 0 0 1 126 104H96", c.dark, 24) +
    path("M-120 -40H110V70A100 100 0 0 1 10 170H-20A100 100 0 0 1 -120 70Z", c.main) +
    ellipse(-5, -40, 115, 26, c.dark) + ellipse(-5, -36, 96, 17, "#5b3a24") +
    rect(-98, 0, 18, 90, 9, "#fff", SHINE) + ellipse(-5, 178, 150, 14, c.light) +
    many(2 + v % 2, (at) =>
      line(
        `M${-50 + at * 44} -80Q${-76 + at * 44} -112 ${-50 + at * 44} -140T${-50 + at * 44} -190`,
        c.pale,
        12,
      )),
  "Bedding": (c, v) =>
    rect(-180, 100, 360, 62, 26, c.dark) + rect(-180, 42, 360, 72, 30, c.main) +
    path("M-180 74H180V100Q90 124 0 100T-180 100Z", c.light) +
    rect(-150, -28, 300, 82, 34, c.pale) +
    rect(-120, -94, 240, 82, 36, v % 2 ? c.accent : c.light) +
    line("M-80 -54Q0 -36 80 -54", "#fff", 6, SHINE) + line("M-110 14Q0 34 110 14", c.light, 6) +
    many(5, (at) => circle(-120 + at * 60, 140, 8, c.light)),
  "Lighting": (c, v) =>
    v % 2
      ? line("M0 -210V-110", c.dark, 8) + path("M-36 -110H36L150 30H-150Z", c.main) +
        ellipse(0, 30, 150, 24, c.dark) + circle(0, 40, 36, "#ffe9a8") +
        path("M-120 50L-190 190H190L120 50Z", "#fff4c9", ` opacity=".4"`)
      : rect(-90, 160, 180, 20, 10, c.dark) + line("M0 160V-20", c.dark, 16) +
        path("M-76 -160H76L126 0H-126Z", c.main) + path("M-76 -160H-30L-70 0H-126Z", c.light) +
        ellipse(0, 0, 126, 16, "#ffe9a8") + circle(70, 30, 9, c.accent) +
        line("M70 0V24", c.dark, 4),
  "Storage": (c, v) =>
    v % 2
      ? path("M-160 -40H160L130 160H-130Z", c.main) + rect(-174, -64, 348, 38, 19, c.dark) +
        many(4, (at) => line(`M${-138 + at * 6} ${6 + at * 40}H${138 - at * 6}`, c.light, 10)) +
        many(7, (at) => line(`M${-114 + at * 38} -26L${-96 + at * 32} 158`, c.dark, 5, SHINE)) +
        path("M-90 -64Q-70 -130 0 -120T100 -64Z", c.pale)
      : rect(-180, 10, 360, 20, 6, c.dark) + rect(-180, 150, 360, 20, 6, c.dark) +
        rect(-180, -140, 360, 20, 6, c.dark) + rect(-180, -140, 16, 310, 4, c.dark) +
        rect(164, -140, 16, 310, 4, c.dark) + rect(-140, -70, 70, 80, 14, c.light) +
        rect(-50, -100, 34, 110, 5, c.main) + rect(-12, -88, 30, 98, 5, c.accent) +
        rect(22, -104, 38, 114, 5, c.pale) + circle(112, -24, 34, c.main) +
        rect(-130, 70, 120, 80, 12, c.main) + rect(30, 54, 100, 96, 18, c.light),
  "Women": (c, v) =>
    path("M-52 -170Q0 -120 52 -170L84 -150L64 -40L140 170H-140L-64 -40L-84 -150Z", c.main) +
    path("M-52 -170Q0 -120 52 -170L30 -176Q0 -146 -30 -176Z", c.dark) +
    rect(-66, -50, 132, 26, 10, c.dark) +
    many(4, (at) => line(`M${-60 + at * 40} -16L${-100 + at * 66} 160`, c.light, 7)) +
    (v % 2
      ? many(9, (at) => circle(-70 + (at % 5) * 36, 30 + Math.floor(at / 5) * 60, 8, c.pale))
      : ""),
  "Men": (c, v) =>
    path(
      "M-70 -160L-180 -90L-140 0L-106 -22V170H106V-22L140 0L180 -90L70 -160Q0 -120 -70 -160Z",
      c.main,
    ) +
    path("M-70 -160Q0 -120 70 -160L40 -176H-40Z", c.dark) +
    path("M-46 -170L0 -112L46 -170L74 -152L22 -76L0 -104L-22 -76L-74 -152Z", c.light) +
    (v % 2
      ? line("M0 -100V166", c.dark, 5) + many(5, (at) => circle(0, -66 + at * 52, 8, c.pale))
      : many(
        4,
        (at) => rect(-106, -10 + at * 46, 212, 16, 0, at % 2 ? c.accent : c.pale, ` opacity=".75"`),
      )) +
    rect(34, -48, 48, 54, 6, c.dark, SHINE),
  "Shoes": (c, v) =>
    path("M-190 96Q-200 0 -150 -80L-90 -96Q-70 -40 0 -16Q90 12 160 30Q196 44 196 96Z", c.main) +
    path("M-150 -80L-90 -96Q-84 -70 -64 -50L-170 -16Q-166 -50 -150 -80Z", c.dark) +
    rect(-196, 92, 396, 50, 25, "#fff") + rect(-196, 116, 396, 26, 13, c.light) +
    many(
      4,
      (at) =>
        line(`M${-52 + at * 34} ${-26 + at * 13}L${-84 + at * 36} ${16 + at * 8}`, c.pale, 11),
    ) +
    line(v % 2 ? "M-140 60Q-60 70 20 30" : "M-150 30L-60 64L40 40", c.accent, 13),
  "Bags": (c, v) =>
    v % 2
      ? line("M-70 -60V-104A70 70 0 0 1 70 -104V-60", c.dark, 20) +
        path("M-140 -70H140L166 160Q166 176 150 176H-150Q-166 176 -166 160Z", c.main) +
        path("M-140 -70H140L148 0Q0 70 -148 0Z", c.light) + rect(-26, 10, 52, 44, 10, c.accent) +
        line("M-146 120H146", c.dark, 5, ` stroke-dasharray="12 14"`)
      : line("M-40 -140Q0 -196 40 -140", c.dark, 16) + rect(-130, -150, 260, 320, 90, c.main) +
        rect(-96, 30, 192, 124, 28, c.dark) + rect(-84, 42, 168, 100, 20, c.light) +
        rect(-150, -20, 30, 130, 15, c.dark) + rect(120, -20, 30, 130, 15, c.dark) +
        line("M-80 -40H80", c.dark, 10) + circle(64, -26, 10, c.accent) +
        rect(-30, 42, 60, 20, 8, c.accent),
  "Accessories": (c, v) =>
    v % 2
      ? line("M-176 -30Q-190 -60 -150 -70", c.dark, 16) +
        line("M176 -30Q190 -60 150 -70", c.dark, 16) +
        rect(-176, -44, 156, 126, 58, c.dark) + rect(20, -44, 156, 126, 58, c.dark) +
        rect(-160, -28, 124, 94, 44, c.main) + rect(36, -28, 124, 94, 44, c.main) +
        line("M-22 0Q0 -24 22 0", c.dark, 16) + line("M-136 0L-106 -18", "#fff", 12, SHINE) +
        line("M60 0L90 -18", "#fff", 12, SHINE)
      : path("M-54 -80L-44 -196H44L54 -80Z", c.dark) + path("M-54 80L-44 196H44L54 80Z", c.dark) +
        circle(0, 0, 118, c.light) + circle(0, 0, 100, c.pale) +
        many(12, (at) => rect(-4, -90, 8, 18, 4, c.dark, ` transform="rotate(${at * 30})"`)) +
        line("M0 0L-34 -40", c.dark, 10) + line("M0 0L52 -34", c.main, 8) +
        circle(0, 0, 11, c.accent) +
        rect(118, -14, 18, 28, 6, c.dark),
  "Camping": (c, v) =>
    path("M0 -150L200 160H-200Z", c.main) + path("M0 -150L-200 160H-80Z", c.light) +
    path("M0 -60L74 160H-74Z", c.dark) + path("M0 -60L0 160H-74Z", c.accent) +
    line("M0 -150L14 -176M0 -150L-14 -176", c.dark, 9) +
    line("M200 160L220 176M-200 160L-220 176", c.dark, 7) +
    (v % 2
      ? circle(140, -130, 34, "#fff7d6")
      : path("M110 -120q20 -30 50 -10q34 -8 36 24h-100q-6 -20 14 -14z", "#fff", ` opacity=".8"`)),
  "Cycling": (c, v) =>
    line(
      "M-110 70L-30 -60H80L20 70Z M-30 -60L20 70 M-44 -92L-30 -60 M80 -60L68 -100H104 M80 -60L112 70",
      c.main,
      15,
    ) +
    many(
      2,
      (at) =>
        circle(-112 + at * 224, 74, 84, "none", ` stroke="${c.dark}" stroke-width="17"`) +
        many(6, (spoke) =>
          line(
            `M${-112 + at * 224} 74l0 -74`,
            c.light,
            3,
            ` transform="rotate(${spoke * 60 + v * 7} ${-112 + at * 224} 74)"`,
          )) +
        circle(-112 + at * 224, 74, 13, c.accent),
    ) + rect(-76, -104, 64, 18, 9, c.dark) +
    circle(20, 70, 22, c.dark),
  "Fitness": (c, v) =>
    v % 2
      ? line("M-56 -40V-80A56 70 0 0 1 56 -80V-40", c.dark, 32) + circle(0, 50, 124, c.main) +
        circle(0, 56, 62, c.pale) + circle(0, 56, 40, c.accent) + circle(-58, 0, 20, "#fff", SHINE)
      : rect(-100, -18, 200, 36, 12, c.light) + rect(-136, -110, 50, 220, 20, c.main) +
        rect(86, -110, 50, 220, 20, c.main) + rect(-176, -76, 44, 152, 18, c.dark) +
        rect(132, -76, 44, 152, 18, c.dark) + rect(-202, -22, 30, 44, 12, c.accent) +
        rect(172, -22, 30, 44, 12, c.accent) + rect(-126, -96, 10, 130, 5, "#fff", SHINE),
  "Hiking": (c, v) =>
    v % 2
      ? line("M-48 -150Q0 -204 48 -150", c.dark, 18) + rect(-120, -160, 240, 330, 70, c.main) +
        path("M-120 -90Q0 -170 120 -90V-20Q0 30 -120 -20Z", c.dark) +
        rect(-84, 50, 168, 96, 24, c.light) +
        rect(-52, -60, 18, 140, 8, c.accent) + rect(34, -60, 18, 140, 8, c.accent) +
        rect(-168, 20, 50, 120, 24, c.dark) + rect(118, 20, 50, 120, 24, c.dark)
      : path("M-200 160L-60 -110L10 10L60 -70L200 160Z", c.main) +
        path("M-60 -110L-104 -26L-66 -44L-40 -16L-14 -32Z", "#fff") +
        path("M60 -70L32 -22L58 -34L92 -20Z", "#fff") + path("M-200 160L-120 30L-40 160Z", c.dark) +
        path("M60 160L130 70L200 160Z", c.dark) + circle(120, -126, 34, c.accent),
  "Water Sports": (c, v) =>
    path("M-30 -196Q70 -120 70 0T-6 176Q-96 100 -96 -20T-30 -196Z", v % 2 ? c.main : c.accent) +
    path("M-30 -196Q20 -110 20 -10T-6 176Q-56 90 -56 -20T-30 -196Z", c.pale) +
    line("M-66 -60H44M-70 -30H50", c.dark, 11) + line("M130 -180L110 120", c.dark, 12) +
    path("M92 96H130L124 176Q106 190 90 174Z", c.main) +
    line("M-200 150q34 -30 66 0t66 0t66 0t66 0t66 0t66 0", c.light, 16),
  "Skin Care": (c, v) =>
    v % 2
      ? rect(-130, -20, 260, 190, 40, c.main) + rect(-142, -90, 284, 86, 24, c.dark) +
        rect(-100, 30, 200, 84, 12, c.pale) + rect(-70, 54, 140, 10, 5, c.main) +
        rect(-44, 78, 88, 8, 4, c.light) + rect(-126, -78, 16, 60, 8, "#fff", SHINE)
      : rect(-80, -50, 160, 226, 34, c.light) +
        rect(-66, 20, 132, 142, 22, c.main, ` opacity=".8"`) +
        rect(-34, -86, 68, 40, 8, c.dark) + rect(-24, -176, 48, 96, 22, c.dark) +
        rect(-52, 40, 104, 80, 8, c.pale) + circle(0, 80, 18, c.accent) +
        rect(-64, -30, 14, 120, 7, "#fff", SHINE),
  "Hair Care": (c, v) =>
    v % 2
      ? ellipse(-20, -50, 92, 140, c.dark) + ellipse(-20, -50, 66, 112, c.light) +
        rect(-42, 80, 44, 108, 22, c.main) +
        many(20, (at) => circle(-56 + (at % 4) * 24, -120 + Math.floor(at / 4) * 36, 7, c.dark)) +
        rect(80, -60, 84, 230, 26, c.main) + rect(98, -100, 48, 44, 10, c.dark) +
        rect(92, 10, 60, 80, 8, c.pale)
      : rect(-96, -60, 192, 236, 46, c.main) + rect(-26, -110, 52, 54, 8, c.dark) +
        path("M-26 -130H40Q96 -130 104 -100L74 -104H-26Z", c.dark) +
        rect(-66, 0, 132, 120, 14, c.pale) +
        line("M-36 80Q-20 20 0 80T36 60", c.accent, 10) + rect(-82, -30, 14, 150, 7, "#fff", SHINE),
  "Fragrance": (c, v) =>
    rect(-124, -60, 248, 236, v % 2 ? 30 : 110, c.light) +
    rect(-104, 10, 208, 150, v % 2 ? 18 : 74, c.main, ` opacity=".85"`) +
    rect(-34, -100, 68, 44, 6, c.accent) +
    (v % 3 ? rect(-58, -176, 116, 82, 18, c.dark) : circle(0, -136, 48, c.dark)) +
    rect(-56, 40, 112, 76, 6, c.pale) + rect(-34, 62, 68, 8, 4, c.dark) +
    rect(-22, 84, 44, 6, 3, c.main) +
    rect(-104, -36, 14, 140, 7, "#fff", SHINE),
  "Wellness": (c, v) =>
    path("M0 -120Q80 -30 0 120Q-80 -30 0 -120Z", c.main) +
    path("M0 120Q20 -30 136 -70Q140 70 0 120Z", c.light) +
    path("M0 120Q-20 -30 -136 -70Q-140 70 0 120Z", c.light) +
    path("M0 120Q60 40 190 50Q150 150 0 120Z", c.accent) +
    path("M0 120Q-60 40 -190 50Q-150 150 0 120Z", c.accent) +
    line("M0 -80V80", c.pale, 5) + ellipse(0, 160, 150, 16, c.dark) +
    circle(0, -160, 12 + v % 4 * 3, c.pale),
  "Grooming": (c, v) =>
    v % 2
      ? rect(-18, -60, 36, 240, 18, c.dark) + many(6, (at) =>
        rect(-18, 0 + at * 26, 36, 8, 2, c.light)) +
        rect(-110, -140, 220, 62, 18, c.main) + rect(-96, -92, 192, 20, 4, "#eef2f5") +
        rect(-34, -80, 68, 30, 8, c.main) +
        rect(-92, -128, 110, 12, 6, "#fff", SHINE)
      : path("M-70 20Q-100 -150 0 -170Q100 -150 70 20Z", c.pale) +
        many(
          7,
          (at) =>
            line(`M${-54 + at * 18} 10Q${-66 + at * 22} -80 ${-48 + at * 16} -140`, c.light, 5),
        ) +
        rect(-84, 10, 168, 40, 14, c.accent) +
        path("M-64 50H64L50 110Q90 150 60 180H-60Q-90 150 -50 110Z", c.main) +
        rect(-44, 64, 14, 80, 7, "#fff", SHINE),
  "Notebooks": (c, v) =>
    rect(-124, -164, 270, 340, 16, c.dark, ` transform="rotate(5)"`) +
    rect(-130, -170, 262, 340, 14, "#fffdf6") +
    rect(-136, -176, 262, 340, 16, c.main) + rect(-136, -176, 46, 340, 16, c.dark) +
    rect(84, -176, 16, 340, 0, c.accent) + rect(-60, -116, 116, 70, 8, c.pale) +
    rect(-44, -94, 84, 8, 4, c.main) +
    rect(-44, -76, 54, 6, 3, c.light) +
    (v % 2 ? circle(0, 60, 40, c.light) : line("M-50 70L-10 20L20 56L50 30", c.light, 10)) +
    path("M20 164V206L34 190L48 206V164Z", c.accent),
  "Pens": (c, v) =>
    `<g transform="rotate(${34 + v})">` + rect(-34, -190, 68, 250, 30, c.main) +
    rect(-34, -60, 68, 22, 0, c.accent) +
    rect(18, -176, 14, 110, 7, c.dark) + path("M-32 60H32L14 130H-14Z", c.dark) +
    path("M-16 130H16L0 196Z", "#e9c46a") +
    line("M0 150V184", c.dark, 3) + rect(-22, -160, 10, 200, 5, "#fff", SHINE) + `</g>` +
    line("M-180 160Q-120 110 -70 160T40 150", c.dark, 8),
  "Fiction": (c, v) =>
    rect(-160, 96, 320, 70, 10, c.dark) + rect(-140, 106, 296, 50, 4, "#fffaf0") +
    rect(-160, 96, 40, 70, 10, c.dark) +
    rect(-140, 30, 290, 62, 10, c.accent) + rect(-124, 40, 270, 42, 4, "#fffaf0") +
    rect(-140, 30, 36, 62, 10, c.accent) +
    `<g transform="rotate(${-6 + v % 5})">` + rect(-84, -190, 168, 214, 10, c.main) +
    rect(-84, -190, 28, 214, 8, c.dark) +
    rect(-36, -150, 96, 14, 7, c.pale) + rect(-36, -124, 64, 10, 5, c.light) +
    (v % 2 ? circle(12, -50, 36, c.accent) : path(
      "M12 -96L26 -62L62 -60L34 -38L44 -4L12 -24L-20 -4L-10 -38L-38 -60L-2 -62Z",
      c.accent,
    )) +
    `</g>`,
  "Non-Fiction": (c, v) =>
    path("M0 -90Q-90 -150 -190 -110V130Q-90 90 0 150Z", "#fffdf5") +
    path("M0 -90Q90 -150 190 -110V130Q90 90 0 150Z", "#fbf4e4") +
    line("M-190 -110V146Q-90 106 0 166Q90 106 190 146V-110", c.main, 16) +
    line("M0 -90V150", c.dark, 5) +
    many(
      5,
      (at) => line(`M-160 ${-70 + at * 34}Q-90 ${-94 + at * 34} -28 ${-56 + at * 34}`, c.light, 7),
    ) +
    (v % 2
      ? circle(96, -20, 44, c.accent) +
        line("M52 -20H140M96 -64Q130 -20 96 24Q62 -20 96 -64", c.pale, 5)
      : path("M40 60Q60 -60 150 -70Q160 30 40 60Z", c.accent) + line("M44 58L130 -44", c.pale, 5)) +
    line("M40 96Q100 74 160 96", c.light, 7),
  "Desk": (c, v) =>
    rect(-190, 60, 380, 110, 16, c.dark) + rect(-178, 72, 356, 86, 10, c.main) +
    rect(-150, -60, 116, 140, 12, c.light) +
    rect(-150, 6, 116, 74, 0, c.main) +
    line("M-124 -60L-138 -150M-92 -60V-170M-62 -60L-46 -140", c.accent, 14) +
    rect(10, -20, 150, 100, 8, "#fffdf6") +
    path("M10 -20L85 46L160 -20Z", c.pale, ` stroke="${c.light}" stroke-width="5"`) +
    circle(85, 40, 20, v % 2 ? "#c0392b" : c.accent),
  "Wooden Toys": (c, v) =>
    v % 2
      ? many(
        5,
        (at) =>
          line(
            `M${-170 + at * 34} 160V140A${170 - at * 34} ${170 - at * 34} 0 0 1 ${
              170 - at * 34
            } 140V160`,
            [c.dark, c.main, c.accent, c.light, c.pale][at]!,
            30,
          ),
      )
      : rect(-160, 60, 110, 110, 14, c.main) + rect(-40, 60, 110, 110, 14, c.accent) +
        path("M90 170L145 60L200 170Z", c.light) +
        rect(-104, -56, 110, 110, 14, c.light) + circle(78, 2, 52, c.dark) +
        path("M-110 -62H14L-48 -170Z", c.dark) +
        circle(-105, 115, 28, c.pale) + rect(-4, 96, 38, 38, 8, c.pale),
  "Games & Puzzles": (c, v) =>
    v % 2
      ? `<g transform="rotate(-10)">` + rect(-130, -130, 220, 220, 40, c.main) +
        many(5, (at) =>
          circle([-70, 30, -20, -70, 30][at]!, [-70, -70, -20, 30, 30][at]!, 22, c.pale)) +
        `</g>` +
        `<g transform="rotate(12)">` + rect(30, 30, 140, 140, 28, c.accent) +
        circle(70, 70, 15, c.pale) + circle(130, 130, 15, c.pale) + `</g>`
      : path(
        "M-150 -120H-40Q-60 -180 0 -180T40 -120H150V-20Q200 -40 200 10T150 50V160H40Q60 110 0 110T-40 160H-150V50Q-96 70 -96 16T-150 -20Z",
        c.main,
      ) +
        path(
          "M-150 -120H-40Q-60 -180 0 -180L0 110Q-60 110 -40 160H-150V50Q-96 70 -96 16T-150 -20Z",
          c.light,
        ) +
        circle(80, -60, 18, c.accent) + circle(100, 90, 12, c.pale),
  "Creative": (c, v) =>
    path(
      "M-180 20Q-180 -140 0 -150T190 -10Q190 70 100 60Q50 56 60 100Q70 160 -10 160Q-180 160 -180 20Z",
      "#e8c9a0",
    ) +
    many(
      6,
      (at) =>
        circle(
          [-110, -70, 0, 76, 124, -108][at]!,
          [-10, -80, -104, -80, -10, 70][at]!,
          29,
          [c.main, c.accent, c.light, c.dark, "#f4b942", c.pale][(at + v) % 6]!,
        ),
    ) +
    circle(-10, 90, 26, c.floor) + `<g transform="rotate(38 110 60)">` +
    rect(98, -30, 24, 180, 10, c.dark) +
    rect(94, -50, 32, 34, 4, "#cfd6dd") +
    path("M94 -50Q92 -110 110 -130Q128 -110 126 -50Z", c.accent) + `</g>`,
  "Garden Tools": (c, v) =>
    v % 2
      ? path("M-110 -10H90V160Q90 176 74 176H-94Q-110 176 -110 160Z", c.main) +
        line("M90 90L176 -40", c.main, 26) +
        path("M150 -64L204 -28L196 -14L142 -50Z", c.dark) +
        line("M-80 -10Q-80 -130 10 -130T70 -10", c.dark, 18) +
        rect(-118, -20, 216, 24, 12, c.dark) + rect(-90, 30, 16, 100, 8, "#fff", SHINE) +
        circle(-6, 86, 30, c.accent)
      : `<g transform="rotate(-24 0 0)">` + rect(-90, -180, 34, 150, 17, c.accent) +
        rect(-80, -40, 14, 80, 4, "#aab4bd") +
        path("M-116 30H-30Q-30 140 -73 180Q-116 140 -116 30Z", c.main) +
        `</g><g transform="rotate(20)">` +
        rect(60, -180, 34, 150, 17, c.dark) + rect(70, -40, 14, 70, 4, "#aab4bd") +
        line("M40 130V50H114V130M77 30V130", c.light, 14) + `</g>`,
  "Plants & Pots": (c, v) =>
    many(5, (at) =>
      `<g transform="rotate(${-56 + at * 28} 0 40)">` +
      path("M0 40Q-44 -50 0 -160Q44 -50 0 40Z", at % 2 ? "hsl(140 36% 38%)" : "hsl(128 34% 50%)") +
      line("M0 30V-120", "hsl(128 34% 66%)", 4) + `</g>`) +
    path("M-104 40H104L80 160Q76 178 58 178H-58Q-76 178 -80 160Z", c.main) +
    rect(-120, 20, 240, 44, 14, c.dark) +
    (v % 2
      ? line("M-88 100H88", c.pale, 12)
      : many(5, (at) => circle(-64 + at * 32, 112, 9, c.pale))) +
    rect(-84, 76, 12, 74, 6, "#fff", SHINE),
};
