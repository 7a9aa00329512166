// A chart over time by uPlot, as wide as its place and in the page's colors.

import { useEffect, useRef } from "preact/hooks";
import UPlot from "uplot";

export interface Line {
  readonly label: string;
  /** Name of a custom property of the page's styles. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  readonly unit: string;
  /** Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** Fixed top of the scale. */
  readonly most?: number;
}

const HEIGHT = 150;

export function Chart({ title, unit, times, lines, most }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | null>(null);
  const data = [times, ...lines.map((line) => line.values)] as UPlot.AlignedData;

  useEffect(() => {
    const element = place.current!;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new UPlot(options(element.clientWidth, unit, lines, most), data, element);
    };
    draw();
    const watch = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: HEIGHT })
    );
    watch.observe(element);
    addEventListener("theme", draw);
    return () => {
      removeEventListener("theme", draw);
      watch.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, []);
  useEffect(() => chart.current?.setData(data));

  const last = lines.map((line) => {
    const value = line.values.at(-1);
    return `${line.label} ${value === undefined || value === null ? "unknown" : rounded(value)}`;
  });
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        {lines.map((line) => (
          <span class="key">
            <i class={`swatch ${line.color}`} />
            {line.label}
          </span>
        ))}
      </figcaption>
      <div
        ref={place}
        role="img"
        aria-label={`${title}${unit && `, ${unit}`}: now ${last.join(", ")}`}
      />
    </figure>
  );
}

function rounded(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1);
}

function options(
  width: number,
  unit: string,
  lines: readonly Line[],
  most: number | undefined,
): UPlot.Options {
  const color = (name: string) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("ink-soft"),
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: {
      y: {
        range: (
          _,
          bottom,
          top,
        ) => [Math.min(0, bottom ?? 0), most ?? Math.max(1, (top ?? 0) * 1.1)],
      },
    },
    axes: [
      {
        ...axis,
        size: 26,
        // With seconds only where the marks are nearer than a minute; a minute is told once.
        values: (_, times) => times.map((time) => clockOf(time, times[1]! - times[0]! < 60)),
      },
      {
        ...axis,
        size: 52,
        values: (_, values) => values.map((value) => `${value} ${unit}`.trimEnd()),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        // What lies over several others would only hide them.
        ...(lines.length > 2 ? {} : { fill: `${color(line.color)}22` }),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}

function clockOf(unixS: number, withSeconds: boolean): string {
  const time = new Date(unixS * 1_000).toLocaleTimeString("en-GB");
  return withSeconds ? time : time.slice(0, 5);
}
