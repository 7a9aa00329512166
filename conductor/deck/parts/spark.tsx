// A line so small that it needs no axes.

interface Props {
  readonly values: readonly number[];
  readonly most?: number;
  readonly label: string;
  readonly color: string;
}

const WIDTH = 96;
const HEIGHT = 22;

export function Spark({ values, most, label, color }: Props) {
  const shown = values.slice(-60);
  const top = most ?? Math.max(1, ...shown);
  const points = shown.map((value, at) => {
    const x = WIDTH * at / Math.max(1, shown.length - 1);
    return `${x.toFixed(1)},${(HEIGHT - 1 - (HEIGHT - 2) * Math.min(1, value / top)).toFixed(1)}`;
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
