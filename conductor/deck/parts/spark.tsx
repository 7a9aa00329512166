// A line so small that it needs no axes.

interface Props {
  /** ms since 1970, ascending. */
  readonly wallMs: readonly number[];
  readonly values: readonly (number | null)[];
  /** What is shown, up to the last time, ms. */
  readonly spanMs: number;
  readonly most: number;
  readonly label: string;
  readonly color: string;
}

const WIDTH = 96;
const HEIGHT = 22;

export function Spark({ wallMs, values, spanMs, most, label, color }: Props) {
  const last = wallMs.at(-1) ?? 0;
  const points = values.flatMap((value, at) => {
    const x = WIDTH * (1 - (last - wallMs[at]!) / spanMs);
    if (value === null || x < 0) return [];
    const y = HEIGHT - 1 - (HEIGHT - 2) * Math.min(1, value / most);
    return [`${x.toFixed(1)},${y.toFixed(1)}`];
  });
  return (
    <svg
      class={`spark ${color}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
