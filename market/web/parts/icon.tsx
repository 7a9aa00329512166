// The shop's few icons, drawn on a 24 x 24 grid with the text's color.

const PATHS = {
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13Zm4.8-1.7L20 20",
  cart: "M3 4h2.5l2.2 11h9.8l2-8H6.3M9 20h.01M16.5 20h.01",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8.5c.8-3.6 3.7-5.5 7.5-5.5s6.7 1.9 7.5 5.5",
  sun:
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-13v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5Z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19.5 7",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  truck:
    "M2.5 6h11v10h-11ZM13.5 10h4l4 3.5V16h-8M7 19a1.8 1.8 0 1 0 0-3.6A1.8 1.8 0 0 0 7 19Zm10.5 0a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6ZM8.8 12l2.3 2.3 4.3-4.5",
  back: "M4 9h10a5.5 5.5 0 0 1 0 11H8M4 9l4-4M4 9l4 4",
  filter: "M3 6h18M6.5 12h11M10 18h4",
  bin: "M4 7h16M9.5 7V4h5v3M6.5 7l.8 13h9.4l.8-13",
} as const;

export function Icon(props: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[props.name]} />
    </svg>
  );
}
