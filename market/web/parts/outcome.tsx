import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** What became of a form, in its place. */
export function Outcome(props: { title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that had the focus is gone.
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <h1 tabIndex={-1} ref={heading}>{props.title}</h1>
      {props.children}
    </>
  );
}
