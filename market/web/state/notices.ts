// What the shop says in passing: notices that are seen, and announcements that are heard.

import { signal } from "@preact/signals";

export interface Notice {
  readonly id: number;
  readonly kind: "done" | "failed";
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** Long enough to be read; one that can be acted on stays longer. */
const SHOWN_MS = 3_500;
const SHOWN_WITH_ACTION_MS = 8_000;
const SHOWN_AT_ONCE = 3;
let nextId = 1;

export const notices = signal<readonly Notice[]>([]);
/** The text of the polite live region. */
export const announcement = signal("");

/** Shows a notice for some seconds; screen readers hear it. */
export function notify(kind: Notice["kind"], text: string, action?: Notice["action"]): void {
  const notice: Notice = { id: nextId++, kind, text, action };
  notices.value = [...notices.value, notice].slice(-SHOWN_AT_ONCE);
  announce(text);
  setTimeout(() => dismiss(notice.id), action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** What comes so soon after something else is said with it: a text that is replaced at once is not heard. */
const TOGETHER_MS = 1_000;
let beganMs = -Infinity;

/** Says a text to screen readers; the same text twice is said twice. */
export function announce(text: string): void {
  const nowMs = performance.now();
  const { value } = announcement;
  if (nowMs - beganMs < TOGETHER_MS) {
    announcement.value = `${value} ${text}`;
    return;
  }
  beganMs = nowMs;
  announcement.value = value === text ? `${text}\u00a0` : text;
}
