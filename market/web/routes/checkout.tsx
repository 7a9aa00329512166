import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, forget, placeOrder, saveProfile } from "../api.ts";
import { costsOf } from "../../services/order-svc/price.ts";
import type { Address, OrderRequest, ShippingMethod } from "../api_types.ts";
import { attemptFor } from "../lib/attempt.ts";
import { checkAddress, COUNTRIES } from "../lib/address.ts";
import { CartAway } from "../parts/cart_away.tsx";
import { Field } from "../parts/field.tsx";
import { useFocusOnWrong, type Wrong } from "../parts/form.ts";
import { Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Totals } from "../parts/totals.tsx";
import { cart, cartBusy, cartState, loadCart } from "../state/cart.ts";
import { go } from "../state/navigation.ts";
import { signOut, updateUser, user } from "../state/session.ts";
import { keep, recall } from "../state/storage.ts";
import { Bones } from "../parts/resource.tsx";
import { Picture } from "../parts/card.tsx";
import { formatMoney } from "../lib/money.ts";

const ATTEMPT = "market.attempt";
const DRAFT = "market.draft";

export default function Checkout(_: PageProps) {
  useTitle("Checkout");
  const who = user.value;
  useEffect(() => {
    if (!who) go("/sign-in?next=/checkout", { replace: true });
  }, [who]);
  if (!who) return null;
  if (cart.value.items.length === 0) {
    return (
      <div class="page">
        <h1>Checkout</h1>
        <NoLines />
      </div>
    );
  }
  return <CheckoutForm />;
}

function NoLines() {
  if (cartState.value === "loading") return <Bones lines={6} />;
  if (cartState.value === "failed") return <CartAway />;
  return (
    <Empty title="Nothing to check out" text="Your cart is empty.">
      <a class="button" href="/catalog">Browse the shop</a>
    </Empty>
  );
}

/** What was typed so far, kept over a reload or signing in again. */
interface Draft {
  readonly user: string;
  readonly address: Address;
  readonly method: ShippingMethod;
}

function firstDraft(): Draft {
  const { id = "", name = "", address } = user.peek() ?? {};
  const kept = keptDraft();
  if (kept?.user === id) return kept;
  return {
    user: id,
    method: "standard",
    address: {
      name: address?.name ?? name,
      line1: address?.line1 ?? "",
      line2: address?.line2 ?? "",
      city: address?.city ?? "",
      postal_code: address?.postal_code ?? "",
      country: address?.country ?? "US",
    },
  };
}

function keptDraft(): Draft | undefined {
  try {
    return JSON.parse(recall(sessionStorage, DRAFT) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

function CheckoutForm() {
  const [draft, setDraft] = useState(firstDraft);
  const { address, method } = draft;
  const change = (part: Partial<Draft>) => {
    const next = { ...draft, ...part };
    setDraft(next);
    keep(sessionStorage, DRAFT, JSON.stringify(next));
  };
  const [wrong, setWrong] = useState<Wrong>();
  const [sending, setSending] = useState(false);
  const [remember, setRemember] = useState(true);
  const form = useFocusOnWrong(wrong);

  const send = async () => {
    const missing = checkAddress(address);
    if (missing) return setWrong(missing);
    setSending(true);
    setWrong(undefined);
    try {
      const order = await sendOrder(address, method);
      keep(sessionStorage, DRAFT, undefined);
      go(`/orders/${encodeURIComponent(order.id)}?placed=1`, { replace: true });
      if (remember) keepAddress(order.shipping_address);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSending(false);
      if (error.code === "signed_out") signOut();
      setWrong(inWords(error));
    }
  };
  const sum = costsOf(cart.value.subtotal, method, address.country);
  const busy = sending || cartBusy.value;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Checkout</h1>
      </div>
      <form
        class="split reverse"
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <div class="stack">
          <AddressFields address={address} set={(address) => change({ address })} wrong={wrong}>
            <label class="check">
              <input
                type="checkbox"
                checked={remember}
                onChange={(event) => setRemember(event.currentTarget.checked)}
              />
              <span>Keep this address for next time</span>
            </label>
          </AddressFields>
          <Methods
            method={method}
            set={(method) => change({ method })}
            subtotal={cart.value.subtotal}
          />
          <section class="panel" aria-labelledby="payment">
            <h2 id="payment">Payment</h2>
            <p>
              By invoice, with the parcel.{" "}
              <span class="hint">This is a demonstration: no money changes hands.</span>
            </p>
          </section>
        </div>
        <aside class="panel sum" aria-label="Your order">
          <h2>Your order</h2>
          <ul class="sum-lines">
            {cart.value.items.map((item) => (
              <li key={item.product_id}>
                <Picture url={item.image_url} size={48} />
                <span>
                  {item.name} <small>× {item.quantity}</small>
                </span>
                <span>{formatMoney(item.line_total)}</span>
              </li>
            ))}
          </ul>
          <Totals of={sum} />
          {wrong && !wrong.field?.startsWith("shipping_address.") && (
            <p class="field-error" role="alert">{wrong.text}</p>
          )}
          <button type="submit" class="button wide" disabled={busy}>
            {sending ? "Placing your order…" : `Place order · ${formatMoney(sum.total)}`}
          </button>
          <a class="link center" href="/cart">Back to cart</a>
        </aside>
      </form>
    </div>
  );
}

/** For the next checkout. The order stands without it, so nobody waits and nothing is said. */
function keepAddress(address: Address): void {
  const who = user.peek();
  if (!who || JSON.stringify(who.address) === JSON.stringify(address)) return;
  saveProfile(who.id, { name: who.name, address }).then(updateUser, () => undefined);
}

/** Places the order with the key of this attempt; the key is dropped once the answer is final. */
async function sendOrder(address: Address, method: ShippingMethod) {
  const { session } = cart.peek();
  const lines = linesShown();
  const { line2, ...required } = trimmed(address);
  const body: OrderRequest = {
    cart_session: session,
    shipping_address: line2 ? { ...required, line2 } : required,
    shipping_method: method,
  };
  const fingerprint = JSON.stringify([body, lines]);
  const stored = recall(sessionStorage, ATTEMPT);
  const attempt = attemptFor(stored, fingerprint, () => crypto.randomUUID());
  if (JSON.stringify(attempt) !== stored) {
    // What is ordered is the cart as the shop has it: another window may have changed it.
    await loadCart();
    if (String(linesShown()) !== String(lines)) {
      throw new ApiError("conflict", "Your cart was changed elsewhere. Look at it once more.");
    }
  }
  keep(sessionStorage, ATTEMPT, JSON.stringify(attempt));
  try {
    const order = await placeOrder(body, attempt.key);
    keep(sessionStorage, ATTEMPT, undefined);
    forget("/orders");
    forget("/stock");
    return order;
  } catch (error) {
    // Refused for good: the next try is another attempt. Without an answer it is still this one.
    if (error instanceof ApiError && error.code !== "unavailable" && error.code !== "signed_out") {
      keep(sessionStorage, ATTEMPT, undefined);
    }
    throw error;
  }
}

function linesShown() {
  return cart.peek().items.map((item) => [item.product_id, item.quantity, item.price]);
}

function trimmed(address: Address): Address {
  const entries = Object.entries(address).map(([key, value]) => [key, value.trim()]);
  return Object.fromEntries(entries) as unknown as Address;
}

function inWords(error: ApiError): Wrong {
  if (error.code !== "conflict") return { field: error.field, text: error.message };
  const line = Number(/^items\[(\d+)\]/.exec(error.field ?? "")?.[1] ?? NaN);
  const name = cart.peek().items[line]?.name;
  if (!name || error.available === undefined) return { text: error.message };
  return {
    text: error.available === 0
      ? `${name} has just sold out. Take it out of your cart to go on.`
      : `Only ${error.available} of ${name} are left. Lower its quantity to go on.`,
  };
}

function AddressFields(
  props: {
    address: Address;
    set: (address: Address) => void;
    wrong: Wrong | undefined;
    children: ComponentChildren;
  },
) {
  const { address, set, wrong } = props;
  const field = (name: keyof Address) => ({
    name,
    value: address[name] ?? "",
    onInput: (value: string) => set({ ...address, [name]: value }),
    error: wrong?.field === `shipping_address.${name}` ? wrong.text : undefined,
  });
  return (
    <section class="panel" aria-labelledby="address">
      <h2 id="address">Where to</h2>
      <div class="fields">
        <Field label="Full name" autocomplete="name" maxLength={100} {...field("name")} />
        <Field label="Street and number" autocomplete="address-line1" {...field("line1")} />
        <Field label="Apartment, floor" autocomplete="address-line2" optional {...field("line2")} />
        <Field
          label="Postal code"
          autocomplete="postal-code"
          maxLength={20}
          {...field("postal_code")}
        />
        <Field label="City" autocomplete="address-level2" maxLength={100} {...field("city")} />
        <div class="field">
          <label for="country">Country</label>
          <select
            id="country"
            autocomplete="country"
            value={address.country}
            onChange={(event) => set({ ...address, country: event.currentTarget.value })}
          >
            {COUNTRIES.map(([code, name]) => <option key={code} value={code}>{name}</option>)}
          </select>
        </div>
      </div>
      {props.children}
    </section>
  );
}

function Methods(
  props: { method: ShippingMethod; set: (method: ShippingMethod) => void; subtotal: number },
) {
  const options = [
    { id: "standard", name: "Standard", when: "Two to four days" },
    { id: "express", name: "Express", when: "Tomorrow, if ordered by noon" },
  ] as const;
  return (
    <fieldset class="panel methods">
      <legend>How fast</legend>
      {options.map(({ id, name, when }) => {
        const cost = costsOf(props.subtotal, id).shipping;
        return (
          <label class="method" key={id}>
            <input
              type="radio"
              name="method"
              value={id}
              checked={props.method === id}
              onChange={() => props.set(id)}
            />
            <span>
              <strong>{name}</strong>
              <small>{when}</small>
            </span>
            <span>{cost === 0 ? "Free" : formatMoney(cost)}</span>
          </label>
        );
      })}
    </fieldset>
  );
}
