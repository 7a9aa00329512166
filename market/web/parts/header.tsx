import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, reads } from "../api.ts";
import { withQuery } from "../lib/query.ts";
import { cart } from "../state/cart.ts";
import { go, place } from "../state/navigation.ts";
import { notify } from "../state/notices.ts";
import { endSession, user } from "../state/session.ts";
import { theme, toggleTheme } from "../state/theme.ts";
import { Icon } from "./icon.tsx";
import { useRead } from "./resource.tsx";

export function Header() {
  return (
    <header class="header">
      <div class="bar">
        <a class="logo" href="/" aria-label="SovereignMarket, home">
          <Mark />
          <span aria-hidden="true">
            Sovereign<b>Market</b>
          </span>
        </a>
        <SearchForm />
        <div class="actions">
          <ThemeButton />
          <Account />
          <CartLink />
        </div>
      </div>
      <Categories />
    </header>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="15" class="mark-coin" />
      <path d="M8.5 21.5 7.5 11l5 4.200L16 8.5l3.5 6.700 5-4.200-1 10.5Z" class="mark-crown" />
    </svg>
  );
}

function SearchForm() {
  const { path, query } = place.value;
  const searched = path === "/search" ? query.get("q") ?? "" : "";
  const [text, setText] = useState(searched);
  useEffect(() => setText(searched), [searched]);
  return (
    <form
      class="search"
      role="search"
      action="/search"
      onSubmit={(event) => {
        event.preventDefault();
        const q = text.trim();
        if (q !== "") go(withQuery("/search", { q }));
      }}
    >
      <label class="hidden" for="q">Search the shop</label>
      <input
        id="q"
        name="q"
        type="search"
        placeholder="Search goods, brands, ideas"
        autocomplete="off"
        enterkeyhint="search"
        maxLength={100}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" aria-label="Search">
        <Icon name="search" />
      </button>
    </form>
  );
}

function ThemeButton() {
  const dark = theme.value === "dark";
  return (
    <button
      type="button"
      class="action"
      aria-label={dark ? "Use light colors" : "Use dark colors"}
      onClick={toggleTheme}
    >
      <Icon name={dark ? "sun" : "moon"} />
    </button>
  );
}

function Account() {
  const menu = useRef<HTMLDetailsElement>(null);
  const { path } = place.value;
  useEffect(() => closeMenu(menu.current), [path]);
  useEffect(() => {
    const outside = (event: Event) => {
      if (!menu.current?.contains(event.target as Node)) closeMenu(menu.current);
    };
    addEventListener("click", outside);
    return () => removeEventListener("click", outside);
  }, []);
  const who = user.value;
  if (!who) {
    const next = path === "/" || path === "/sign-in" ? undefined : path;
    return (
      <a class="action" href={withQuery("/sign-in", { next })} aria-label="Sign in">
        <Icon name="user" />
        <span class="action-text" aria-hidden="true">Sign in</span>
      </a>
    );
  }
  return (
    <details
      class="account"
      ref={menu}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        closeMenu(menu.current);
        menu.current?.querySelector("summary")?.focus();
      }}
    >
      <summary class="action" aria-label={`Account of ${who.name}`}>
        <span class="initial" data-initial={(who.name.trim()[0] ?? "?").toUpperCase()} />
        <span class="action-text" aria-hidden="true">{who.name.split(" ")[0]}</span>
      </summary>
      <div class="menu">
        <p class="menu-who">
          <strong>{who.name}</strong>
          <span>{who.email}</span>
        </p>
        <a href="/orders">Your orders</a>
        <a href="/password">Change password</a>
        <button type="button" onClick={() => leave(false)}>Sign out</button>
        <button type="button" onClick={() => leave(true)}>Sign out everywhere</button>
      </div>
    </details>
  );
}

/** Signs out; whoever asked for everywhere must hear when the shop did not. */
async function leave(everywhere: boolean): Promise<void> {
  const ended = endSession(everywhere);
  if (!everywhere) left("You are signed out.");
  try {
    await ended;
    if (everywhere) left("You are signed out on every device.");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notify(
      "failed",
      everywhere
        ? "The shop did not answer. You are still signed in; try again."
        : "The shop did not hear of it: until it ends by itself, the session is not called back.",
    );
  }
}

function left(text: string): void {
  notify("done", text);
  if (/^\/(orders|checkout|password)/.test(place.value.path)) go("/");
}

function closeMenu(menu: HTMLDetailsElement | null): void {
  if (menu) menu.open = false;
}

function CartLink() {
  const count = cart.value.item_count;
  return (
    <a
      class="action"
      href="/cart"
      aria-label={`Cart, ${count} ${count === 1 ? "item" : "items"}`}
    >
      <Icon name="cart" />
      <span class="action-text" aria-hidden="true">Cart</span>
      {count > 0 && <span class="badge" key={count} data-count={count > 99 ? "99+" : count} />}
    </a>
  );
}

/** The shelf of categories. When product-svc is away, the link to everything remains. */
function Categories() {
  const { data } = useRead(reads.categories());
  const { path, query } = place.value;
  const current = path === "/catalog" ? query.get("category") ?? "" : undefined;
  return (
    <nav class="shelf" aria-label="Categories">
      <ul>
        <li>
          <a href="/catalog" aria-current={current === "" ? "page" : undefined}>All goods</a>
        </li>
        {data?.items.map((category) => (
          <li key={category.id}>
            <a
              href={withQuery("/catalog", { category: category.id })}
              aria-current={current === category.id ? "page" : undefined}
            >
              {category.name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
