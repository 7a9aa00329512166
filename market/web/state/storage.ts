// The browser's storage, which may be full, forbidden or filled by somebody else: the shop then
// works until the page is closed.

/** A stored text, or null. */
export function recall(store: Storage, key: string): string | null {
  try {
    return store.getItem(key);
  } catch {
    return null;
  }
}

/** Stores a text; undefined removes it. */
export function keep(store: Storage, key: string, value: string | undefined): void {
  try {
    if (value === undefined) store.removeItem(key);
    else store.setItem(key, value);
  } catch {
    // Nothing to be done: the value lives as long as the page.
  }
}
