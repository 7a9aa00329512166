// Reading from a service inside a page: loading, ready, failed, and trying again, per section. A
// service that is down takes its own section with it and nothing else.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, peek, type Read, read } from "../api.ts";

export interface Resource<T> {
  /** The answer; while another one is loading, the one before it. */
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  retry(): void;
}

interface Held<T> {
  readonly path: string | undefined;
  readonly data?: T;
  readonly error?: ApiError;
}

/** Reads while the component is shown, again when the path changes. Undefined reads nothing. */
export function useRead<T>(wanted: Read<T> | undefined): Resource<T> {
  const path = wanted?.path;
  const [held, hold] = useState<Held<T>>({ path: undefined });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (path === undefined) return;
    if (peek(path)?.fresh) return;
    const aborted = new AbortController();
    read<T>(path, aborted.signal).then(
      (data) => aborted.signal.aborted || hold({ path, data }),
      (error) => {
        if (aborted.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        hold((before) => ({ path, error, data: before.path === path ? before.data : undefined }));
      },
    );
    return () => aborted.abort();
  }, [path, attempt]);

  const remembered = path === undefined ? undefined : peek<T>(path)?.value;
  const own = held.path === path ? held : undefined;
  const error = own?.error;
  const data = own?.data ?? remembered;
  return {
    data: data ?? (error ? undefined : held.data),
    error: data === undefined ? error : undefined,
    loading: path !== undefined && data === undefined && error === undefined,
    retry: () => {
      hold((before) => ({ path: before.path, data: before.data }));
      setAttempt(attempt + 1);
    },
  };
}

/** A section's content by the state of what it reads. */
export function Loaded<T>(props: {
  of: Resource<T>;
  /** What is missing when it fails: "Reviews". */
  what: string;
  skeleton: ComponentChildren;
  children: (data: T) => ComponentChildren;
}): JSX.Element {
  const { data, error, loading, retry } = props.of;
  if (data !== undefined) {
    return <div class="loaded" aria-busy={loading}>{props.children(data)}</div>;
  }
  if (error) return <Failed what={props.what} error={error} retry={retry} />;
  return (
    <div aria-busy="true">
      <span class="hidden">{`Loading ${props.what.toLowerCase()}`}</span>
      {props.skeleton}
    </div>
  );
}

/** What a section shows when its service does not answer. */
export function Failed(props: { what: string; error: ApiError; retry: () => void }) {
  return (
    <div class="failed" role="status">
      <p>
        <strong>{props.what}</strong> could not be loaded. {props.error.message}
      </p>
      <button type="button" class="button quiet" onClick={props.retry}>Try again</button>
    </div>
  );
}

/** Grey shapes in the place of what is coming. */
export function Bones(props: { lines: number }) {
  return (
    <div class="bones" aria-hidden="true">
      {Array.from({ length: props.lines }, (_, line) => <span key={line} class="bone" />)}
    </div>
  );
}
